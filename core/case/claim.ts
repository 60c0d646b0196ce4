import { TransientError } from "../errors.ts";
import { absorbedKey, artefactKey, joinedAlertKey, openCaseKey } from "../evidence/keys.ts";
import type { Absorbed, AlertRecord, OpenMarker, Proven } from "../evidence/schemas/case.ts";
import type { Needs, StoreFor } from "../needs.ts";
import { describeTarget, type Target } from "../target/target.ts";
import type { CaseRef, Execution } from "./case.ts";
import {
  containerIdentity,
  freeOf,
  type Held,
  identityOf,
  isOpen,
  podCasesIn,
  provenKey,
  takenKeys,
  uidIdentity,
} from "./markers.ts";

export const CLAIM_NEEDS = {
  evidence: {
    writes: ["open/*", "cases/*/alerts/*.json", "cases/*/absorbed/*.json"],
    reads: ["open/*", "runs/*/alert.json"],
    lists: ["open/*"],
    frees: ["open/*"],
  },
} as const satisfies Needs;

type Store = StoreFor<typeof CLAIM_NEEDS>;

/** How often a case may be released while we join it before we give up. */
const ATTEMPTS = 3;

/**
 * Claims a target for its case, now that the cluster has said what it is. Alerts that named it
 * differently may each have opened a case; the conditional write of the UID's marker decides which
 * of them acts. The others leave alert and markers to that one, so that what comes after them joins
 * it at once.
 *
 * Errors: `EvidenceUnavailable` (transient) when the case that has the target is released under our
 * hands again and again.
 *
 * @returns the claim, which may be of another case; what to do with an own one is `spreadClaim`
 */
export async function claimTarget(
  claimant: { readonly case: CaseRef; readonly execution: Execution; readonly target: Target },
  proven: Proven,
  store: Store,
): Promise<OpenMarker> {
  const { case: ref, execution, target } = claimant;
  const own: OpenMarker = { case: ref, execution, target, proven };
  const key = provenKey(target, proven.uid);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const { document: marker } = await store.putOnce(key, own);
    if (marker.case.id === ref.id || (await yieldTo({ key, marker }, own, store))) return marker;
  }
  throw new TransientError(
    "EvidenceUnavailable",
    `${describeTarget(target)} (UID ${proven.uid}) was taken and freed ${ATTEMPTS} times meanwhile`,
  );
}

/**
 * Makes an own claim known: whatever the target can be named by leads to this case from now on, and
 * a namespace's case takes up those of pods in it. Written before it looks for these, as they do the
 * reverse: one of the two sees the other.
 */
export async function spreadClaim(claim: OpenMarker, store: Store): Promise<void> {
  const { case: ref, target, proven } = claim;
  const identities = new Set([
    identityOf({ ...claim, target: unnamed(target) }),
    ...(proven ? [uidIdentity(proven.uid), ...proven.containerIds.map(containerIdentity)] : []),
  ]);
  // One that is taken is of a case that will find the claim, and hand it over.
  await Promise.all(
    [...identities].map((identity) => store.putOnce(openCaseKey(target, identity), claim)),
  );
  if (target.kind === "pod") return;
  for (const { case: inside, target: pod } of await podCasesIn(target, store)) {
    const absorbed: Absorbed = { case: inside, target: pod, why: "inNamespace" };
    await store.putOnce(absorbedKey(ref.id, inside.id), absorbed);
  }
}

/** The target as an alert names it that knows neither UID nor container. */
function unnamed(target: Target): Target {
  return target.kind === "pod"
    ? { ...target, uid: null, containerId: null }
    : { ...target, uid: null };
}

/** True once the case that has the claim has our alert too, and still has the claim after that. */
async function yieldTo(holder: Held, own: OpenMarker, store: Store): Promise<boolean> {
  const { case: theirs } = holder.marker;
  const absorbed: Absorbed = { case: own.case, target: own.target, why: "sameTarget" };
  const alert = await store.read<AlertRecord>(artefactKey(own.case.runId, "alert.json"));
  await Promise.all([
    alert && store.putOnce(joinedAlertKey(theirs.id, own.execution.name), alert.document),
    store.putOnce(absorbedKey(theirs.id, own.case.id), absorbed),
  ]);
  const keys = takenKeys(own);
  await freeOf(keys, own.case, store);
  await Promise.all(keys.map((key) => store.putOnce(key, holder.marker)));
  if (await isOpen(holder, store)) return true;
  await freeOf(keys, theirs, store); // it was released: nothing may lead to it any more
  return false;
}

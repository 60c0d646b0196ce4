/** What must be true once a cell's run has ended, looked up in the cluster, EC2 and the bucket. */
import { artefactKey, openCaseKey } from "../../core/evidence/keys.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import type { OpenMarker } from "../../core/evidence/schemas/case.ts";
import type { Needs } from "../../core/needs.ts";
import { CASE_LABEL } from "../../core/quarantine/labels.ts";
import { STATES, type StateName } from "../../functions/contract.ts";
import { NEEDS } from "../../functions/needs.ts";
import type { ScenePod, Shop } from "../../local/scene.ts";
import { waitFor } from "../../local/wait.ts";
import type { Look } from "./place.ts";

const SETTLES_WITHIN_MS = 30_000;

/** What a run says that it could not do, state by state. */
export type Gaps = ReadonlyMap<StateName, Gap>;

interface Gap {
  /** The whole state, as the result says. */
  readonly failed: boolean;
  /** Of it what its artefacts say, without the names of this run. */
  readonly lacks: ReadonlySet<string>;
}

interface MayLack {
  readonly missing?: readonly { readonly source: string; readonly error: string }[];
  readonly notPreserved?: readonly { readonly what: string; readonly reason: string }[];
}

export async function gapsOf(result: RunResult, look: Look): Promise<Gaps> {
  const gaps = new Map<StateName, Gap>();
  for (const state of STATES) {
    const { evidence }: Needs = NEEDS[state];
    const names = (evidence?.writes ?? []).flatMap((key) => {
      const [, name] = /^runs\/\*\/([a-z-]+\.json)$/.exec(key) ?? [];
      return name === undefined || /^(manifest|containment|audit)\.json$/.test(name) ? [] : [name];
    });
    const failed = result.missing.some((each) => each.state === state);
    const lacks = new Set<string>();
    for (const name of names) {
      const key = `runs/${result.case.runId}/${name}`;
      const stored = await look.store.read<MayLack>(key);
      const { missing = [], notPreserved = [] } = stored?.document ?? {};
      for (const { source, error } of missing) lacks.add(nameless(`${source}: ${error}`));
      for (const { what, reason } of notPreserved) lacks.add(nameless(`${what}: ${reason}`));
    }
    if (failed || lacks.size > 0) gaps.set(state, { failed, lacks });
  }
  return gaps;
}

/** Names that are made for one run have digits in them. */
function nameless(text: string): string {
  return text.replaceAll(/\S*\d\S*/g, "*");
}

/** States that failed, or lack something that they do not lack without a fault. */
export function beyond(gaps: Gaps, usual: Gaps): readonly StateName[] {
  return [...gaps].flatMap(([state, { failed, lacks }]) => {
    const more = [...lacks].some((each) => !usual.get(state)?.lacks.has(each));
    return failed || more ? [state] : [];
  });
}

export interface Subject {
  readonly shop: Shop;
  readonly victim: ScenePod;
  /** Policies of the namespace before the run. */
  readonly policiesBefore: readonly string[];
}

/** What is wrong with a containment: nothing, if it was done once and whole. */
export async function wrongWithContainment(
  { shop, victim, policiesBefore }: Subject,
  result: RunResult,
  look: Look,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const { namespace } = shop;
  const { id: caseId, runId } = result.case;
  const policies = await policiesOf(namespace, look);
  const expected = [...policiesBefore, `quarantine-${caseId}`].toSorted();
  if (policies.join() !== expected.join()) wrong.push(`policies ${policies.join(", ")}`);

  const pod = await look.core.readNamespacedPod({ namespace, name: victim.name });
  if (pod.metadata?.uid !== victim.uid) wrong.push("the pod is not the one that was contained");
  if (pod.metadata?.labels?.[CASE_LABEL] !== caseId) wrong.push("the pod does not bear the case");
  // The controller has started one replacement, and no second one.
  await waitFor({ what: `5 pods in ${namespace}`, limitMs: SETTLES_WITHIN_MS }, async () => {
    const { items } = await look.core.listNamespacedPod({ namespace });
    return items.length === 5 ? true : undefined;
  }).catch((error: Error) => wrong.push(error.message));

  const volumes = await look.snapshotsOf(caseId);
  if (new Set(volumes).size !== volumes.length) wrong.push(`snapshots of ${volumes.join(", ")}`);
  const marker = await look.store.read<OpenMarker>(openCaseKey(result.target));
  if (marker?.document.case.id !== caseId) wrong.push("the target's marker is not the case's");
  return [...wrong, ...(await wrongWithEvidence(runId, look))];
}

/** What is wrong with a run that was refused: nothing, if it changed nothing and says so. */
export async function wrongWithRefusal(
  { shop, victim, policiesBefore }: Subject,
  result: RunResult,
  look: Look,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const { namespace } = shop;
  const policies = await policiesOf(namespace, look);
  if (policies.join() !== policiesBefore.join()) wrong.push(`policies ${policies.join(", ")}`);
  const pod = await look.core.readNamespacedPod({ namespace, name: victim.name });
  if (pod.metadata?.labels?.[CASE_LABEL] !== undefined) wrong.push("the pod bears a case");
  const marker = await look.store.read<OpenMarker>(openCaseKey(result.target));
  if (marker !== null) wrong.push("the target is still marked");
  const plan = await look.store.read(artefactKey(result.case.runId, "plan.json"));
  if (plan !== null) wrong.push("there is a plan");
  return [...wrong, ...(await wrongWithEvidence(result.case.runId, look))];
}

async function wrongWithEvidence(runId: string, look: Look): Promise<readonly string[]> {
  const { verified, problems } = await look.verify(runId);
  return verified ? [] : [`the evidence does not verify: ${JSON.stringify(problems)}`];
}

export async function policiesOf(namespace: string, look: Look): Promise<readonly string[]> {
  const { items } = await look.networking.listNamespacedNetworkPolicy({ namespace });
  return items.map(({ metadata }) => metadata?.name ?? "").toSorted();
}

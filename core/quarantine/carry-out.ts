import type { ClusterWrite } from "../cluster/rights.ts";
import { PermanentError, TransientError } from "../errors.ts";
import type { Kubernetes } from "../kubernetes.ts";
import type { Denial } from "../policies.ts";
import { otherOwner } from "./labels.ts";
import type { Step, Write } from "./steps.ts";

/** What became of one write, as evidence keeps it. */
export interface CarriedOut {
  readonly action: Write["action"];
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
  readonly uid: string | null;
  /** `absent`: what should be patched or deleted was not there any more; nothing was written. */
  readonly outcome: "done" | "absent";
}

type Writes = Pick<Kubernetes, Exclude<ClusterWrite, "evict">>;

/**
 * Makes one write, once: run again it finds what it did and leaves it as it is.
 *
 * Errors: `PolicyNameTaken` when somebody else's object bears the name; `KubernetesConflict`
 * (transient) when the object changes under our hands.
 */
export async function carryOut(
  { write }: Step,
  caseId: string,
  kubernetes: Writes,
): Promise<CarriedOut> {
  if (write.action === "patch") {
    const { kind, namespace, name, uid } = write.object;
    const there = await kubernetes.patch(write.object, write.patch);
    return { action: "patch", kind, namespace, name, uid, outcome: there ? "done" : "absent" };
  }
  const { kind, metadata } = write.object;
  const named = { kind, namespace: metadata.namespace ?? null, name: metadata.name };
  if (write.action === "create") {
    const uid = await create(write.object, caseId, kubernetes);
    return { action: "create", ...named, uid, outcome: "done" };
  }
  const existing = await ownExisting(write.object, caseId, kubernetes);
  const uid = existing?.metadata.uid ?? null;
  if (uid === null) return { action: "delete", ...named, uid, outcome: "absent" };
  await kubernetes.delete({ apiVersion: write.object.apiVersion, ...named, uid });
  return { action: "delete", ...named, uid, outcome: "done" };
}

async function create(object: Denial, caseId: string, kubernetes: Writes): Promise<string> {
  const created = await kubernetes.create(object);
  if (created !== null) return created;
  const existing = await ownExisting(object, caseId, kubernetes);
  const what = `${object.kind} ${object.metadata.name}`;
  if (!existing) throw new TransientError("KubernetesConflict", `${what} was there and is gone`);
  if (existing.metadata.deletionTimestamp) {
    // The VPC CNI's controller holds on to a policy until it has taken back what it resolved.
    throw new TransientError("KubernetesConflict", `${what} is still being deleted`);
  }
  if (!sameSpec(existing.spec, object.spec) && !(await kubernetes.replace(object, existing))) {
    throw new TransientError("KubernetesConflict", `${what} changed while it was put right`);
  }
  return existing.metadata.uid ?? "";
}

async function ownExisting(object: Denial, caseId: string, kubernetes: Writes) {
  const existing = await kubernetes.existing(object);
  const owner = existing && otherOwner(existing.metadata, caseId);
  if (owner) throw nameTakenError(`${object.kind} ${object.metadata.name} exists and is ${owner}`);
  return existing;
}

/** The failure of a plan whose policy's name is somebody else's. */
export function nameTakenError(what: string): PermanentError {
  return new PermanentError(
    "PolicyNameTaken",
    `${what}; it is left as it is. Remove or rename it, or release that case, then redrive this ` +
      "execution.",
  );
}

/** True when what is wanted is there and nothing else; an empty list says nothing. */
export function sameSpec(there: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(there) &&
      there.length === wanted.length &&
      wanted.every((value, index) => sameSpec(there[index], value))
    );
  }
  if (!isRecord(wanted)) return there === wanted;
  return (
    isRecord(there) &&
    Object.entries(wanted).every(([key, value]) => sameSpec(there[key], value)) &&
    Object.entries(there).every(([key, value]) => key in wanted || isNothing(value))
  );
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

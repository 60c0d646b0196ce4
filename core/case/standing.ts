import type { Mode } from "../alert/alert.ts";
import { artefactKey, caseKey } from "../evidence/keys.ts";
import type { Manifest } from "../evidence/manifest.ts";
import type { CaseRecord, STAGES } from "../evidence/schemas/case.ts";
import type { AppliedPolicy, Completion, Plan } from "../evidence/schemas/quarantine.ts";
import type { After } from "../evidence/schemas/seen.ts";
import type { Stored } from "../evidence/store.ts";
import type { Needs } from "../needs.ts";
import type { Target } from "../target/target.ts";

/** What `standingOf` reads. */
export const STANDING_READS = [
  "cases/*/case.json",
  "runs/*/plan.json",
  "runs/*/policy.json",
  "runs/*/completion.json",
  "runs/*/after.json",
  "runs/*/manifest.json",
] as const satisfies NonNullable<NonNullable<Needs["evidence"]>["reads"]>;

export type Stage = (typeof STAGES)[number];

/** How a run stands, whatever became of its execution. */
export interface Standing {
  /** The last stage whose evidence is there. */
  readonly reached: Stage;
  readonly runId: string | null;
  readonly target: Target | null;
  readonly mode: Mode | null;
  /** What SnapshotAfter judged; null when nothing was read back. */
  readonly verdict: string | null;
  /** What is done, in a sentence. */
  readonly done: string;
  /** What is not, or not known, in a sentence; null when nothing is left. */
  readonly open: string | null;
}

/** Reads documents of the evidence store, null where there is none. */
export interface Reader {
  read<T>(key: string): Promise<Pick<Stored<T>, "document"> | null>;
}

/**
 * What a case's run came to, from the evidence alone: each stage leaves its artefact before the next
 * one begins, and the plan is kept before the first write.
 */
export async function standingOf(caseId: string, store: Reader): Promise<Standing> {
  const opened = (await store.read<CaseRecord>(caseKey(caseId)))?.document;
  if (!opened) {
    return {
      ...{ reached: "notOpened", runId: null, target: null, mode: null, verdict: null },
      done: "Nothing was changed in the cluster: no case had been opened.",
      open: "The target is not contained by this run. If the run had marked the target as its own already, further alerts about it are kept with this case and do not act.",
    };
  }
  const { target } = opened;
  const { runId } = opened.case;
  const read = async <T>(name: Parameters<typeof artefactKey>[1]) =>
    (await store.read<T>(artefactKey(runId, name)))?.document ?? null;
  const plan = await read<Plan>("plan.json");
  const policy = await read<AppliedPolicy>("policy.json");
  const completion = await read<Completion>("completion.json");
  const after = await read<After>("after.json");
  const manifest = await read<Manifest>("manifest.json");
  // A brake that took hold later turned the run into an audit.
  const mode = plan?.mode ?? opened.mode;
  const verdict = after?.judged.verdict ?? null;
  return {
    ...{ runId, target, mode, verdict },
    ...(mode === "audit"
      ? audited({ plan, sealed: manifest !== null })
      : contained({ plan, policy, completion, verdict, sealed: manifest !== null })),
  };
}

type Told = Pick<Standing, "reached" | "done" | "open">;

function audited({ plan, sealed }: { plan: Plan | null; sealed: boolean }): Told {
  const done = "Nothing was changed in the cluster: the run only audits.";
  if (sealed) return { reached: "sealed", done: `${done} Its evidence is sealed.`, open: null };
  return plan
    ? { reached: "planned", done, open: "Its plan is kept, its result is not." }
    : { reached: "opened", done, open: "There is no plan yet." };
}

function contained(found: {
  readonly plan: Plan | null;
  readonly policy: AppliedPolicy | null;
  readonly completion: Completion | null;
  readonly verdict: string | null;
  readonly sealed: boolean;
}): Told {
  const { plan, policy, completion, verdict, sealed } = found;
  const later = (plan?.phases.length ?? 1) - 1;
  if (sealed) {
    return {
      reached: "sealed",
      done: `The run went through and its evidence is sealed; verdict: ${verdict ?? "none"}.`,
      open: "Whether the people on call and the event bus were told is not known.",
    };
  }
  if (verdict !== null) {
    return {
      reached: "readBack",
      done: `The quarantine was written and read back; verdict: ${verdict}.`,
      open: "The result is not recorded and the evidence not sealed.",
    };
  }
  if (policy && (later === 0 || completion)) {
    return {
      reached: "completed",
      done: `The plan was carried out, its first phase at ${policy.quarantinedAt}${later > 0 ? "; what became of the others stands in completion.json" : ""}.`,
      open: "It was not read back, so nothing proves that the target is cut off.",
    };
  }
  if (policy) {
    return {
      reached: "applied",
      done: `The first of ${later + 1} phases of the plan was written at ${policy.quarantinedAt}.`,
      open: `The other ${later} are not known to be: until then the target may still be reachable, or pods beside it may be cut off with it. Take it as not contained.`,
    };
  }
  if (plan) {
    const writes = plan.phases.reduce((sum, { steps }) => sum + steps.length, 0);
    return {
      reached: "planned",
      done: `The plan of ${writes} writes is kept, with the undo of each.`,
      open: "Some of its writes may have been made, in its order, and none was confirmed. Take the target as not contained.",
    };
  }
  return {
    reached: "opened",
    done: "Nothing was changed in the cluster: there is no plan, which is kept before the first write.",
    open: "The target is not contained. Further alerts about it are kept with this case and do not act.",
  };
}

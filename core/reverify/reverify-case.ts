import type { Brake } from "../brakes/brake.ts";
import type { CaseRef, Execution } from "../case/case.ts";
import { PermanentError, TransientError } from "../errors.ts";
import {
  type ArtefactName,
  artefactKey,
  runRecordKey,
  verdictKey,
  verdictsPrefix,
} from "../evidence/keys.ts";
import type { OpenMarker } from "../evidence/schemas/case.ts";
import type { Preservation, PreservationPlanArtefact } from "../evidence/schemas/preservation.ts";
import type { VerdictRecord } from "../evidence/schemas/reverification.ts";
import type { After } from "../evidence/schemas/seen.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import type { AppliedPolicy } from "../quarantine/apply-policy.ts";
import type { Completion } from "../quarantine/complete-policy.ts";
import type { Plan } from "../quarantine/plan.ts";
import type { Target } from "../target/target.ts";
import { type LaterVerdict, type Mark, newsOf, sameMarks, since } from "./drift.ts";
import { LOOK_READS, lookAgain, type SeenNow } from "./look.ts";
import {
  type DriftSettings,
  isMendable,
  type Mending,
  mendingBrakes,
  REAPPLIES_AT_MOST,
} from "./mend.ts";

export const REVERIFY_CASE_NEEDS = {
  kubernetes: LOOK_READS,
  evidence: {
    writes: ["cases/*/verdicts/*.json"],
    reads: [
      ...["open/*", "cases/*/runs/*.json", "cases/*/verdicts/*.json"],
      ...["runs/*/plan.json", "runs/*/policy.json", "runs/*/completion.json"],
      ...["runs/*/preservation-plan.json", "runs/*/preservation.json", "runs/*/after.json"],
    ],
    lists: ["cases/*/verdicts/*"],
  },
} as const satisfies Needs;

/** Attempts after which a cluster that does not answer, or has not settled, is judged as it is. */
const PATIENCE = 3;

/** Without news a look is written down this often, as proof that somebody looked. */
const DAILY_MS = 24 * 3_600_000;

export interface ReverifyInput {
  /** Key of the marker of an open case. */
  readonly marker: string;
  /** What ReapplyPolicy did just before; null when it did not run. */
  readonly reapplied: VerdictRecord["reapplied"];
  /** `no`: only looked at, whatever the stage's setting. */
  readonly mend: Mending;
  /** How often this state was tried before, 0 at first. */
  readonly attempt: number;
  readonly execution: Execution;
}

/** What a look came to; `why` it is written down is null for one that is not. */
type Judged = Omit<VerdictRecord, "why"> & { readonly why: VerdictRecord["why"] | null };

export type CaseLook =
  /** `closed`: the case was released meanwhile. `running`: its run is not sealed, nor judged here. */
  | { readonly looked: "closed" | "running" }
  | {
      readonly looked: "judged" | "notVerified";
      readonly target: Target;
      readonly record: Judged;
      /** As which one of the case ReapplyPolicy may run now; null: it may not. */
      readonly mayReapply: number | null;
      /** What alone keeps it from that. */
      readonly brakes: readonly Brake[];
    };

interface Ports {
  readonly kubernetes: ClusterFor<typeof REVERIFY_CASE_NEEDS>;
  readonly store: StoreFor<typeof REVERIFY_CASE_NEEDS>;
  readonly settings: DriftSettings;
  readonly now: () => Date;
}

/**
 * Looks at one open case again and judges it as its run did. What differs from the run's own verdict
 * is drift. A look is written down when it is the first, when something changed since the last one
 * that was, when the quarantine was put back, and once a day: the history proves that somebody
 * looked, and does not grow by what is the same as before.
 *
 * Run again by the same execution it answers with what it wrote. Of two executions that look at one
 * moment, the one whose record is kept tells people and puts back.
 *
 * Errors: `TargetNotSettled` and those of the cluster, for as long as trying again may help; after
 * that the look is recorded as `unverified`.
 */
export async function reverifyCase(input: ReverifyInput, ports: Ports): Promise<CaseLook> {
  const { store } = ports;
  const marker = await store.read<OpenMarker>(input.marker);
  if (!marker) return { looked: "closed" };
  const { case: ref, target } = marker.document;
  if (!(await store.read(runRecordKey(ref.id, ref.runId)))) return { looked: "running" };
  const last = await lastVerdict(ref.id, store);
  const plan = await store.read<Plan>(artefactKey(ref.runId, "plan.json"));
  // A brake turned it into an audit, and its marker is about to be freed: nothing is to hold.
  if (plan?.document.mode === "audit") return { looked: "closed" };
  const judged =
    last && isOfThisLook(last, input)
      ? last
      : await judge(ref, plan?.document ?? null, last, input, ports);
  const { verdict, reapplications, drift, reasons } = judged;
  const ours = judged.execution.arn === input.execution.arn;
  const wanted =
    ports.settings.onDrift === "reapply" &&
    input.mend !== "no" &&
    input.reapplied === null &&
    ours &&
    plan !== null &&
    verdict !== "unverified" &&
    reapplications < REAPPLIES_AT_MOST &&
    isMendable(plan.document, drift, reasons);
  const brakes = wanted ? mendingBrakes(target, input.mend, ports.settings, ports.now()) : [];
  return {
    looked: verdict === "unverified" ? "notVerified" : "judged",
    target,
    record: ours ? judged : { ...judged, news: null },
    mayReapply: wanted && brakes.length === 0 ? reapplications + 1 : null,
    brakes,
  };
}

/** Whether the record was written by this state, before it was tried again. */
function isOfThisLook(
  { execution, reapplied }: Pick<VerdictRecord, "execution" | "reapplied">,
  input: ReverifyInput,
): boolean {
  return execution.arn === input.execution.arn && reapplied?.number === input.reapplied?.number;
}

async function lastVerdict(
  caseId: string,
  store: Pick<Ports["store"], "read" | "list">,
): Promise<VerdictRecord | null> {
  let last: string | undefined;
  for (;;) {
    const keys = await store.list(verdictsPrefix(caseId), KEYS_A_PAGE, last);
    last = keys.at(-1)?.key ?? last;
    if (keys.length < KEYS_A_PAGE) break;
  }
  return last === undefined ? null : ((await store.read<VerdictRecord>(last))?.document ?? null);
}

/** As many keys as S3 gives at once. */
const KEYS_A_PAGE = 1_000;

async function judge(
  ref: CaseRef,
  plan: Plan | null,
  last: VerdictRecord | null,
  input: ReverifyInput,
  ports: Ports,
): Promise<Judged> {
  const { store, now } = ports;
  const after = await store.read<After>(artefactKey(ref.runId, "after.json"));
  const seen = await look(ref, plan, last, input.attempt, ports);
  const judgedAt = now().toISOString();
  const { execution, reapplied } = input;
  const known = {
    ...{ case: ref, number: (last?.number ?? 0) + 1, judgedAt, execution, reapplied },
    reapplications: reapplied?.number ?? last?.reapplications ?? 0,
  };
  const found = [...seen.reasons, ...seen.findings];
  // What had drifted when it was last seen has not come back because it cannot be seen.
  const drift =
    seen.verdict === "unverified"
      ? (last?.drift ?? [])
      : since(after?.document.judged.reasons ?? [], found);
  const before = last ?? (after ? { verdict: after.document.judged.verdict, drift: [] } : null);
  const news = newsOf(before, { verdict: seen.verdict, drift });
  const why = whyWritten({ reapplied, last, judgedAt, verdict: seen.verdict, found });
  const judged = {
    ...{ ...known, ...seen, drift, why },
    // Of a putting back people are told what came of it, whatever they heard before.
    news: reapplied ? (drift.length > 0 ? "drifted" : "holds") : news,
  } as const;
  if (why === null) return judged;
  const record: VerdictRecord = { ...judged, why };
  return (await store.putOnce(verdictKey(ref.id, record.number), record)).document;
}

function whyWritten({
  reapplied,
  last,
  judgedAt,
  verdict,
  found,
}: {
  readonly reapplied: VerdictRecord["reapplied"];
  readonly last: VerdictRecord | null;
  readonly judgedAt: string;
  readonly verdict: LaterVerdict;
  readonly found: readonly Mark[];
}): VerdictRecord["why"] | null {
  if (reapplied) return "reapplied";
  if (!last) return "first";
  const same = verdict === last.verdict && sameMarks(found, [...last.reasons, ...last.findings]);
  if (!same) return "changed";
  return Date.parse(judgedAt) - Date.parse(last.judgedAt) >= DAILY_MS ? "daily" : null;
}

/** What could not be seen, in the shape of what was. */
type NotSeen = Omit<SeenNow, "verdict" | "network"> & {
  readonly verdict: "unverified";
  readonly network: null;
};

async function look(
  ref: CaseRef,
  plan: Plan | null,
  last: VerdictRecord | null,
  attempt: number,
  { store, kubernetes }: Ports,
): Promise<SeenNow | NotSeen> {
  const lastAgent = last?.agent ?? null;
  const patient = attempt < PATIENCE;
  if (!plan) return notSeen(`plan.json of run ${ref.runId} is gone`, lastAgent);
  const kept = async <T>(name: ArtefactName): Promise<T | null> =>
    (await store.read<T>(artefactKey(ref.runId, name)))?.document ?? null;
  const run = {
    plan,
    applied: await kept<AppliedPolicy>("policy.json"),
    completion: await kept<Completion>("completion.json"),
    preservationPlan: await kept<PreservationPlanArtefact>("preservation-plan.json"),
    preservation: await kept<Preservation>("preservation.json"),
  };
  const seen = await lookAgain(run, lastAgent, kubernetes).catch((error: unknown) => {
    if (error instanceof TransientError && !patient) return notSeen(error.message, lastAgent);
    if (error instanceof PermanentError) return notSeen(error.message, lastAgent);
    throw error;
  });
  const unresolved = seen.reasons.find(({ code }) => code === "policyNotResolved");
  if (unresolved && patient) {
    // A pod that has just started, or a policy that was just put back: the controller needs seconds.
    throw new TransientError("TargetNotSettled", `${unresolved.message} yet`);
  }
  return seen;
}

function notSeen(message: string, agent: string | null): NotSeen {
  const reasons = [{ code: "notVerified", message }] as const;
  return { verdict: "unverified", reasons, findings: [], network: null, agent };
}

import type { Brake } from "../brakes/brake.ts";
import type { Manifest } from "../evidence/manifest.ts";
import type { RunResult } from "../evidence/record-run.ts";
import type { AlertRecord, CaseRecord, FailureRecord } from "../evidence/schemas/case.ts";
import type { Drain } from "../evidence/schemas/drain.ts";
import type {
  Preservation,
  PreservationPlanArtefact,
  Snapshots,
  VolumesArtefact,
} from "../evidence/schemas/preservation.ts";
import type { Verification } from "../evidence/verify.ts";
import { planLines } from "../quarantine/describe-plan.ts";
import type { Plan } from "../quarantine/plan.ts";
import { describeTarget } from "../target/target.ts";
import { type AbsorbedCase, absorbedLine } from "./absorbed.ts";
import type { Report, Section } from "./report.ts";

/** One run of a case, as far as it got: what a state did not write is null. */
export interface ReportedRun {
  readonly runId: string;
  readonly alert: AlertRecord | null;
  /** Who the API server said we were. */
  readonly identity: string | null;
  readonly plan: Plan | null;
  readonly preservationPlan: PreservationPlanArtefact | null;
  readonly preservation: Preservation | null;
  readonly volumes: VolumesArtefact | null;
  readonly snapshots: Snapshots | null;
  readonly result: RunResult | null;
  /** Of a run that emptied nodes around the target. */
  readonly drain: Drain | null;
  readonly manifest: Manifest | null;
  readonly verification: Verification;
}

export interface ReportedCase {
  readonly record: CaseRecord;
  /** Further alerts about the target, which joined the case or one that it took up. */
  readonly joined: readonly AlertRecord[];
  /** Other cases that this one took up. */
  readonly absorbed: readonly AbsorbedCase[];
  /** Attempts of the case's execution that failed, timed out or were aborted. */
  readonly failures: readonly FailureRecord[];
  /** Oldest first. */
  readonly runs: readonly ReportedRun[];
}

/** The case for a person: when, what was seen, what was done, what holds, what is missing, by whom. */
export function caseReport(
  { record, joined, absorbed, failures, runs }: ReportedCase,
  about: { readonly stage: string; readonly exportedAt: string },
): Report {
  const { case: ref, target } = record;
  return {
    title: `Case ${ref.id}: ${describeTarget(target)}`,
    sections: [
      {
        title: "Summary",
        rows: [
          ["Target", `${describeTarget(target)} in cluster ${target.cluster}`],
          ["Stage", about.stage],
          ["Opened", record.openedAt],
          ["Alerts", String(1 + joined.length)],
          ...absorbed.map((each): Row => [`Took up case ${each.case.id}`, absorbedLine(each)]),
          ...runs.map((run): Row => [`Run ${run.runId}`, summaryOf(run)]),
          ["Exported", about.exportedAt],
        ],
      },
      {
        title: "Timeline",
        head: ["When (UTC)", "What", "By"],
        rows: [...timelineOf(joined, runs), ...failures.map(failureInTime)].toSorted(
          ([one = ""], [other = ""]) => (one < other ? -1 : one > other ? 1 : 0),
        ),
      },
      ...(failures.length > 0
        ? [
            {
              title: "What failed",
              rows: failures.flatMap((each) => rowsOfFailure(each, about.stage)),
            },
          ]
        : []),
      ...runs.flatMap(sectionsOf),
    ],
  };
}

type Row = readonly string[];

function failureInTime(failure: FailureRecord): Row {
  const { endedAt, recordedAt, execution } = failure;
  return [endedAt ?? recordedAt, endOfAttempt(failure), execution.arn];
}

function rowsOfFailure(failure: FailureRecord, stage: string): readonly Row[] {
  const { cause, redrivable, notRedrivable, standing, execution } = failure;
  return [
    [endOfAttempt(failure), cause ?? "it gave no cause"],
    ["Done by then", standing.done],
    ...(standing.open === null ? [] : [["Open then", standing.open]]),
    [
      "Redrive",
      redrivable
        ? `npx containment redrive ${execution.name} --stage ${stage}, unless that was done since`
        : `not possible: ${notRedrivable ?? "Step Functions does not say why"}`,
    ],
  ];
}

/** A redrive makes a further attempt of the same execution. */
function endOfAttempt({ attempt, status, error }: FailureRecord): string {
  return `attempt ${attempt + 1} ended ${status}${error === null ? "" : ` (${error})`}`;
}

function drainSection(runId: string, { brakes, pods, notDrained }: Drain): Section {
  return {
    title: `Who left the nodes (run ${runId})`,
    rows: [
      ...brakes.map(brakeRow),
      ...pods.map(
        ({ namespace, name, outcome, reason }): Row => [
          `${namespace}/${name}`,
          reason === null ? outcome : `${outcome}: ${reason}`,
        ],
      ),
      ...notDrained.map(({ node, reason }): Row => [node, `not drained: ${reason}`]),
    ],
  };
}

function sealerOf(drain: Drain | null): string {
  return drain ? "RecordDrain" : "RecordRun";
}

function brakeRow({ brake, why, withheld, lift }: Brake): Row {
  return [`Brake ${brake}`, `${why}; withheld: ${withheld}. To lift it: ${lift}`];
}

function summaryOf({ result, drain, verification }: ReportedRun): string {
  const custody = verification.verified ? "its evidence verifies" : "its evidence does NOT verify";
  if (drain) return `nodes ${drain.verdict}, asked for because: ${drain.reason}; ${custody}`;
  if (!result) return `not recorded: it runs, or it failed; ${custody}`;
  const { verdict, timeToContainMs } = result;
  const took = timeToContainMs === null ? "" : ` after ${timeToContainMs} ms`;
  return `${verdict}${took}; ${custody}`;
}

function timelineOf(joined: readonly AlertRecord[], runs: readonly ReportedRun[]): readonly Row[] {
  const seen = (record: AlertRecord, what: string): Row => {
    const { source, rule, severity, detectedAt } = record.alert;
    return [detectedAt, `${what}: ${rule} (${severity})`, source];
  };
  return [
    ...joined.map((record) => seen(record, "a further alert joined")),
    ...runs.flatMap(({ alert, drain, result, manifest }): Row[] => [
      ...(drain && manifest
        ? [[manifest.execution.startedAt, "a drain was asked for", manifest.execution.arn]]
        : []),
      ...(alert ? [seen(alert, "detected")] : []),
      ...(alert ? [[alert.execution.startedAt, "the run began", alert.execution.arn]] : []),
      ...(manifest?.artefacts ?? []).map(
        ({ capturedAt, storedAt, name, state }): Row => [
          capturedAt ?? storedAt,
          `${name} was written`,
          state ?? "not the product",
        ],
      ),
      ...(result?.quarantinedAt
        ? [[result.quarantinedAt, "the last write of the quarantine was answered", "API server"]]
        : []),
      ...(manifest ? [[manifest.sealedAt, "the run was sealed", sealerOf(drain)]] : []),
    ]),
  ];
}

function sectionsOf(run: ReportedRun): readonly Section[] {
  if (run.drain) return [drainSection(run.runId, run.drain), custodyOf(run)];
  const { runId, alert, identity, plan, preservationPlan, preservation, result, manifest } = run;
  const of = (title: string) => `${title} (run ${runId})`;
  return [
    {
      title: of("What was seen"),
      rows: alert
        ? [
            ["Rule", alert.alert.rule],
            ["Source", `${alert.alert.source}, ${alert.alert.id}`],
            ["Severity", alert.alert.severity],
            ["Named", describeTarget(alert.target)],
            ["Decision", `${alert.mode}: ${alert.reason}`],
          ]
        : [["Alert", "it was not written"]],
    },
    {
      title: of("What was done"),
      rows: [
        ...(plan ? planLines(plan) : ["no plan was kept"]).map((line): Row => ["Quarantine", line]),
        ...(preservationPlan?.steps ?? []).map(
          (step): Row => ["Preservation", `${step.protection}: ${step.why}`],
        ),
        ...(preservation?.results ?? []).map(
          ({ protection, of: what, outcome, reason }): Row => [
            "Outcome",
            `${protection} of ${what}: ${outcome}${reason === null ? "" : `, ${reason}`}`,
          ],
        ),
        ...copiesOf(run),
      ],
    },
    {
      title: of("Verdict"),
      rows: result
        ? [
            ["Verdict", result.verdict],
            ...result.brakes.map(brakeRow),
            ...result.reasons.map(({ code, message }): Row => [code, message]),
          ]
        : [["Verdict", "none was recorded"]],
    },
    {
      title: of("What is missing"),
      rows: orNothing([
        ...(result?.missing ?? []).map(
          ({ state, error, cause }): Row => [state, `${error}: ${cause}`],
        ),
        ...(result?.notPreserved ?? []).map(({ what, reason }): Row => [what, reason]),
        ...(manifest?.warnings ?? []).map(({ code, message }): Row => [code, message]),
      ]),
    },
    {
      title: of("Who did what"),
      rows: [
        ["Execution", alert?.execution.arn ?? manifest?.execution.arn ?? "not known"],
        ["In the cluster", identity ?? "not known"],
        ["Product", manifest?.productVersion ?? "not known"],
      ],
    },
    custodyOf(run),
  ];
}

/** What the run knew of copies when it ended: that one exists only the forensic account can say. */
function copiesOf({ volumes, snapshots }: ReportedRun): readonly Row[] {
  if (!volumes?.forensicCopy) return [];
  const { accountId, region, askedFor } = volumes.forensicCopy;
  return askedFor.map((id): Row => {
    const told = snapshots?.snapshots.find(({ snapshotId }) => snapshotId === id)?.forensicCopy;
    const asked = `asked account ${accountId} in ${region} for a copy of ${id}`;
    return ["Forensic copy", told ? `${asked}: ${told}` : asked];
  });
}

function custodyOf({ runId, drain, manifest, verification }: ReportedRun): Section {
  return {
    title: `Chain of custody (run ${runId})`,
    head: ["Artefact", "State", "SHA-256", "S3 version"],
    rows: [
      ...(manifest?.artefacts ?? []).map(
        ({ name, state, sha256, versionId }): Row => [name, state ?? "", sha256, versionId],
      ),
      ["manifest.json", sealerOf(drain), verification.manifestSha256 ?? "not sealed", ""],
      ...verification.problems.map((problem): Row => ["PROBLEM", problem, "", ""]),
    ],
  };
}

function orNothing(rows: readonly Row[]): readonly Row[] {
  return rows.length > 0 ? rows : [["Nothing", "every state took its evidence"]];
}

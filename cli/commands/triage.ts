import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { readText } from "../../core/alert/read-event.ts";
import { type ClusterIdentity, type Reading, unreadable } from "../../core/alert/reading.ts";
import { triage as decide, type Triage } from "../../core/alert/triage.ts";
import type { Brake } from "../../core/brakes/brake.ts";
import { printableJson, printableLine } from "../../core/report/printable.ts";
import { STAGE_NAMES, settingsFor } from "../../stages.ts";

interface Options {
  readonly stage?: string;
  readonly json?: boolean;
}

/** `containment triage`: the same decision as the workflow's first state, without a cloud. */
export async function triage(file: string, { stage, json }: Options): Promise<void> {
  const bytes = file === "-" ? await buffer(process.stdin) : await readFile(file);
  const answers = (stage === undefined ? STAGE_NAMES : [stage]).map((name) => answer(bytes, name));
  // An alert may name its cluster; without --stage the stage of that cluster answers.
  const chosen = answers.find(({ decision }) => decision === "act") ?? answers[0];
  if (json) console.log(printableJson(chosen));
  else if (chosen) console.log(describeAnswer(chosen));
}

/** What the product would do with one event in one stage. */
export interface Answer {
  readonly decision: "act" | "ignore";
  readonly reason: string;
  readonly mode: string | null;
  readonly severity: string | null;
  readonly alert: {
    readonly source: string;
    readonly id: string;
    readonly rule: string;
    readonly detectedAt: string;
  } | null;
  readonly target: {
    readonly cluster: string;
    readonly namespace: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string | null;
  } | null;
  readonly stage: string;
  /** What made an audit of a containment; what only shows in a run is not among it. */
  readonly brakes: readonly Brake[];
  /** True when a person has to read it: it is no alert that the product knows. */
  readonly deadLetter: boolean;
}

function answer(bytes: Uint8Array, stage: string): Answer {
  const text = decode(bytes);
  const reading = text === null ? unreadable("not UTF-8") : readText(text, clusterOf(stage));
  return answerTo(reading, stage);
}

/** The cluster of a stage; its account is not known offline. */
export function clusterOf(stage: string): ClusterIdentity {
  return { name: settingsFor(stage).cluster.name, arn: null };
}

/** The decision of the workflow's first state about what was read. */
export function answerTo(reading: Reading, stage: string): Answer {
  return toAnswer(decide(reading, settingsFor(stage).response, new Date()), stage);
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function toAnswer(decision: Triage, stage: string): Answer {
  const alert = decision.decision === "deadLetter" ? null : decision.alert;
  const acts = decision.decision === "act";
  return {
    decision: acts ? "act" : "ignore",
    reason: decision.reason,
    mode: acts ? decision.mode : null,
    severity: alert?.severity ?? null,
    alert: alert && {
      source: alert.source,
      id: alert.id,
      rule: alert.rule,
      detectedAt: alert.detectedAt,
    },
    target: acts
      ? {
          cluster: decision.target.cluster,
          namespace: decision.target.namespace,
          kind: decision.target.kind,
          name: decision.target.name,
          uid: decision.target.uid,
        }
      : null,
    stage,
    brakes: acts ? decision.brakes : [],
    deadLetter: decision.decision === "deadLetter",
  };
}

/** The answer for people; the texts of an alert stay on their lines. */
export function describeAnswer(answer: Answer): string {
  const { decision, reason, mode, severity, alert, target, stage, brakes, deadLetter } = answer;
  const lines = [
    decision === "act" ? `act (${mode})` : deadLetter ? "ignore (dead letter)" : "ignore",
    `  reason   ${printableLine(reason)}`,
    `  stage    ${stage}`,
  ];
  if (alert) {
    const rule = printableLine(alert.rule);
    lines.push(`  alert    ${alert.source}: ${rule} (${severity}), ${alert.detectedAt}`);
  }
  if (target) {
    const name = target.kind === "pod" ? `${target.namespace}/${target.name}` : target.name;
    lines.push(`  target   ${target.kind} ${name} in cluster ${target.cluster}`);
  }
  for (const { brake, lift } of brakes) {
    lines.push(`  brake    ${brake}: ${printableLine(lift)}`);
  }
  if (mode === "containment") {
    lines.push(
      "  brakes   none by the settings; a run asks kill switch, circuit breaker and labels too",
    );
  }
  return lines.join("\n");
}

/** Runs one cell of the matrix on a stage and says how it ended. */
import { randomUUID } from "node:crypto";
import type { ExecutionReport } from "../../adapters/aws/executions.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import { createShop, type NodeGroup } from "../../local/scene.ts";
import {
  beyond,
  gapsOf,
  policiesOf,
  type Subject,
  wrongWithContainment,
  wrongWithRefusal,
} from "./assess.ts";
import { RETRY_AFTER_SECONDS } from "./faults.ts";
import type { Seen } from "./laid-faults.ts";
import { alertAbout, freshNamespace, type Look, lookAt, type Place } from "./place.ts";
import { closeShop } from "./shops.ts";
import type { Cell } from "./table.ts";
import { asTest, type Undisturbed } from "./undisturbed.ts";

export interface Outcome {
  readonly id: string;
  readonly expected: string;
  readonly end: string;
  /** What is not as it must be; none: the cell is as the table says. */
  readonly wrong: readonly string[];
  /** Requests that the fault met. */
  readonly met: number;
  /** The run had no time for SnapshotBefore, to which nothing was done: too much ran beside it. */
  readonly crowded?: boolean;
  readonly seconds: number;
}

/** One cell in a shop of its own, on nodes of its own. */
export async function runCell(
  cell: Cell,
  place: Place,
  { undisturbed, nodeGroup }: { readonly undisturbed: Undisturbed; readonly nodeGroup: NodeGroup },
): Promise<Outcome> {
  const startedAt = performance.now();
  const look = lookAt(place);
  const shop = await createShop(place, freshNamespace(), nodeGroup);
  const [victim] = shop.checkout.pods;
  if (!victim) throw new Error("the shop has no checkout pod");
  const subject = { shop, victim, policiesBefore: await policiesOf(shop.namespace, look) };

  const body = await alertAbout(shop.namespace, victim);
  const { event } = undisturbed;
  const sent = cell.state === "RecordIgnored" ? asTest(body) : body;
  const name = `${cell.id.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${randomUUID().slice(0, 8)}`;
  const fault = await place.faults.lay({
    ...cell.fault(undisturbed.seen(cell.state)),
    execution: cell.alone ? null : name.slice(-80),
    state: cell.state,
  });
  if (cell.alone) await place.faults.endProcessesOf(`local-eks-containment-${cell.state}`);
  const input = { ...event, detail: { ...event.detail, body: sent } };
  const arn = await look.start(name.slice(-80), input);

  const first = await look.end(arn);
  const healedAt = Date.now();
  const met = await fault.heal();
  const last = first.status === "SUCCEEDED" ? first : await redriven(arn, look);
  // A redrive is a person's, who need not wait.
  const seen = (await place.faults.seen(name.slice(-80))).filter(({ at }) => at < healedAt);
  const { end, wrong } = await assess({ first, last, subject, undisturbed, look });
  await closeShop(shop, place);
  return {
    id: cell.id,
    expected: cell.end,
    end,
    wrong: [
      ...(isRight(end, cell) ? [] : [`ended ${end}, not ${cell.end}`]),
      ...(met === 0 ? ["the fault met no request"] : []),
      ...(cell.column === "kubernetes-429" ? impatience(seen) : []),
      ...wrong,
    ],
    met,
    crowded: cell.state !== "SnapshotBefore" && end.includes("SnapshotBefore"),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
}

function isRight(end: string, { state, end: usual, mayMiss }: Cell): boolean {
  return end === usual || (mayMiss !== null && end === `contained, ${state} missing`);
}

async function redriven(arn: string, look: Look): Promise<ExecutionReport> {
  await look.runs.redrive(arn);
  return look.end(arn);
}

interface Ended {
  readonly first: ExecutionReport;
  readonly last: ExecutionReport;
  readonly subject: Subject;
  readonly undisturbed: Undisturbed;
  readonly look: Look;
}

async function assess({
  first,
  last,
  subject,
  undisturbed,
  look,
}: Ended): Promise<{ readonly end: string; readonly wrong: readonly string[] }> {
  const failed = first.status !== "SUCCEEDED";
  const why = `${first.error}: ${first.cause}`.slice(0, 300);
  if (last.status !== "SUCCEEDED") {
    const again = `${last.error}: ${last.cause}`.slice(0, 300);
    return { end: last.status, wrong: [`failed with ${why}`, `redriven, with ${again}`] };
  }
  const by = (end: string) => (failed ? `failed, then ${end} by redrive` : end);
  const output = last.output as RunResult | { readonly outcome: "ignored" };
  if (!("verdict" in output)) {
    const policies = await policiesOf(subject.shop.namespace, look);
    const changed = policies.join() !== subject.policiesBefore.join();
    return { end: by("refused"), wrong: changed ? ["an ignored alert changed policies"] : [] };
  }
  if (output.verdict === "ignored") {
    return { end: by("refused"), wrong: await wrongWithRefusal(subject, output, look) };
  }
  const wrong = await wrongWithContainment(subject, output, look);
  const lacking = beyond(await gapsOf(output, look), undisturbed.gaps);
  const unverified = output.verdict === "unverified" && lacking.includes("SnapshotAfter");
  if (output.verdict !== "contained" && !unverified) {
    const reasons = output.reasons.map(({ code, message }) => `${code}: ${message}`);
    return { end: by(output.verdict), wrong: [...wrong, ...reasons] };
  }
  const list = lacking.length === 0 ? "" : `, ${lacking.join(" and ")} missing`;
  return { end: failed ? by(`contained${list}`) : `contained${list}`, wrong };
}

/** Timers are a little early, and clocks are read in whole milliseconds. */
const TIMERS_MS = 20;

/** The API server said how long it wants to be left alone. */
function impatience(seen: readonly Seen[]): readonly string[] {
  const met = seen.filter(({ service, met }) => service === "kubernetes" && met);
  return met
    .flatMap(({ at, state }) => {
      const next = seen.find(
        (each) => each.state === state && each.service === "kubernetes" && each.at > at + 500,
      );
      // The requests of one moment were on their way already when it answered.
      if (!next || next.at - at >= RETRY_AFTER_SECONDS * 1_000 - TIMERS_MS) return [];
      return [`asked again after ${next.at - at} ms, not ${RETRY_AFTER_SECONDS} s`];
    })
    .slice(0, 1);
}

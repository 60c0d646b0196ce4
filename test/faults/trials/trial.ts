/** What a cell runs: one execution of a playbook on a target of its own, and what must come of it. */
import { randomUUID } from "node:crypto";
import type { ExecutionReport } from "../../../adapters/aws/executions.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import { createShop, type NodeGroup, type ScenePod, type Shop } from "../../../local/scene.ts";
import { policiesOf, type Subject } from "../assess.ts";
import { alertAbout, freshNamespace, type Look, type Place } from "../place.ts";

/** An event as the bus hands it to the contain playbook. */
export interface AlertEvent {
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An execution that is about to start, and how it is judged. */
export interface Trial {
  readonly shop: Shop;
  readonly input: unknown;
  /** Of an execution that succeeded, by itself or once it was redriven. */
  readonly judge: (ended: ExecutionReport) => Promise<Judged>;
}

/** How it ended, in the words of table.ts, and what is not as it must be. */
export interface Judged {
  readonly end: string;
  readonly wrong: readonly string[];
}

/** Where a trial is made. */
export interface Stand {
  readonly place: Place;
  readonly look: Look;
  readonly nodeGroup: NodeGroup;
  /** One that was handed over once, to start others with. */
  readonly event: AlertEvent;
}

/**
 * What a trial's execution came to.
 *
 * @param last the same as the first where that did not fail, else what its redrive came to
 */
export async function judged(
  trial: Trial,
  first: ExecutionReport,
  last: ExecutionReport,
): Promise<Judged> {
  if (last.status !== "SUCCEEDED") {
    const wrong = [`failed with ${whyOf(first)}`, `redriven, with ${whyOf(last)}`];
    return { end: last.status, wrong };
  }
  const { end, wrong } = await trial.judge(last);
  return { end: first.status === "SUCCEEDED" ? end : `failed, then ${end} by redrive`, wrong };
}

function whyOf({ error, cause }: ExecutionReport): string {
  return `${error}: ${cause}`.slice(0, 300);
}

/** A shop, one of its pods, and the namespace's policies before anything was done. */
export async function openSubject(
  { place, look, nodeGroup }: Pick<Stand, "place" | "look" | "nodeGroup">,
  choose: (shop: Shop) => ScenePod | undefined = ({ checkout }) => checkout.pods[0],
): Promise<Subject> {
  const shop = await createShop(place, freshNamespace(), nodeGroup);
  const victim = choose(shop);
  if (!victim) throw new Error(`${shop.namespace} has no such pod`);
  return { shop, victim, policiesBefore: await policiesOf(shop.namespace, look) };
}

/** The same event about another alert. */
export function eventOf(event: AlertEvent, body: string): AlertEvent {
  return { ...event, detail: { ...event.detail, body } };
}

/** The subject's pod contained, undisturbed. */
export async function contain(
  { shop, victim }: Subject,
  { look, event }: Stand,
): Promise<{ readonly result: RunResult; readonly report: ExecutionReport }> {
  const input = eventOf(event, await alertAbout(shop.namespace, victim));
  const report = await look.end(await look.start("contain", randomUUID(), input));
  const result = report.output as RunResult | null;
  if (result?.verdict !== "contained") {
    throw new Error(`nothing to begin with: ${report.status} ${JSON.stringify(report.output)}`);
  }
  return { result, report };
}

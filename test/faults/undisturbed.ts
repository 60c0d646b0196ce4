/** What a run without a fault looks like on a stage: what each cell is compared with. */
import { randomUUID } from "node:crypto";
import type { RunResult } from "../../core/evidence/record-run.ts";
import type { StateName } from "../../functions/contract.ts";
import { executionOf } from "../../local/follow.ts";
import { createShop, type NodeGroup } from "../../local/scene.ts";
import { type Gaps, gapsOf } from "./assess.ts";
import type { Seen } from "./laid-faults.ts";
import { alertAbout, freshNamespace, type Look, lookAt, type Place } from "./place.ts";
import { closeShop } from "./shops.ts";

export interface Undisturbed {
  /** An event as the bus handed it to the playbook. */
  readonly event: { readonly detail: Readonly<Record<string, unknown>> };
  /** What each state asked for. */
  readonly seen: (state: StateName) => readonly Seen[];
  readonly gaps: Gaps;
}

/** Has one alert contained and one ignored, both through the queue, and remembers how. */
export async function runUndisturbed(place: Place, nodeGroup: NodeGroup): Promise<Undisturbed> {
  const look = lookAt(place);
  const shop = await createShop(place, freshNamespace(), nodeGroup);
  const [victim] = shop.checkout.pods;
  if (!victim) throw new Error("the shop has no checkout pod");
  const body = await alertAbout(shop.namespace, victim);
  const [contained, ignored] = await Promise.all([
    throughQueue(body, look),
    throughQueue(asTest(body), look),
  ]);
  const result = contained.output as RunResult;
  // With evidence missing, as on a machine that is too busy for it, no cell could be compared.
  if (result?.verdict !== "contained" || result.missing.length > 0) {
    throw new Error(`without a fault the run ended as ${JSON.stringify(contained)}`);
  }
  const gaps = await gapsOf(result, look);
  const seen = [
    ...(await place.faults.seen(nameOf(contained.arn))),
    ...(await place.faults.seen(nameOf(ignored.arn))),
  ];
  await closeShop(shop, place);
  return {
    event: contained.input as Undisturbed["event"],
    seen: (state) => seen.filter((each) => each.state === state),
    gaps,
  };
}

async function throughQueue(body: string, look: Look) {
  await look.sendToQueue(body);
  const [, id = randomUUID()] = /"uuid":"([^"]*)"/.exec(body) ?? [];
  return look.end(await executionOf(id, look.runs));
}

/** The same as a test message of Falco, which must never act. */
export function asTest(body: string): string {
  return body
    .replace(/"rule":"[^"]*"/, '"rule":"Test rule"')
    .replace(/"uuid":"[^"]*"/, `"uuid":"${randomUUID()}"`);
}

function nameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}

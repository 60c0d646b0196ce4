/** What a run without a fault looks like on a stage: what each cell is compared with. */
import { randomUUID } from "node:crypto";
import type { RunResult } from "../../core/evidence/record-run.ts";
import type { StateName } from "../../functions/contract.ts";
import { executionOf } from "../../local/follow.ts";
import type { NodeGroup } from "../../local/scene.ts";
import { type Gaps, gapsOf } from "./assess.ts";
import type { Seen } from "./laid-faults.ts";
import { alertAbout, type Look, lookAt, type Place } from "./place.ts";
import { type Playbook, playbookOf, STATES_THAT_ASK } from "./playbook.ts";
import { closeShop } from "./shops.ts";
import { doneBy } from "./table.ts";
import { asTest } from "./trials/contain.ts";
import { trialOf } from "./trials/index.ts";
import { type AlertEvent, judged, openSubject } from "./trials/trial.ts";

export interface Undisturbed {
  /** An event as the bus handed it to the contain playbook. */
  readonly event: AlertEvent;
  /** What each state asked for. */
  readonly seen: (state: StateName) => readonly Seen[];
  readonly gaps: Gaps;
}

/** Runs the playbooks of these states once each, and remembers how. */
export async function runUndisturbed(
  place: Place,
  nodeGroup: NodeGroup,
  states: readonly StateName[],
): Promise<Undisturbed> {
  const contained = await runContain(place, nodeGroup);
  const seen = [...contained.seen];
  const playbooks = new Set(states.map(playbookOf));
  playbooks.delete("contain");
  for (const playbook of playbooks)
    seen.push(...(await runOther(playbook, contained, place, nodeGroup)));
  return { ...contained, seen: (state) => seen.filter((each) => each.state === state) };
}

type Contained = Omit<Undisturbed, "seen"> & { readonly seen: readonly Seen[] };

/** Has one alert contained and one ignored, both through the queue. */
async function runContain(place: Place, nodeGroup: NodeGroup): Promise<Contained> {
  const look = lookAt(place);
  const { shop, victim } = await openSubject({ place, look, nodeGroup });
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
  return { event: contained.input as AlertEvent, seen, gaps };
}

async function runOther(
  playbook: Playbook,
  { event, gaps }: Contained,
  place: Place,
  nodeGroup: NodeGroup,
): Promise<readonly Seen[]> {
  const look = lookAt(place);
  // On the way to the last state lie all others.
  const state = STATES_THAT_ASK.findLast((each) => playbookOf(each) === playbook);
  if (state === undefined) throw new Error(`${playbook} asks nothing of anybody`);
  const trial = await trialOf(state, { place, look, nodeGroup, event }, { gaps });
  const name = randomUUID();
  const first = await look.end(await look.start(playbook, name, trial.input));
  const { end, wrong } = await judged(trial, first, first);
  if (wrong.length > 0 || end !== doneBy(state)) {
    throw new Error(`without a fault ${playbook} ended ${end}: ${wrong.join("; ")}`);
  }
  await closeShop(trial.shop, place);
  return place.faults.seen(name);
}

async function throughQueue(body: string, look: Look) {
  await look.sendToQueue(body);
  const [, id = randomUUID()] = /"uuid":"([^"]*)"/.exec(body) ?? [];
  return look.end(await executionOf(id, look.runs));
}

function nameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}

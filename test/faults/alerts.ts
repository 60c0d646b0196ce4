/** Faults of the alerts themselves: twice, late, out of order. Sent through the queue, as all are. */
import { randomUUID } from "node:crypto";
import type { RunResult } from "../../core/evidence/record-run.ts";
import { executionOf } from "../../local/follow.ts";
import type { NodeGroup, ScenePod } from "../../local/scene.ts";
import { waitFor } from "../../local/wait.ts";
import { wrongWithContainment, wrongWithRefusal } from "./assess.ts";
import type { Outcome } from "./cell.ts";
import { alertAbout, type Look, lookAt, type Place } from "./place.ts";
import { closeShop } from "./shops.ts";
import { openSubject } from "./trials/trial.ts";

const HOUR_MS = 3_600_000;
const REPLACED_WITHIN_MS = 60_000;

interface AlertCell {
  readonly id: string;
  readonly end: "contained" | "refused";
  readonly because: string | null;
  /** Returns the alerts to send, in order. */
  readonly alerts: (namespace: string, victim: ScenePod, look: Look) => Promise<readonly string[]>;
}

export const ALERT_CELLS: readonly AlertCell[] = [
  {
    ...{ id: "Alert/duplicate/briefly", end: "contained", because: null },
    async alerts(namespace, victim) {
      const body = await alertAbout(namespace, victim);
      return [body, body, body];
    },
  },
  {
    ...{ id: "Alert/late/briefly", end: "contained", because: null },
    alerts: async (namespace, victim) => [await alertAbout(namespace, victim, { ageMs: HOUR_MS })],
  },
  {
    id: "Alert/late/lasting",
    end: "refused",
    because: "the container that it is about is gone: what bears the name now is somebody else",
    alerts: async (namespace, victim) => [
      await alertAbout(namespace, victim, {
        ageMs: HOUR_MS,
        change: { containerId: `containerd://${"0".repeat(64)}` },
      }),
    ],
  },
  {
    ...{ id: "Alert/reordered/briefly", end: "contained", because: null },
    async alerts(namespace, victim) {
      const newer = await alertAbout(namespace, victim);
      const older = await alertAbout(namespace, victim, { ageMs: 60_000 });
      return [newer, older];
    },
  },
];

/** Exactly one of the alerts acts, and the others join its case or find nothing to do. */
export async function runAlertCell(
  { id, end: expected, alerts }: AlertCell,
  place: Place,
  nodeGroup: NodeGroup,
): Promise<Outcome> {
  const startedAt = performance.now();
  const look = lookAt(place);
  const subject = await openSubject({ place, look, nodeGroup });
  const { shop, victim } = subject;
  const bodies = await alerts(shop.namespace, victim, look);
  for (const body of bodies) await look.sendToQueue(body);

  const ends = await endsOf(bodies, look);
  const results = ends.map(({ output }) => output as RunResult | { readonly outcome: string });
  const acted = results.filter((each): each is RunResult => "verdict" in each);
  const [only] = acted;
  const wrong = acted.length === 1 ? [] : [`${acted.length} runs acted`];
  const refused = only?.verdict === "ignored";
  if (only) {
    const assess = refused ? wrongWithRefusal : wrongWithContainment;
    wrong.push(...(await assess(subject, only, look)));
  }
  const end = refused ? "refused" : (only?.verdict ?? "no end");
  if (end !== expected) wrong.push(`ended ${end}, not ${expected}`);
  await closeShop(shop, place);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  return { id, expected, end, wrong, met: bodies.length, seconds };
}

/** The ends of all executions that these messages started: as many as messages. */
async function endsOf(bodies: readonly string[], look: Look) {
  const ids = bodies.map((body) => /"uuid":"([^"]*)"/.exec(body)?.[1] ?? randomUUID());
  await executionOf(ids.at(-1) ?? "", look.runs);
  const what = { what: `${bodies.length} executions`, limitMs: REPLACED_WITHIN_MS };
  const arns = await waitFor(what, async () => {
    const newest = (await look.runs.list()).slice(0, 40);
    const reports = await Promise.all(newest.map((arn) => look.runs.describe(arn)));
    const ours = reports.filter(({ input }) =>
      ids.some((id) => JSON.stringify(input).includes(id)),
    );
    return ours.length === bodies.length ? ours.map(({ arn }) => arn) : undefined;
  });
  return Promise.all(arns.map((arn) => look.end(arn)));
}

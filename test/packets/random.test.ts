/**
 * In random scenes, every flow between two pods gets through exactly when the evaluator says so, and
 * to and from a pod that the product quarantines nothing does but what its verdict says.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Lab, type LabPod, startLab } from "../../local/packet-lab/lab.ts";
import { asStates, quarantine } from "../quarantine-run.ts";
import {
  type Attempt,
  attempts,
  disagreements,
  type Seen,
  send,
  unsaid,
  worldOf,
} from "./attempts.ts";
import { addGuests } from "./guests.ts";
import {
  NAMESPACES,
  PODS,
  PORTS,
  type RandomScene,
  randomQuarantine,
  randomScene,
} from "./random-scene.ts";
import { codesFor } from "./shop.ts";

const SEED = 20_261_122;
const SCENES = 50;
const QUARANTINES = 15;
const TIME_LIMIT_MS = 10 * 60_000;

const seed = Number(process.env.PACKETS_SEED ?? SEED);

let lab: Lab;
const pods: LabPod[] = [];

beforeAll(async () => {
  lab = await startLab();
  await Promise.all(NAMESPACES.map((name) => lab.addNamespace(name)));
  // One after the other, so that a seed means the same addresses again.
  for (const { namespace, name, address, declares } of PODS) {
    const added = await lab.addPod({ namespace, name, declares, listens: PORTS });
    expect(added.address).toBe(address);
    pods.push(added);
  }
  console.log(`Seed ${seed}. Replay with PACKETS_SEED=${seed} npm run packets`);
});
afterAll(() => lab?.stop());

test("packets and evaluator agree on every flow of every scene", {
  timeout: TIME_LIMIT_MS,
}, async () => {
  let scenes = 0;
  const flows = { passed: 0, blocked: 0 };
  const agree = fc.asyncProperty(randomScene, async (scene) => {
    scenes++;
    await set(scene);
    const { tried } = await look(attempts(pods, pods, PORTS));
    for (const { passes } of tried) flows[passes ? "passed" : "blocked"]++;
  });
  await fc.assert(agree, { seed, numRuns: SCENES, interruptAfterTimeLimit: TIME_LIMIT_MS / 2 });
  console.log(`${scenes} scenes: ${flows.passed} flows passed, ${flows.blocked} were blocked`);
  expect(scenes).toBe(SCENES);
});

test("amid random policies a quarantined pod is as open as its verdict says", {
  timeout: TIME_LIMIT_MS,
}, async () => {
  const product = asStates(lab.responder);
  const guests = await addGuests(lab, NAMESPACES, { ports: PORTS, look });
  let scenes = 0;
  let closed = 0;
  const policies = { passes: 0, keptAway: 0, itself: 0, never: 0 };
  const asSaid = fc.asyncProperty(randomQuarantine, async ({ scene, target: index }) => {
    scenes++;
    const target = podAt(index);
    await Promise.all([set(scene), guests.reset()]);

    const { namespace, name } = target;
    const { codes, allowing } = await quarantine(product, { namespace, pod: name });

    const seen = await look([
      ...attempts(pods, pods, PORTS),
      ...attempts([target], guests.all, PORTS),
      ...attempts(guests.all, [target], PORTS),
    ]);
    expect(codes).toEqual(codesFor(allowing));
    expect(unsaid(seen, target, allowing)).toEqual([]);
    expect(await lab.passes("node", target, "TCP", PORTS[0])).toBe(true);
    for (const policy of allowing) {
      const shown = await guests.show(policy, target, seen);
      expect({ policy, shown }).not.toEqual({ policy, shown: "never" });
      policies[shown]++;
    }
    if (allowing.length === 0) closed++;
  });
  await fc.assert(asSaid, {
    ...{ seed, numRuns: QUARANTINES, interruptAfterTimeLimit: TIME_LIMIT_MS / 2 },
  });
  console.log(
    `${scenes} quarantines: ${closed} closed; of the policies that a verdict named, something passed ` +
      `by ${policies.passes}, ${policies.keptAway} found only peers that others keep away, and ` +
      `${policies.itself} only the pod itself`,
  );
  expect(scenes).toBe(QUARANTINES);
  expect(closed).toBeGreaterThan(0);
  expect(policies.passes).toBeGreaterThan(0);
});

function podAt(index: number): LabPod {
  const pod = pods[index];
  if (!pod) throw new Error(`There is no pod ${index}`);
  return pod;
}

async function set({ policies, namespaceLabels, podLabels }: RandomScene): Promise<void> {
  await Promise.all([
    ...pods.map((pod, index) => lab.relabelPod(pod, podLabels[index] ?? {})),
    ...NAMESPACES.map((name, index) => lab.relabelNamespace(name, namespaceLabels[index] ?? {})),
    ...NAMESPACES.map((name) =>
      lab.replacePolicies(
        name,
        policies.filter(({ metadata }) => metadata.namespace === name),
      ),
    ),
  ]);
}

/** Sends new flows once everything is enforced, and holds the evaluator to what came of them. */
async function look(all: readonly Attempt[]): Promise<Seen> {
  await lab.settled();
  await lab.forgetFlows();
  const tried = await send(lab, all);
  const seen = { world: worldOf(await lab.objects()), tried };
  expect(disagreements(seen)).toEqual([]);
  return seen;
}

/** Many alerts at once about one pod, and a namespace's case around those of its pods. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { ExecutionReport, StateVisit } from "../../adapters/aws/executions.ts";
import {
  absorbedKey,
  artefactKey,
  joinedAlertsPrefix,
  openCasesPrefix,
} from "../../core/evidence/keys.ts";
import type { Absorbed, AlertRecord, OpenMarker } from "../../core/evidence/schemas/case.ts";
import { CASE_LABEL } from "../../core/quarantine/labels.ts";
import { terminalShellAlert } from "../../local/falco.ts";
import type { ScenePod } from "../../local/scene.ts";
import { waitFor } from "../../local/wait.ts";
import {
  containment,
  core,
  endOf,
  executions,
  openShop,
  policyNames,
  raiseAlert,
  request,
  resultOf,
  stateNames,
  store,
  verify,
  victimOf,
} from "./harness.ts";

/** As many as leave room for the tests beside this one; `npm run storm` starts two hundred. */
const STARTS = Number(process.env.CONTAINMENT_STARTS ?? "8");
const SIDECAR = `containerd://${"5".repeat(64)}`;

/** Triage, Triaged, CheckKillSwitch, OpenCase, Opened, JoinedCase. */
const SHORT = 6;

function lengthOf(visits: readonly StateVisit[]): number {
  const [first, last] = [visits[0], visits.at(-1)];
  return (last?.exitedAt?.getTime() ?? 0) - (first?.enteredAt.getTime() ?? 0);
}

interface Outcome {
  readonly outcome: string;
  readonly case: { readonly id: string; readonly runId: string };
}

const outcomeOf = ({ output }: ExecutionReport) => output as Outcome;

/** Gives the pod a second container, as one that its mesh injected. */
async function addSidecar(namespace: string, { name }: ScenePod): Promise<void> {
  const now = new Date().toISOString();
  const sidecar = { name: "sidecar", image: "mesh:1", imageID: "mesh:1", containerID: SIDECAR };
  const status = {
    ...sidecar,
    ready: true,
    restartCount: 0,
    state: { running: { startedAt: now } },
  };
  const body = [{ op: "add", path: "/status/ephemeralContainerStatuses", value: [status] }];
  await core.patchNamespacedPodStatus({ namespace, name, body });
}

/** Starts the playbook as the rule does, with a Falco alert about a container of the pod. */
async function start(namespace: string, pod: ScenePod, containerId: string): Promise<string> {
  const name = randomUUID();
  const target = { ...pod, namespace, pod: pod.name, containerId };
  const body = await terminalShellAlert(target, undefined, name);
  const event = {
    ...{ id: name, source: "falco", "detail-type": "Falco Alert" },
    ...{ time: new Date().toISOString(), detail: { messageId: name, body } },
  };
  await executions.startOnce(name, JSON.stringify(event));
  return name;
}

/** Many at once take longer than one execution that is followed. */
function ended(arn: string): Promise<ExecutionReport> {
  return waitFor({ what: `the end of ${arn}`, limitMs: 540_000 }, async () => {
    const report = await executions.describe(arn);
    return report.status === "RUNNING" ? undefined : report;
  });
}

async function whereItBroke({ arn, status, error, cause }: ExecutionReport): Promise<string> {
  return `${status} after ${(await stateNames(arn)).join(", ")}: ${error}: ${cause}`;
}

async function keysUnder(prefix: string): Promise<readonly string[]> {
  return (await store.list(prefix, 1_000)).map(({ key }) => key);
}

test(`of ${STARTS} alerts at once about the containers of one pod one acts, and all are kept`, async () => {
  const shop = await openShop("storm");
  const { namespace } = shop;
  const victim = victimOf(shop);
  await addSidecar(namespace, victim);
  const begun = performance.now();

  const names = await Promise.all(
    Array.from({ length: STARTS }, (_, index) =>
      start(namespace, victim, index % 2 === 0 ? victim.containerId : SIDECAR),
    ),
  );
  const ends: ExecutionReport[] = [];
  for (const arn of await executions.list()) {
    const name = arn.split(":").at(-1) ?? "";
    if (names.includes(name)) ends.push(await ended(arn));
  }
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);

  expect(ends).toHaveLength(STARTS);
  const broken = ends.filter(({ status }) => status !== "SUCCEEDED");
  expect(await Promise.all(broken.map(whereItBroke)), "ended otherwise").toEqual([]);
  const [acting, ...others] = ends.filter((end) => outcomeOf(end).outcome !== "joined");
  expect(others).toEqual([]);
  if (!acting) throw new Error("no execution acted");
  const result = resultOf(acting);
  expect(result.verdict).toBe("contained");
  const joined = ends.filter((end) => end !== acting);

  // Every alert lies with a run or a case, once more those that joined a case that another took up.
  const { id, runId } = result.case;
  const absorbed = await keysUnder(absorbedKey(id, "").replace(/\.json$/, ""));
  const cases = [id, ...absorbed.map((key) => /([^/]+)\.json$/.exec(key)?.[1] ?? "")];
  const alerts = (
    await Promise.all(cases.map((each) => keysUnder(joinedAlertsPrefix(each))))
  ).flat();
  const kept = new Set(alerts.map((key) => /([^/]+)\.json$/.exec(key)?.[1]));
  expect(names.filter((name) => !kept.has(name))).toEqual([result.execution.name]);
  const own = await store.read<AlertRecord>(artefactKey(runId, "alert.json"));
  expect(own?.document.execution.name).toBe(result.execution.name);

  expect((await policyNames(namespace)).filter((name) => name.startsWith("quarantine-"))).toEqual([
    `quarantine-${id}`,
  ]);
  expect(await verify(runId)).toMatchObject({ verified: true, problems: [] });
  for (const key of await keysUnder(openCasesPrefix(result.target, "pod"))) {
    expect((await store.read<OpenMarker>(key))?.document.case.id, key).toBe(id);
  }
  const visits = await Promise.all(joined.map(({ arn }) => executions.visits(arn)));
  const short = visits.filter((states) => states.length === SHORT);
  const took = short.map((states) => lengthOf(states)).toSorted((one, other) => one - other);
  expect(short.length).toBeGreaterThanOrEqual(joined.length - absorbed.length);
  const late = visits.filter((states) => states.length !== SHORT);
  console.log(
    `${STARTS} executions ended after ${seconds} s: 1 acted, ${short.length} joined in ${SHORT} states ` +
      `(${took[Math.floor(took.length / 2)]} ms median, ${took.at(-1)} ms worst), ` +
      `${late.length} when they had proven the pod (${late[0]?.length ?? 0} states)`,
  );
}, 600_000);

test("a namespace's case takes up those of pods in it, and further alerts about its pods", async () => {
  const shop = await openShop("around");
  const { namespace } = shop;
  const victim = victimOf(shop);
  const pod = resultOf(await endOf((await raiseAlert(namespace, victim)).id));
  const ordered = await request(
    { namespace, mode: "containment" },
    "NamespaceContainmentRequested",
  );
  const around = resultOf(await endOf(ordered));
  const neighbour = shop.frontend.pods[0] ?? victim;
  const later = [
    await endOf((await raiseAlert(namespace, neighbour)).id),
    await endOf((await raiseAlert(namespace, victim)).id),
  ];
  const alone = await Promise.all(
    later.map(async ({ arn }) => lengthOf(await executions.visits(arn))),
  );
  console.log(`alone, an alert joins within ${alone.join(" and ")} ms`);

  // The pod's own policy stood before: no first one of its tier comes, that would cut what is established.
  expect(around.reasons.map(({ code }) => code)).toEqual(["establishedFlowsMaySurvive"]);
  const record = await store.read<Absorbed>(absorbedKey(around.case.id, pod.case.id));
  expect(record?.document).toMatchObject({ case: pod.case, why: "inNamespace" });
  expect(later.map(outcomeOf)).toMatchObject([
    { outcome: "joined", case: around.case },
    { outcome: "joined", case: around.case },
  ]);
  const { out } = await containment("run", around.case.runId);
  expect(out).toContain("further alerts that joined the case: 2");
  expect(out).toContain(`took up case ${pod.case.id}, pod ${namespace}/${victim.name}: a pod of`);
  // The pod's own quarantine is as it was: each case undoes its own writes, in either order.
  const { metadata } = await core.readNamespacedPod({ namespace, name: victim.name });
  expect(metadata?.labels?.[CASE_LABEL]).toBe(pod.case.id);
  expect(await policyNames(namespace)).toEqual(
    expect.arrayContaining([`quarantine-${pod.case.id}`, "quarantine-deny-all"]),
  );
});

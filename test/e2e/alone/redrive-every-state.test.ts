/**
 * Every state of every workflow that does something, broken for good, mended and redriven. The tests
 * are made from the definitions: a state that lies on no way below fails the first one.
 *
 * It changes the stage itself: while states are broken no execution can get past them.
 */
import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { AppsV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executions as executionsOf } from "../../../adapters/aws/executions.ts";
import { caseOf } from "../../../core/case/case.ts";
import { artefactKey } from "../../../core/evidence/keys.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import { resumptionOf } from "../../../core/report/resumption.ts";
import { terminalShellAlert } from "../../../local/falco.ts";
import { executionOf, followExecution } from "../../../local/follow.ts";
import type { Shop } from "../../../local/scene.ts";
import { waitFor } from "../../../local/wait.ts";
import { workflows } from "../../../workflows/definition.ts";
import { machineOf } from "../../state-machines.ts";
import { breakOnly } from "../broken-states.ts";
import {
  artefactsOf,
  aws,
  core,
  deployment,
  endOf,
  executions,
  kubeconfig,
  markerOf,
  networking,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  sendBody,
  store,
  verify,
  victimOf,
} from "../harness.ts";

const sfn = new SFNClient(aws);
const apps = kubeconfig.makeApiClient(AppsV1Api);
const all = new Map(workflows().map((workflow) => [workflow.name, workflow]));

/** One way through a workflow. */
interface Way {
  readonly workflow: string;
  readonly about: string;
  /** The states on it that stop the execution where they fail, in the order of the definition. */
  readonly stop: readonly string[];
  /** States that are broken all the while, because only then it goes this way. */
  readonly around?: readonly string[];
  /** Starts an execution that goes this way. Returns its ARN. */
  start(): Promise<string>;
}

let shop: Shop;
let contained: RunResult;
let failure: Awaited<ReturnType<typeof executions.describe>>;

const OTHERWISE = ["RecordIgnored", "SendToDeadLetter"];
const WAYS: readonly Way[] = [
  {
    ...{ workflow: "contain", about: "an alert that is acted on" },
    stop: uncaught("contain").filter((state) => !OTHERWISE.includes(state)),
    async start() {
      shop = await openShop("every-state");
      const { id } = await raiseAlert(shop.namespace, victimOf(shop));
      return executionOf(id, executions);
    },
  },
  {
    ...{ workflow: "contain", about: "an alert that is refused", stop: ["RecordIgnored"] },
    async start() {
      const uuid = crypto.randomUUID();
      const target = { ...victimOf(shop), namespace: "x", pod: "x" };
      const body = await terminalShellAlert(target, undefined, uuid);
      await sendBody(body.replace(/"container.id":"[^"]*"/, '"container.id":"host"'));
      return executionOf(uuid, executions);
    },
  },
  {
    ...{ workflow: "contain", about: "a body that nobody can read", stop: ["SendToDeadLetter"] },
    async start() {
      const marker = `unreadable ${crypto.randomUUID()}`;
      await sendBody(marker);
      return executionOf(marker, executions);
    },
  },
  {
    ...{ workflow: "record-failure", about: "a failure", stop: ["TellFailure"] },
    start: () => startOf("record-failure", statusChangeOf(failure)),
  },
  {
    ...{ workflow: "record-failure", about: "a failure that cannot be recorded" },
    ...{ stop: ["TellPlainly"], around: ["RecordFailure"] },
    start: () => startOf("record-failure", statusChangeOf(failure)),
  },
  {
    ...{ workflow: "reverify", about: "a containment that somebody undid" },
    stop: uncaught("reverify"),
    async start() {
      const { namespace } = shop;
      for (const name of await policyNames(namespace)) {
        await networking.deleteNamespacedNetworkPolicy({ namespace, name });
      }
      const markers = [await markerOf(contained.target)];
      return startOf("reverify", { request: { markers, mend: false } });
    },
  },
  {
    ...{ workflow: "drain", about: "a node that somebody wants emptied" },
    stop: uncaught("drain"),
    start: () => startOf("drain", { case: contained.case, reason: "every state of it is broken" }),
  },
];

/** Caught states that this stage never comes to: it has no detector of GuardDuty, nor a node with a role. */
const NOT_REACHED = ["ListFindings", "GetFindings", "GetInstanceProfile"];

function uncaught(name: string): readonly string[] {
  const tasks = all.get(name)?.tasks ?? [];
  return tasks.filter(([, { Catch }]) => Catch.length === 0).map(([state]) => state);
}

async function startOf(name: string, input: unknown): Promise<string> {
  const stateMachineArn = machineOf(deployment, workflowOf(name).name);
  const { executionArn = "" } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
  );
  return executionArn;
}

/** The event of an execution that failed. */
function statusChangeOf({ arn, name, startedAt, error, cause }: typeof failure) {
  return {
    region: "us-east-1",
    detail: {
      ...{ executionArn: arn, name, status: "FAILED", error, cause },
      ...{ startDate: startedAt.getTime(), redriveCount: 0, redriveStatus: "REDRIVABLE" },
    },
  };
}

function workflowOf(name: string) {
  const workflow = all.get(name);
  if (!workflow) throw new Error(`there is no workflow ${name}`);
  return workflow;
}

/** What a containment leaves in the cluster and in the evidence, without what names it alone. */
async function footprint(of: Shop, result: RunResult) {
  const { namespace } = of;
  const anonymous = (text: string) => text.replaceAll(result.case.id, "CASE");
  const policies = await networking.listNamespacedNetworkPolicy({ namespace });
  const pod = await core.readNamespacedPod({ namespace, name: victimOf(of).name });
  const deployments = await apps.listNamespacedDeployment({ namespace });
  return {
    ...{ verdict: result.verdict, reasons: result.reasons.map(({ code }) => code) },
    ...{ missing: result.missing, notPreserved: result.notPreserved.length },
    artefacts: (await artefactsOf(result.case.runId)).filter((name) => !/^conflict/.test(name)),
    // A write that was made twice would raise the generation.
    policies: policies.items.map(({ metadata }) => [
      anonymous(metadata?.name ?? ""),
      metadata?.generation,
    ]),
    deployments: deployments.items.map(({ metadata }) => [metadata?.name, metadata?.generation]),
    labels: Object.entries(pod.metadata?.labels ?? {}).map((each) => anonymous(each.join("="))),
    writers: pod.metadata?.managedFields?.map(({ manager, operation }) => [manager, operation]),
  };
}

test("every state that can stop an execution lies on a way", () => {
  const missing = [...all.values()].flatMap(({ name, tasks }) => {
    const ways = WAYS.filter(({ workflow }) => workflow === name);
    const known = new Set(ways.flatMap(({ stop, around = [] }) => [...stop, ...around]));
    return tasks
      .filter(([state, { Catch }]) => !known.has(state) && Catch.length === 0)
      .map(([state]) => `${name}: ${state}`);
  });

  expect(missing).toEqual([]);
});

describe.each(WAYS)("$workflow, of $about", (way) => {
  const workflow = workflowOf(way.workflow);
  const ofWorkflow = executionsOf(machineOf(deployment, workflow.name), aws);
  let arn: string;

  beforeAll(async () => {
    await breakNext(0);
    arn = await way.start();
  });
  afterAll(() => breakOnly(workflow, []));

  /** One at a time: two states may need the same right. */
  function breakNext(index: number): Promise<void> {
    return breakOnly(workflow, [...way.stop.slice(index, index + 1), ...(way.around ?? [])]);
  }

  test.each(way.stop)("%s stops it, and once it is mended a redrive goes on", async (state) => {
    const failed = await followExecution(arn, ofWorkflow);

    expect(failed).toMatchObject({ status: "FAILED", redrives: { possible: true } });
    const visits = await ofWorkflow.visits(arn);
    const { at, within } = resumptionOf(await ofWorkflow.definition(arn), visits) ?? {};
    expect([at, ...(within ?? [])]).toContain(state);
    failure = failed;
    await breakNext(way.stop.indexOf(state) + 1);
    await ofWorkflow.redrive(arn);
  });

  test("then it ends as one that nothing had stopped", async () => {
    const ended = await followExecution(arn, ofWorkflow);

    expect(ended.status).toBe("SUCCEEDED");
    if (way !== WAYS[0]) return;
    const result = resultOf(ended);
    contained = result;
    const undisturbed = await openShop("undisturbed");
    const { id } = await raiseAlert(undisturbed.namespace, victimOf(undisturbed));
    const other = resultOf(await endOf(id));
    expect(await footprint(shop, result)).toEqual(await footprint(undisturbed, other));
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
  });

  test.runIf(way === WAYS[0])("and each of its failures is in its case", async () => {
    const { name, startedAt } = await ofWorkflow.describe(arn);
    const { id } = caseOf({ arn, name, startedAt: startedAt.toISOString() });
    const recorded = await waitFor({ what: "every failure", limitMs: 30_000 }, async () => {
      const found = await store.inspect(`cases/${id}/failures/`);
      return found.length >= way.stop.length ? found : undefined;
    });

    expect(recorded.map(({ key }) => key.split("/").at(-1)).toSorted()).toEqual(
      way.stop.map((_, attempt) => `${name}-${attempt}.json`),
    );
  });
});

test("every state of contain that may fail is named as missing, and the rest is as usual", async () => {
  const workflow = workflowOf("contain");
  const caught = workflow.tasks.filter(([, { Catch }]) => Catch.length > 0).map(([name]) => name);
  const left = new Set(caught);
  // A state that is only reached when another succeeded has its turn in a later run.
  for (let seen: string[] = caught; seen.length > 0 && left.size > NOT_REACHED.length; ) {
    const fresh = await openShop("all-missing");
    await breakOnly(workflow, ["ApplyPolicy", "SnapshotBefore"]);
    const { id } = await raiseAlert(fresh.namespace, victimOf(fresh));
    // Past the states that stop a run and need the same rights as some that do not.
    const { arn } = await endOf(id);
    await breakOnly(workflow, [...left]);
    await executions.redrive(arn);
    const ended = followExecution(arn, executions);
    const result = resultOf(await ended.finally(() => breakOnly(workflow, [])));

    // What AWS did not tell is named in the artefact of what it told.
    const told = artefactKey(result.case.runId, "aws-context.json");
    const ofAws = await store.read<Pick<RunResult, "missing">>(told);
    const missing = [...result.missing, ...(ofAws?.document.missing ?? [])];
    const named = new Set(missing.map(({ state }) => state));
    seen = [...left].filter((state) => named.has(state));
    expect(result.verdict).toBe(seen.includes("SnapshotAfter") ? "unverified" : "contained");
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
    for (const state of seen) left.delete(state);
  }

  expect([...left]).toEqual(NOT_REACHED);
});

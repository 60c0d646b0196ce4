/** How the workflow asks for brakes, and what becomes of what they held back. */
import jsonata from "jsonata";
import { expect, test } from "vitest";
import * as z from "zod";
import { Brake, KillSwitch } from "../functions/contract.ts";
import { NEEDS } from "../functions/needs.ts";
import { workflowNamed } from "./definition.ts";

const contain = workflowNamed("contain");
const drain = workflowNamed("drain");
const READS_SWITCH = "arn:aws:states:::aws-sdk:ssm:getParameter";

/** Names of the states from which an execution comes to this one; null where a branch starts with it. */
function before(wanted: string, { text } = contain): readonly (string | null)[] {
  const found: (string | null)[] = [];
  const walk = (value: unknown, state: string | null): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (["Next", "Default"].includes(key) && child === wanted) found.push(state);
      if (key === "StartAt" && child === wanted) found.push(null);
      if (key !== "States") walk(child, state);
      else for (const [name, each] of Object.entries(child)) walk(each, name);
    }
  };
  walk(JSON.parse(text), null);
  return found;
}

test.each([
  ["OpenCase", contain],
  ["ApplyPolicy", contain],
  ["CompletePolicy", contain],
  ["PreserveNode", contain],
  ["DrainNode", drain],
])("%s is reached over no way that does not read the kill switch directly before", (name, of) => {
  const ways = before(name, of);

  expect(ways.length).toBeGreaterThan(0);
  for (const way of ways) expect(of.states.get(way ?? "")?.Resource).toBe(READS_SWITCH);
});

test("every state that changes the cluster is among them, or follows one at once", () => {
  const writing = ({ states }: typeof contain) =>
    Object.entries(NEEDS)
      .filter(([name, needs]) => states.has(name) && changesSomething(needs))
      .map(([name]) => name);

  expect(writing(contain).toSorted()).toEqual([
    ...["ApplyPolicy", "CompletePolicy", "PreserveNode", "SnapshotNodeEbs"],
  ]);
  expect(writing(drain)).toEqual(["DrainNode"]);
  expect(new Set(before("SnapshotNodeEbs"))).toEqual(new Set(["PreserveNode"]));
});

const Changing = z.object({
  kubernetes: z
    .object({
      patches: z.array(z.string()).default([]),
      makes: z.array(z.string()).default([]),
      evicts: z.boolean().default(false),
    })
    .default({ patches: [], makes: [], evicts: false }),
  instances: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
});

function changesSomething(needs: object): boolean {
  const { kubernetes, instances, volumes } = Changing.parse(needs);
  const calls = [...instances, ...volumes].filter((call) =>
    /^(protect|snapshotInstance|snapshotVolume|lock$)/.test(call),
  );
  const { patches, makes, evicts } = kubernetes;
  return evicts || patches.length + makes.length + calls.length > 0;
}

function evaluate(expression: unknown, bound: object): Promise<unknown> {
  return jsonata(
    z
      .string()
      .parse(expression)
      .replace(/^\{%|%\}$/g, ""),
  ).evaluate({}, bound);
}

test.each(["CheckBeforePhase", "CheckBeforeNode"])(
  "%s hands on what it read, and nothing where it could not read, with what is missing",
  async (name) => {
    const { Output, Catch } = contain.states.get(name) ?? expect.fail(`no ${name}`);
    const input = { kept: "as it was", missing: [{ state: "of another branch" }] };
    const result = { Parameter: { Name: "switch", Value: "engaged" } };
    const errorOutput = { Error: "Ssm.InternalServerErrorException", Cause: "busy" };

    const read = await evaluate(Output, { states: { input, result } });
    const unread = await evaluate(Catch[0]?.Output, { states: { input, errorOutput } });

    const Handed = z.object({ kept: z.string(), killSwitch: KillSwitch, missing: z.unknown() });
    expect(Handed.parse(read)).toMatchObject({
      killSwitch: { name: "switch", value: "engaged" },
      missing: [],
    });
    expect(Handed.parse(unread)).toMatchObject({
      killSwitch: { value: null },
      missing: [{ state: name, error: errorOutput.Error, cause: "busy" }],
    });
  },
);

test("a drain hands every look what the switch said directly before, and since when it goes on", async () => {
  const outputOf = (name: string, about: object) =>
    evaluate(drain.states.get(name)?.Output, { states: about });
  const read = (Value: string) => ({ Parameter: { Name: "switch", Value } });
  const asked = { case: { id: "c-1", runId: "run-1" }, reason: "why" };

  const first = await outputOf("CheckKillSwitch", { input: asked, result: read("released") });
  const looked = { Payload: { since: "then", done: false } };
  const waiting = await outputOf("DrainNode", { input: first, result: looked });
  const next = await outputOf("CheckBeforeEvictions", { input: waiting, result: read("engaged") });
  const unread = await evaluate(drain.states.get("CheckBeforeEvictions")?.Catch[0]?.Output, {
    states: { input: waiting },
  });

  expect(first).toEqual({
    ...asked,
    since: null,
    killSwitch: { name: "switch", value: "released" },
  });
  expect(next).toMatchObject({ since: "then", killSwitch: { name: "switch", value: "engaged" } });
  expect(unread).toMatchObject({ ...asked, since: "then", killSwitch: { value: null } });
});

test("what was held back before the first write, in a phase and at the node comes to one list", async () => {
  const { Output } = contain.states.get("CompleteAndPreserve") ?? expect.fail("no such state");
  const held = (withheld: string) => ({
    ...{ brake: "killSwitch", withheld, why: "engaged", lift: "release it" },
  });
  const branch = (...brakes: readonly object[]) => ({
    ...{ brakes, artefacts: [], missing: [], notPreserved: [], quarantinedAt: null },
  });
  const evaluated = async (input: object, ...result: readonly object[]) =>
    z
      .object({ brakes: z.array(Brake) })
      .parse(await evaluate(Output, { states: { input, result } }))
      .brakes.map(({ withheld }) => withheld);

  const none = await evaluated({ brakes: [] }, branch(), branch(), branch());
  const both = await evaluated(
    { brakes: [] },
    branch(held("phases")),
    branch(held("node"), held("disks")),
    branch(),
  );

  expect(none).toEqual([]);
  expect(both).toEqual(["phases", "node", "disks"]);
});

/** The expressions of the workflow that looks at open cases again, evaluated as Step Functions does. */
import jsonata from "jsonata";
import { describe, expect, test } from "vitest";
import { workflowNamed } from "./definition.ts";

const { states, text } = workflowNamed("reverify");

/** The value of one expression, with what the states before handed on. */
async function evaluated(expression: unknown, about: object): Promise<unknown> {
  const found = /^\{%([\s\S]+)%\}$/.exec(String(expression))?.[1];
  if (found === undefined) throw new Error(`${expression} is no expression`);
  const value: unknown = await jsonata(found).evaluate({}, { states: about });
  return JSON.parse(JSON.stringify(value)); // as a state hands it on: sequences are arrays
}

/** A field of a state's definition, read from the text: the tests' own reading knows only a few. */
function fieldOf(state: string, ...path: readonly string[]): unknown {
  let found: unknown;
  JSON.parse(text, (key, value) => {
    if (key === state && typeof value === "object" && "Type" in value) found = value;
    return value;
  });
  return path.reduce((at: unknown, key) => Object(at)[key], found);
}

const outputOf = (state: string, about: object) => evaluated(states.get(state)?.Output, about);

const PASS = { after: null, listed: 0, notVerified: 0 };
const CLUSTER = { name: "prod-eks-1" };
const page = (markers: readonly string[], request: unknown = null) => ({
  input: { markers, request, pass: { ...PASS, listed: markers.length }, cluster: CLUSTER },
});

/** The state that a Choice leads to. */
async function nextOf(state: string, input: object): Promise<unknown> {
  const choices = fieldOf(state, "Choices");
  if (!Array.isArray(choices)) throw new Error(`${state} is no Choice`);
  for (const { Condition, Next } of choices) {
    if ((await evaluated(Condition, { input })) === true) return Next;
  }
  return fieldOf(state, "Default");
}

describe("an execution", () => {
  test("begins with all cases when the schedule starts it, with those named by hand otherwise", async () => {
    const request = { markers: ["open/a.json"], mend: false };

    expect(await outputOf("Begin", { input: {} })).toEqual({ pass: PASS, request: null });
    expect(await outputOf("Begin", { input: { request } })).toEqual({ pass: PASS, request });
  });

  test("goes on from page to page until one is empty", async () => {
    expect(await nextOf("AnyLeft", page(["open/a.json"]).input)).toBe("ReverifyCases");
    expect(await nextOf("AnyLeft", page([]).input)).toBe("AllLookedAt");
  });

  test.each([1, 2, 100])("looks at each of %i cases of a page", async (count) => {
    const markers = Array.from({ length: count }, (_, at) => `open/${at}.json`);

    expect(await evaluated(fieldOf("ReverifyCases", "Items"), page(markers))).toEqual(markers);
  });

  test("lets a case be put back by the schedule, and by hand only where that was asked for", async () => {
    const mend = (request: unknown) =>
      evaluated(fieldOf("ReverifyCases", "ItemSelector", "mend"), page(["open/a.json"], request));

    expect(await mend(null)).toBe("scheduled");
    expect(await mend({ markers: [], mend: true })).toBe("byHand");
    expect(await mend({ markers: [], mend: false })).toBe("no");
    expect(await mend({ markers: [] })).toBe("no");
  });

  test.each([
    [["judged", "notVerified", "closed", "notVerified"], 2],
    [["notVerified"], 1],
    [["judged"], 0],
  ])("counts of %j those that could not be looked at", async (looks, count) => {
    const result = looks.map((looked) => ({ looked }));

    expect(await outputOf("ReverifyCases", { ...page(["open/a.json"]), result })).toEqual({
      request: null,
      pass: { ...PASS, listed: 1, notVerified: count },
    });
  });
});

describe("a case", () => {
  const looked = { marker: "open/a.json", looked: "judged", mayReapply: null, notification: null };
  const notification = { subject: "s", message: "m" };

  test("is told of, put back, or left, as the look at it says", async () => {
    expect(await nextOf("LookedAt", looked)).toBe("CaseDone");
    expect(await nextOf("LookedAt", { ...looked, notification })).toBe("TellDrift");
    expect(await nextOf("LookedAt", { ...looked, notification, mayReapply: 1 })).toBe(
      "CheckKillSwitch",
    );
  });

  test.each([
    ["released", true, "ReapplyPolicy"],
    ["engaged", false, "TellDrift"],
  ])("is put back only while the kill switch is released: %s", async (Value, released, next) => {
    const input = { ...looked, notification, mayReapply: 1 };

    const output = await outputOf("CheckKillSwitch", { input, result: { Parameter: { Value } } });

    expect(output).toEqual({ ...input, released });
    expect(await nextOf("Released", Object(output))).toBe(next);
    expect(await nextOf("Released", { ...looked, mayReapply: 1, released: false })).toBe(
      "CaseDone",
    );
  });

  test("that could not be put back is looked at again, with the reason", async () => {
    const [caught] = states.get("ReapplyPolicy")?.Catch ?? [];
    const errorOutput = { Error: "PolicyNameTaken", Cause: "x".repeat(2_000) };

    const output = await evaluated(caught?.Output, {
      input: { ...looked, mayReapply: 2 },
      errorOutput,
    });

    expect(caught?.Next).toBe("ReverifyCase");
    expect(output).toMatchObject({
      reapplied: { number: 2, error: `PolicyNameTaken: ${"x".repeat(500)}` },
    });
  });

  test("that cannot be looked at keeps no other from it, and is counted", async () => {
    const [caught] = states.get("ReverifyCase")?.Catch ?? [];

    expect(caught).toMatchObject({ ErrorEquals: ["States.ALL"], Next: "CaseDone" });
    const input = await evaluated(caught?.Output, { input: looked });
    expect(await outputOf("CaseDone", { input })).toEqual({ looked: "notVerified" });
  });
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MODES } from "../alert/alert.ts";
import { BRAKES, type Brake, type BrakeName, brake } from "./brake.ts";
import { KILL_SWITCH, killSwitchBrake } from "./kill-switch.ts";
import { protectedNamespaceBrake } from "./protected-namespace.ts";

const asked = fc.array(
  fc.option(
    fc
      .constantFrom(...(Object.keys(BRAKES) as BrakeName[]))
      .map((name): Brake => ({ brake: name, withheld: "all", why: "because", lift: "so" })),
  ),
  { maxLength: 6 },
);

test("once a brake has held, nothing that is asked later lets a run act again", () => {
  fc.assert(
    fc.property(fc.constantFrom(...MODES), fc.array(asked, { maxLength: 4 }), (mode, rounds) => {
      const after = rounds.reduce(brake, { mode, brakes: [] });

      const first = rounds.find((round) => round.some((each) => each !== null));
      const acts = mode === "containment" && first === undefined;
      expect(after.mode).toBe(acts ? "containment" : "audit");
      // An audit was not held back by anything; of a containment those are kept that made it one.
      const holding = (first ?? []).filter((each) => each !== null);
      expect(after.brakes).toEqual(mode === "audit" ? [] : holding);
    }),
  );
});

test("the kill switch is released by one word and no other", () => {
  fc.assert(
    fc.property(fc.option(fc.string()), (value) => {
      fc.pre(value !== KILL_SWITCH.released);

      expect(killSwitchBrake({ name: "switch", value }, "all")).toMatchObject({ withheld: "all" });
    }),
  );
  expect(killSwitchBrake({ name: "switch", value: "released" }, "all")).toBeNull();
});

test("a namespace that merely begins like a protected one is not protected", () => {
  const of = (namespace: string) =>
    ({ cluster: "c", namespace, kind: "namespace", name: namespace, uid: null }) as const;

  expect(protectedNamespaceBrake(of("kube-system"), ["kube-system"])).not.toBeNull();
  expect(protectedNamespaceBrake(of("kube-system-2"), ["kube-system"])).toBeNull();
});

import { expect, test } from "vitest";
import { assertDeployable, STAGE_NAMES, settingsFor } from "./stages.ts";

test("every stage that is written down is valid", () => {
  for (const stage of STAGE_NAMES) expect(settingsFor(stage).cluster.name).toBeTruthy();
});

test("a new stage only audits until somebody decides that it may act", () => {
  expect(settingsFor("prod").response.mode).toBe("audit");
});

test("an unknown stage is refused with the names of those there are", () => {
  expect(() => settingsFor("prd")).toThrow('no stage "prd"; it has local, prod');
});

test("a stage without a real network is not deployed", () => {
  expect(() => assertDeployable("prod", settingsFor("prod"))).toThrow("cluster.network");
  expect(() => assertDeployable("local", settingsFor("local"))).not.toThrow();
});

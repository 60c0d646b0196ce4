import { dumpYaml } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { shopManifests } from "./shop.ts";

test("every allow policy that is sent names its peer", () => {
  const volume = { volumeId: "vol-1", availabilityZone: "us-east-1a" };

  const manifests = shopManifests("payments", volume);

  const policies = manifests.filter(({ kind }) => kind === "NetworkPolicy").map((p) => dumpYaml(p));
  expect(policies).toHaveLength(4);
  for (const policy of policies) expect(policy).toMatch(/ (from|to):\n/);
});

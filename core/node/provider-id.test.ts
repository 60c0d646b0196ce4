import { expect, test } from "vitest";
import { machineOf } from "./provider-id.ts";

test.each([
  ["aws:///us-east-1a/i-0123456789abcdef0"],
  ["aws:////i-0123456789abcdef0"],
  ["i-0123456789abcdef0"],
])("%s is an instance", (providerId) => {
  expect(machineOf(providerId)).toEqual({ kind: "instance", instanceId: "i-0123456789abcdef0" });
});

test.each([
  [undefined, "no providerID"],
  ["", "no providerID"],
  ["aws:///us-east-1a/0f1e-fargate-ip/fargate-ip-10-0-1-2.ec2.internal", "Fargate"],
  ["kind://docker/kind/node", "names no EC2 instance"],
  ["aws:///us-east-1a/i-../../etc", "names no EC2 instance"],
])("%s is no instance", (providerId, reason) => {
  expect(machineOf(providerId)).toMatchObject({
    kind: "none",
    reason: expect.stringContaining(reason),
  });
});

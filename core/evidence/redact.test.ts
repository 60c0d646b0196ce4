import { expect, test } from "vitest";
import { aPod } from "../../test/memory/cluster.ts";
import { redactPod } from "./redact.ts";

const CANARY = "canary-5c0ab5e4";

test("no value of an environment variable or of an applied manifest is kept, only its name", () => {
  const container = { name: "c", env: [{ name: "PASSWORD", value: CANARY }] };
  const pod = aPod({
    metadata: {
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": CANARY, other: "kept" },
    },
    spec: {
      containers: [container],
      initContainers: [container],
      ephemeralContainers: [container],
    },
  });

  const text = JSON.stringify(redactPod(pod));

  expect(text).not.toContain(CANARY);
  expect(text.match(/PASSWORD/g)).toHaveLength(3);
  expect(text).toContain("kept");
});

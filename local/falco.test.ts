import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { terminalShellAlert } from "./falco.ts";

const formatted = await readFile(
  join(import.meta.dirname, "alerts", "terminal-shell.json"),
  "utf8",
);
/** As it was received: without the white space between its tokens. */
const recorded = formatted.replace(/("(?:\\.|[^"\\])*")|\s+/g, "$1");
const target = {
  namespace: "payments",
  pod: "checkout-6d8f7c9b5c-x2lqz",
  container: "checkout",
  containerId: `containerd://5c0ab5e4f1d3${"0".repeat(52)}`,
  image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/checkout:1.4.2",
  node: "ip-10-0-13-27.ec2.internal",
};

test("the recorded target and time give the recorded message, byte for byte", async () => {
  const uuid = "ee503cc9-57ed-420b-ae54-6c02d1b3744b";

  const body = await terminalShellAlert(target, 1790689445478445995n, uuid);

  expect(body).toBe(recorded);
});

test("another target appears in the fields and in the output", async () => {
  const other = { ...target, namespace: "shop-7", pod: "checkout-abc-12345", node: "n-2" };

  const alert = JSON.parse(await terminalShellAlert(other));

  expect(alert.output_fields["k8s.ns.name"]).toBe("shop-7");
  expect(alert.hostname).toBe("n-2");
  expect(alert.output).toContain("k8s_pod_name=checkout-abc-12345 k8s_ns_name=shop-7");
});

test("a time that Go writes without trailing zeros is written so", async () => {
  const body = await terminalShellAlert(target, 1790689447001122000n);

  expect(body).toContain('"time":"2026-09-29T13:44:07.001122Z"');
  expect(body).toContain('"output":"13:44:07.001122000: Notice');
  expect(body).toContain('"evt.time":1790689447001122000,');
});

test("an id that is no container id is refused", async () => {
  await expect(terminalShellAlert({ ...target, containerId: "docker" })).rejects.toThrow(
    "docker is not a container id",
  );
});

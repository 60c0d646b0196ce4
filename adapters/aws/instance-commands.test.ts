import { afterEach, expect, test } from "vitest";
import { type SystemsManager, startSystemsManager } from "../../test/servers/systems-manager.ts";
import { type InstanceCommandOptions, instanceCommands } from "./instance-commands.ts";

const instanceId = "i-0123456789abcdef0";

let systemsManager: SystemsManager;
let lines: string[];

afterEach(() => systemsManager.stop());

async function run(
  script: string,
  behaviour: Omit<Parameters<typeof startSystemsManager>[0], "instanceId"> = {},
  limits: Partial<InstanceCommandOptions> = {},
): Promise<string> {
  lines = [];
  systemsManager = await startSystemsManager({ instanceId, ...behaviour });
  return instanceCommands(systemsManager.config).run(instanceId, script, {
    progress: (line) => lines.push(line),
    pollMs: 1,
    ...limits,
  });
}

test("what a script prints comes back", async () => {
  expect(await run("set -eu\necho one\necho two")).toBe("one\ntwo\n");
});

test("an instance that has just started is waited for, and the person told", async () => {
  expect(await run("echo ready", { onlineAfter: 3 })).toBe("ready\n");
  expect(lines[0]).toBe(`waiting for the agent of ${instanceId} to report`);
});

test("a script that fails is an error with what it complained about", async () => {
  await expect(run("echo too bad >&2; exit 3")).rejects.toThrow(/Failed\ntoo bad$/);
});

test("an instance that never reports is given up, saying what to look at", async () => {
  const given = run("echo never", { onlineAfter: Number.POSITIVE_INFINITY }, { onlineLimitMs: 20 });

  await expect(given).rejects.toThrow(/has not reported .* endpoints ssm, ssmmessages/);
});

test("a script that does not end is given up", async () => {
  await expect(run("true", { hangs: true }, { runLimitMs: 20 })).rejects.toThrow(
    "was not through after 0.02 s",
  );
});

import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

/** The README's first command, beside the stage that the other tests use: two can be up at once. */
test("npm start -- --once --json prints one document about a contained pod, and ends with 0", async () => {
  const child = spawn("npm", ["start", "--silent", "--", "--once", "--json"], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));

  const document = JSON.parse(await text(child.stdout));

  expect(await ended).toBe(0);
  expect(document).toMatchObject({
    verdict: "contained",
    timeToContainMs: expect.any(Number),
    executionArn: expect.stringContaining(":execution:"),
    namespace: "payments",
    pod: expect.stringMatching(/^checkout-/),
  });
  expect(document.states.map(({ name }: { name: string }) => name)).toContain("ApplyPolicy");
  expect(document.evidence).toHaveLength(18);
  for (const { sha256 } of document.evidence) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
}, 300_000);

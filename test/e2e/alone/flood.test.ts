/**
 * A bounded flood; `npm run flood` sends a thousand messages. Alone: it takes every core for itself, and what
 * waits beside it would wait too long.
 */
import { expect, test } from "vitest";
import { flood } from "../../../bench/flood-run.ts";
import { aws, deployment, kubeconfig } from "../harness.ts";

test("of a flood nothing is lost and nothing done twice, and what cannot be read says why", async () => {
  const report = await flood(
    { aws, deployment, kubernetes: kubeconfig },
    {
      ...{ name: "flood", messages: 40, targets: 8, seed: 7, limitMs: 200_000 },
      progress: () => {},
    },
  );

  const ends = { acted: 8, audited: 0, joined: 29, ignored: 1, deadLetter: 2 };
  expect(report).toMatchObject({ sent: 40, problems: [], ends });
});

/** The two workflows of a copy in a forensic account: what shares, and what copies there. */
import jsonata from "jsonata";
import { describe, expect, test } from "vitest";
import { COPY_REQUESTED, EVENT_SOURCE, SNAPSHOT_SHARED } from "../adapters/aws/event-bus.ts";
import { COPY_TAG, isRefused } from "../core/node/forensic-copy.ts";
import { workflowNamed } from "./definition.ts";

const share = workflowNamed("forensic/share-snapshot");
const copy = workflowNamed("forensic/copy-snapshot");

const evaluate = (expression: unknown, states: object): Promise<unknown> =>
  jsonata(/^\{%(.*)%\}$/s.exec(String(expression))?.[1] ?? "").evaluate({}, { states });

describe.each([share, copy])("$name", ({ machine }) => {
  test("two days of waiting fit in one history of 25,000 events", async () => {
    const [, wait] = Object.entries(machine.States).find(([, { Type }]) => Type === "Wait") ?? [];
    const seconds = Number(await evaluate(wait?.Seconds, { input: { looks: 10 } }));
    const eventsOfALook = 9; // five of the task, two of the choice, two of the wait

    expect(machine.TimeoutSeconds).toBe(2 * 24 * 3_600);
    expect((machine.TimeoutSeconds / seconds) * eventsOfALook).toBeLessThan(25_000);
  });
});

test("what shares speaks as the rules listen, and tags as the run reads", async () => {
  expect(share.text).toContain(`"Source": "${EVENT_SOURCE}"`);
  expect(share.text).toContain(`"DetailType": "${SNAPSHOT_SHARED}"`);
  expect(share.text).not.toContain(COPY_REQUESTED); // or it would start itself again
  expect(share.text.match(/"Key": "(\w+)"/g)).toEqual([
    `"Key": "${COPY_TAG}"`,
    `"Key": "${COPY_TAG}"`,
  ]);
  const [, refusal = ""] = /"Value": "(.*not shared.*)"/.exec(share.text) ?? [];
  const text = await evaluate(refusal, { input: { reason: "x".repeat(1_000) } });
  expect(String(text).length).toBeLessThanOrEqual(256);
  expect(isRefused(String(text))).toBe(true);
});

test("a look tells state, volume and tags, and that a snapshot is gone", async () => {
  const output = share.machine.States.LookAtSnapshot?.Output;
  const input = { snapshotId: "snap-1", caseId: "c-1", looks: 3 };
  const snapshot = { State: "pending", VolumeId: "vol-1", Tags: [{ Key: "A", Value: "1" }] };

  expect(await evaluate(output, { input, result: { Snapshots: [snapshot] } })).toEqual({
    ...{ ...input, looks: 4, state: "pending", volumeId: "vol-1", tags: snapshot.Tags },
  });
  expect(await evaluate(output, { input, result: { Snapshots: [] } })).toMatchObject({
    state: "gone",
    tags: [],
  });
});

test("the tags travel as an object, without our own", async () => {
  const [, detail] = /"Detail": "(.*)"\n/.exec(share.text) ?? [];
  const tags = ["A", COPY_TAG, "B"].map((Key) => ({ Key, Value: `of ${Key}` }));

  expect(await evaluate(detail, { input: { snapshotId: "s", volumeId: "v", tags } })).toEqual({
    ...{ snapshotId: "s", volumeId: "v" },
    tags: { A: "of A", B: "of B" },
  });
});

test("whose snapshot it is says EventBridge, and not whoever sent the event", async () => {
  const event = {
    ...{ account: "111122223333", region: "us-east-1" },
    detail: { snapshotId: "snap-1", account: "forged", region: "forged", tags: { A: "1" } },
  };

  expect(await evaluate(copy.machine.States.Begin?.Output, { input: event })).toEqual({
    ...{ account: "111122223333", region: "us-east-1", snapshotId: "snap-1" },
    ...{ tags: { A: "1" }, looks: 0 },
  });
});

/**
 * A selection of the fault matrix, `npm run faults` runs all of it. On nodes of its own, and alone: what
 * else runs on the stage would take from a cell the time that it is given for evidence.
 */
import { beforeAll, expect, test } from "vitest";
import { createNodes } from "../../../local/scene.ts";
import { runCell } from "../../faults/cell.ts";
import { faultsAt } from "../../faults/control.ts";
import { nodesOfLane, type Place } from "../../faults/place.ts";
import { CELLS } from "../../faults/table.ts";
import { runUndisturbed, type Undisturbed } from "../../faults/undisturbed.ts";
import { aws, deployment, kubeconfig, stage } from "../harness.ts";

/** One of each way in which a state gets over a fault, or does not. */
const SELECTION = [
  "Authenticate/kubernetes-503/briefly",
  "ApplyPolicy/kubernetes-429/briefly",
  "ApplyPolicy/kubernetes-403/from-the-first-write",
  "ApplyPolicy/kubernetes-404/lasting",
  "ApplyPolicy/kubernetes-half-an-answer/from-the-first-write",
  "ApplyPolicy/crash-between/briefly",
  "SnapshotNodeEbs/ec2-denied/lasting",
  "SnapshotAfter/out-of-memory/briefly",
  "RecordRun/s3-412/briefly",
  "RecordRun/s3-denied/lasting",
  "ReapplyPolicy/kubernetes-503/from-the-first-write",
  "DrainNode/crash-after/briefly",
];

const LANES = [0, 1, 2];
const place: Place = {
  ...{ aws, deployment, kubernetes: kubeconfig },
  faults: faultsAt(stage.faultsUrl),
};
const SELECTED = CELLS.filter(({ id }) => SELECTION.includes(id));
let undisturbed: Undisturbed;

beforeAll(async () => {
  for (const lane of LANES) await createNodes(place, nodesOfLane(lane));
  const states = SELECTED.map(({ state }) => state);
  undisturbed = await runUndisturbed(place, nodesOfLane(0), states);
});

test("a fault of one state ends as the matrix says, and nothing is done twice", async () => {
  const left = [...SELECTED];
  expect(left.map(({ id }) => id).toSorted()).toEqual(SELECTION.toSorted());
  const wrong: string[] = [];
  // Side by side: most of a cell is waiting for a retry.
  const lane = async (nodeGroup: ReturnType<typeof nodesOfLane>) => {
    for (let cell = left.shift(); cell; cell = left.shift()) {
      const outcome = await runCell(cell, place, { undisturbed, nodeGroup });
      wrong.push(...outcome.wrong.map((each) => `${cell?.id}: ${each}`));
    }
  };
  await Promise.all(LANES.map((each) => lane(nodesOfLane(each))));

  expect(wrong).toEqual([]);
}, 300_000);

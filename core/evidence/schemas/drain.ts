import * as z from "zod";
import { Brake, list, Mode, time } from "./pieces.ts";

const pod = {
  node: z.string().describe("The node that it runs on"),
  namespace: z.string().describe("Its namespace"),
  name: z.string().describe("Its name"),
  uid: z.string().describe("Its UID"),
};
const head = {
  caseId: z.string().describe("Id of the case"),
  containedRunId: z.string().describe("The run that cordoned the nodes"),
  reason: z.string().describe("Why, in the words of whoever asked for it"),
};
const notDrained = z
  .array(
    z.strictObject({
      node: z.string().describe("The node"),
      reason: z.string().describe("Why nothing on it is evicted"),
    }),
  )
  .describe("Nodes of the run that are left as they are");

export const DrainPlan = z.strictObject({
  ...head,
  mode: Mode,
  brakes: list(Brake).describe("What made an audit of it before anything was evicted"),
  plannedAt: time("When it was made"),
  nodes: z
    .array(
      z.strictObject({
        name: z.string().describe("Its name"),
        uid: z.string().describe("Its UID"),
      }),
    )
    .describe("Cordoned nodes that are drained"),
  evictions: z
    .array(z.strictObject({ ...pod, controller: z.string().describe("Who starts it elsewhere") }))
    .describe("Pods that are evicted"),
  stays: z
    .array(z.strictObject({ ...pod, reason: z.string().describe("Why it stays") }))
    .describe("Pods on these nodes that are not"),
  notDrained,
  undo: z.string().describe("How an eviction is undone"),
});
export type DrainPlan = z.infer<typeof DrainPlan>;

export const Drain = z.strictObject({
  ...head,
  endedAt: time("When the nodes were looked at last"),
  verdict: z
    .enum(["drained", "partial", "audited"])
    .describe("`partial`: a pod or a node is left; `audited`: nothing was evicted"),
  brakes: list(Brake).describe("What held evictions back: all of them where it was audited"),
  pods: z
    .array(
      z.strictObject({
        ...pod,
        outcome: z
          .enum(["left", "ending", "refused", "waiting", "stays", "withheld"])
          .describe(
            "`left` the node; `ending` when it was last looked; `stays`: it must by now; `withheld` by a brake",
          ),
        reason: z.string().nullable().describe("Null where it left"),
      }),
    )
    .describe("What became of each pod that was to be evicted"),
  notDrained,
});
export type Drain = z.infer<typeof Drain>;

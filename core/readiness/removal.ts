import * as z from "zod";
import { runPrefix } from "../evidence/keys.ts";
import { describeTarget } from "../target/target.ts";
import { bucketOf, type Stack } from "./deployed.ts";
import type { Observed } from "./finding.ts";

/** Set to `yes`, it removes a stage while cases are open, or while nobody can tell. */
export const REMOVE_ANYWAY = "CONTAINMENT_REMOVE_WITH_OPEN_CASES";

/** Of an open-case marker, what tells a person which case it is. */
const Marker = z.object({
  case: z.object({ id: z.string(), runId: z.string() }),
  execution: z.object({ startedAt: z.string() }),
  target: z.object({
    kind: z.enum(["pod", "namespace"]),
    cluster: z.string(),
    namespace: z.string(),
    name: z.string(),
  }),
});

/** A marker under open/ holds its target for its case, whether or not it can be read. */
export interface OpenCase {
  readonly key: string;
  /** Null for one that cannot be read. */
  readonly marker: z.infer<typeof Marker> | null;
}

export function openCase(key: string, text: string): OpenCase {
  try {
    return { key, marker: Marker.parse(JSON.parse(text)) };
  } catch {
    return { key, marker: null };
  }
}

/** What was found out before a stage is removed. */
export type RemovalObservation =
  | { readonly kind: "notDeployed" }
  | { readonly kind: "unreadable"; readonly what: string; readonly why: string }
  | { readonly kind: "read"; readonly bucket: string; readonly cases: readonly OpenCase[] };

export interface Removal {
  readonly allowed: boolean;
  /** What to tell whoever removes the stage; empty when there is nothing to tell. */
  readonly message: string;
}

/** A stack that never came to be; it may lie there without outputs. */
const NEVER_THERE = /^(CREATE_FAILED|ROLLBACK_COMPLETE|ROLLBACK_FAILED|REVIEW_IN_PROGRESS)$/;

/** Looks for open cases in the evidence of a stage. Changes nothing. */
export async function observeRemoval(
  stacks: Observed<readonly Stack[]>,
  openCases: (bucket: string) => Promise<Observed<readonly OpenCase[]>>,
): Promise<RemovalObservation> {
  if (stacks.kind === "unseen") {
    return { kind: "unreadable", what: "the stacks of the stage", why: stacks.why };
  }
  const there = stacks.value.filter(({ status }) => !NEVER_THERE.test(status));
  if (there.length === 0) return { kind: "notDeployed" };
  const bucket = bucketOf(there);
  if (bucket === null) {
    const why = "no stack of the stage names its evidence bucket";
    return { kind: "unreadable", what: "the open cases", why };
  }
  const cases = await openCases(bucket);
  return cases.kind === "seen"
    ? { kind: "read", bucket, cases: cases.value }
    : { kind: "unreadable", what: `the open cases in bucket ${bucket}`, why: cases.why };
}

/** Whether a stage may be removed. Not to know of a case is not to know that there is none. */
export function judgeRemoval(
  stage: string,
  observed: RemovalObservation,
  anyway: boolean,
): Removal {
  switch (observed.kind) {
    case "notDeployed":
      return { allowed: true, message: "" };
    case "unreadable":
      return {
        allowed: anyway,
        message: [
          `Stage ${stage}: could not read ${observed.what}: ${observed.why}.`,
          "While a case is open its target stays cut off, and nothing would be left to release it with.",
          ...(anyway
            ? [`Removed all the same: ${REMOVE_ANYWAY} is yes.`]
            : [
                "Run this as somebody who may read the evidence (evidence.readers in stages.ts),",
                `or, if you are sure that no case is open, with ${REMOVE_ANYWAY}=yes.`,
              ]),
        ].join("\n"),
      };
    case "read": {
      const { bucket } = observed;
      const cases = eachOnce(observed.cases);
      const keeps = `The evidence stays, locked, in bucket ${bucket}; everything else of the stage is removed.`;
      if (cases.length === 0) return { allowed: true, message: keeps };
      const list = cases.map((each) => `  ${caseLine(bucket, each)}`);
      const open = `Stage ${stage} has ${cases.length} open case${cases.length > 1 ? "s" : ""}:`;
      return {
        allowed: anyway,
        message: anyway
          ? [open, ...list, `Removed all the same: ${REMOVE_ANYWAY} is yes.`, keeps].join("\n")
          : [
              open,
              ...list,
              "Their targets stay cut off when the stage is gone. Undo each one first: its plan.json says what",
              "was written and how that is undone. No command closes a case yet, so it is listed here even then.",
              `To remove the stage all the same: ${REMOVE_ANYWAY}=yes`,
            ].join("\n"),
      };
    }
  }
}

/** A case has several markers, one for each thing that its target is known by. */
function eachOnce(markers: readonly OpenCase[]): readonly OpenCase[] {
  return [...new Map(markers.map((each) => [each.marker?.case.id ?? each.key, each])).values()];
}

function caseLine(bucket: string, { key, marker }: OpenCase): string {
  if (marker === null) return `s3://${bucket}/${key}, which cannot be read`;
  const { target, execution } = marker;
  const since = `since ${execution.startedAt}`;
  return `${marker.case.id}: ${describeTarget(target)} in cluster ${target.cluster}, ${since}, s3://${bucket}/${runPrefix(marker.case.runId)}plan.json`;
}

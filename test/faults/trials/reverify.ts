/** The reverify playbook: a contained pod whose quarantine somebody deleted is to be put back. */
import { randomUUID } from "node:crypto";
import type { ExecutionReport } from "../../../adapters/aws/executions.ts";
import { isProvenKey } from "../../../core/case/markers.ts";
import { openCasesPrefix, verdictsPrefix } from "../../../core/evidence/keys.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import type { VerdictRecord } from "../../../core/evidence/schemas/reverification.ts";
import { policiesOf, type Subject, wrongWithContainment } from "../assess.ts";
import type { Look } from "../place.ts";
import { contain, type Judged, openSubject, type Stand, type Trial } from "./trial.ts";

/** @param looksAt the one case as when a person asks, or every open one as the schedule does */
export async function reverifyTrial(
  stand: Stand,
  looksAt: "theCase" | "everyCase",
): Promise<Trial> {
  const { look } = stand;
  const subject = await openSubject(stand);
  const { result } = await contain(subject, stand);
  const markers = [await markerOf(result, look)];
  const { namespace } = subject.shop;
  const name = quarantineOf(result);
  await look.networking.deleteNamespacedNetworkPolicy({ namespace, name });
  const request = { request: { markers, mend: true } };
  return {
    shop: subject.shop,
    input: looksAt === "theCase" ? request : {},
    judge: (ended) => judge(ended, subject, { result, look, request }),
  };
}

/** What an execution ends with: an alarm goes off for what was not verified. */
interface Looked {
  readonly notVerified: number;
}

interface Contained {
  readonly result: RunResult;
  readonly look: Look;
  readonly request: unknown;
}

async function judge(
  ended: ExecutionReport,
  subject: Subject,
  contained: Contained,
): Promise<Judged> {
  const { result, look, request } = contained;
  const wrong: string[] = [];
  let end = "contained";
  if (!(await holds(subject, contained))) {
    end = "contained by the next look";
    const said = await lastVerdict(result, look);
    const toldSo = said?.execution.arn === ended.arn && !isGood(said, result);
    const { notVerified } = ended.output as Looked;
    if (said !== null && isGood(said, result)) {
      wrong.push("the history says contained, and the quarantine is not there");
    }
    if (!toldSo && notVerified === 0) wrong.push("nobody is told that it was not looked at");
    const next = await look.end(await look.start("reverify", randomUUID(), request));
    if (next.status !== "SUCCEEDED") wrong.push(`the next look ended ${next.status}`);
    else if (!(await holds(subject, contained))) wrong.push("the next look did not put it back");
  }
  return { end, wrong: [...wrong, ...(await wrongWithContainment(subject, result, look))] };
}

/** The quarantine is back, and the case's history ends with a verdict that says so. */
async function holds({ shop }: Subject, { result, look }: Contained): Promise<boolean> {
  const policies = await policiesOf(shop.namespace, look);
  const said = await lastVerdict(result, look);
  return said !== null && isGood(said, result) && policies.includes(quarantineOf(result));
}

function isGood({ verdict, drift }: VerdictRecord, result: RunResult): boolean {
  return verdict === result.verdict && drift.length === 0;
}

async function lastVerdict({ case: of }: RunResult, look: Look): Promise<VerdictRecord | null> {
  const last = (await look.store.list(verdictsPrefix(of.id), 100)).at(-1);
  return last ? ((await look.store.read<VerdictRecord>(last.key))?.document ?? null) : null;
}

async function markerOf({ target, case: of }: RunResult, look: Look): Promise<string> {
  const keys = await look.store.list(openCasesPrefix(target, target.kind), 1_000);
  const proven = keys.find(({ key }) => isProvenKey(key));
  if (!proven) throw new Error(`case ${of.id} has no marker`);
  return proven.key;
}

const quarantineOf = ({ case: { id } }: RunResult) => `quarantine-${id}`;

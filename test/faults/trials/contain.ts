/** The contain playbook: an alert about a pod, or one that must be ignored. */
import { randomUUID } from "node:crypto";
import type { ExecutionReport } from "../../../adapters/aws/executions.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import {
  beyond,
  gapsOf,
  policiesOf,
  type Subject,
  wrongWithContainment,
  wrongWithRefusal,
} from "../assess.ts";
import { alertAbout, type Look } from "../place.ts";
import type { Undisturbed } from "../undisturbed.ts";
import { eventOf, type Judged, openSubject, type Stand, type Trial } from "./trial.ts";

export async function containTrial(
  stand: Stand,
  about: "aPod" | "aTest",
  undisturbed: Pick<Undisturbed, "gaps">,
): Promise<Trial> {
  const { look, event } = stand;
  const subject = await openSubject(stand);
  const body = await alertAbout(subject.shop.namespace, subject.victim);
  return {
    shop: subject.shop,
    input: eventOf(event, about === "aTest" ? asTest(body) : body),
    judge: (ended) => judge(ended, subject, { look, undisturbed }),
  };
}

async function judge(
  ended: ExecutionReport,
  subject: Subject,
  { look, undisturbed }: { readonly look: Look; readonly undisturbed: Pick<Undisturbed, "gaps"> },
): Promise<Judged> {
  const output = ended.output as RunResult | { readonly outcome: "ignored" };
  if (!("verdict" in output)) {
    const policies = await policiesOf(subject.shop.namespace, look);
    const changed = policies.join() !== subject.policiesBefore.join();
    return { end: "refused", wrong: changed ? ["an ignored alert changed policies"] : [] };
  }
  if (output.verdict === "ignored") {
    return { end: "refused", wrong: await wrongWithRefusal(subject, output, look) };
  }
  const wrong = await wrongWithContainment(subject, output, look);
  const lacking = beyond(await gapsOf(output, look), undisturbed.gaps);
  const unverified = output.verdict === "unverified" && lacking.includes("SnapshotAfter");
  if (output.verdict !== "contained" && !unverified) {
    const reasons = output.reasons.map(({ code, message }) => `${code}: ${message}`);
    return { end: output.verdict, wrong: [...wrong, ...reasons] };
  }
  const list = lacking.length === 0 ? "" : `, ${lacking.join(" and ")} missing`;
  return { end: `contained${list}`, wrong };
}

/** The same as a test message of Falco, which must never act. */
export function asTest(body: string): string {
  return body
    .replace(/"rule":"[^"]*"/, '"rule":"Test rule"')
    .replace(/"uuid":"[^"]*"/, `"uuid":"${randomUUID()}"`);
}

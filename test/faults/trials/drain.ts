/** The drain playbook: whatever runs beside a contained pod leaves its node, and the pod stays. */
import type { ExecutionReport } from "../../../adapters/aws/executions.ts";
import { artefactKey } from "../../../core/evidence/keys.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import type { Drain } from "../../../core/evidence/schemas/drain.ts";
import type { ScenePod, Shop } from "../../../local/scene.ts";
import { type Subject, wrongWithContainment } from "../assess.ts";
import type { Look } from "../place.ts";
import { contain, type Judged, openSubject, type Stand, type Trial } from "./trial.ts";

interface Manifest {
  readonly previous: { readonly runId: string } | null;
}

export async function drainTrial(stand: Stand): Promise<Trial> {
  const { look } = stand;
  const subject = await openSubject(stand, victimWithCompany);
  const { result } = await contain(subject, stand);
  return {
    shop: subject.shop,
    input: { case: result.case, reason: "the fault matrix" },
    judge: (ended) => judge(ended, subject, result, look),
  };
}

/** One that shares its node: of four pods on two nodes there is one. */
function victimWithCompany({ checkout, frontend, database }: Shop): ScenePod | undefined {
  const all = [...checkout.pods, ...frontend.pods, ...database.pods];
  return checkout.pods.find((each) => all.some((other) => other !== each && isBeside(other, each)));
}

const isBeside = (one: ScenePod, other: ScenePod) => one.node === other.node;

async function judge(
  { output }: ExecutionReport,
  subject: Subject,
  contained: RunResult,
  look: Look,
): Promise<Judged> {
  const { case: run, verdict } = output as {
    readonly case: RunResult["case"];
    readonly verdict: Drain["verdict"];
  };
  const drain = await look.store.read<Drain>(artefactKey(run.runId, "drain.json"));
  const pods = drain?.document.pods ?? [];
  const wrong = pods.flatMap(({ name, outcome, reason }) =>
    outcome === "left" ? [] : [`${name}: ${outcome}: ${reason}`],
  );
  if (pods.length === 0) wrong.push("nothing was there to be evicted");
  const { namespace } = subject.shop;
  const fieldSelector = `spec.nodeName=${subject.victim.node}`;
  const { items } = await look.core.listNamespacedPod({ namespace, fieldSelector });
  const left = items.map(({ metadata }) => metadata?.name).join();
  if (left !== subject.victim.name) wrong.push(`on the node are ${left}`);
  const manifest = await look.store.read<Manifest>(artefactKey(run.runId, "manifest.json"));
  if (manifest?.document.previous?.runId !== contained.case.runId) {
    wrong.push("its manifest does not follow the one of the containment");
  }
  const { verified, problems } = await look.verify(run.runId);
  if (!verified) wrong.push(`the evidence does not verify: ${JSON.stringify(problems)}`);
  wrong.push(...(await wrongWithContainment(subject, contained, look)));
  return { end: verdict, wrong };
}

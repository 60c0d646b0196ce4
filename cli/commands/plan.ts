import { kubernetesApi } from "../../adapters/kubernetes/api.ts";
import { SEVERITIES } from "../../core/alert/alert.ts";
import { brake } from "../../core/brakes/brake.ts";
import { protectedNamespaceBrake } from "../../core/brakes/protected-namespace.ts";
import { networkFacts, observeNetwork } from "../../core/cluster/network.ts";
import type { ClusterFor } from "../../core/needs.ts";
import { makePlan, type PLAN_NEEDS } from "../../core/quarantine/apply-policy.ts";
import { planLines } from "../../core/quarantine/describe-plan.ts";
import type { Target } from "../../core/target/target.ts";
import { settingsFor } from "../../stages.ts";
import { brakeLines, brakesOf } from "../brakes.ts";
import { enter } from "../cluster.ts";
import { reach } from "../stage.ts";
import { targetOf } from "../target.ts";

interface Options {
  readonly stage: string;
  readonly severity: string;
  readonly uid?: string;
  readonly json?: boolean;
}

/**
 * `containment plan`: reads the cluster as the operator, who must be in the group
 * containment-readers, and prints what a containment of the target would write. Changes nothing.
 */
export async function plan(target: string, options: Options): Promise<void> {
  const { namespace, pod } = targetOf(target);
  const severity = SEVERITIES.find((each) => each === options.severity);
  if (!severity) throw new Error(`--severity is one of ${SEVERITIES.join(", ")}`);
  const settings = settingsFor(options.stage);
  const aws = await reach(options.stage);
  const { cluster, transport } = await enter(settings.cluster.name, aws);
  const kubernetes: ClusterFor<typeof PLAN_NEEDS> = kubernetesApi(transport);
  const network = networkFacts(await observeNetwork(kubernetes, cluster.ipFamily));
  const common = { cluster: cluster.name, namespace, uid: options.uid ?? null };
  const wanted: Target =
    pod === null
      ? { ...common, kind: "namespace", name: namespace }
      : { ...common, kind: "pod", name: pod, containerId: null };
  const { protectedNamespaces, protectedLabels } = settings.response;
  const made = await makePlan(
    {
      case: { id: "c-not-opened", runId: "not-run" },
      alert: { detectedAt: new Date().toISOString(), severity },
      target: wanted,
      ...brake({ mode: "containment", brakes: [] }, [
        protectedNamespaceBrake(wanted, protectedNamespaces),
      ]),
      network,
    },
    {
      kubernetes,
      settings: settings.quarantine,
      protectedLabels,
      now: () => new Date(),
    },
  );
  if ("reason" in made) throw new Error(made.reason);
  const standing = await brakesOf(options.stage, aws);
  if (options.json) {
    console.log(JSON.stringify({ ...made.plan, nameTaken: made.taken, standing }));
    return;
  }
  console.log(`Plan for ${target} in ${cluster.name}; nothing is written.\n`);
  for (const line of planLines(made.plan)) console.log(line);
  console.log("\nBrakes");
  for (const { brake: name, why, lift } of made.plan.brakes) {
    console.log(`  ${name.padEnd(18)} holds    ${why}: an audit`);
    console.log(`  ${"".padEnd(27)} lift it: ${lift}`);
  }
  for (const line of brakeLines(standing)) console.log(line);
  if (made.taken !== null) console.log(`\nIt would fail: ${made.taken}.`);
}

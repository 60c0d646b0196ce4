import { readImageRegistry } from "../../adapters/aws/deployment.ts";
import { copiesOf } from "../images.ts";
import { newClusterOf } from "../new-cluster.ts";
import { reach } from "../stage.ts";
import { manifestsOf, WORKLOADS } from "../workloads.ts";

/** `containment manifests`: prints a workload of the demo cluster, for `kubectl apply -f -`. */
export async function manifests(
  name: string,
  { stage }: { readonly stage: string },
): Promise<void> {
  const workload = WORKLOADS.find((each) => each === name);
  if (!workload) throw new Error(`"${name}" is none of ${WORKLOADS.join(", ")}`);
  const { images } = newClusterOf(stage);
  const registry = await readImageRegistry(stage, await reach(stage));
  process.stdout.write(await manifestsOf(workload, copiesOf(images, registry)));
}

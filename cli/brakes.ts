import { deployedStage } from "../adapters/aws/deployed-stage.ts";
import { begunPrefix } from "../core/brakes/circuit-breaker.ts";
import { type Standing, standingBrakes } from "../core/brakes/standing.ts";
import { bucketOf, killSwitchName } from "../core/readiness/deployed.ts";
import { unseen } from "../core/readiness/finding.ts";
import { settingsFor } from "../stages.ts";
import type { AwsConfig } from "./stage.ts";

/** How the brakes of a stage stand now, as far as whoever asks may see. */
export async function brakesOf(stage: string, aws: AwsConfig): Promise<readonly Standing[]> {
  const { response, cluster } = settingsFor(stage);
  const deployed = deployedStage(stage, aws);
  const [killSwitch, stacks] = await Promise.all([
    deployed.parameter(killSwitchName(stage)),
    deployed.stacks(),
  ]);
  const bucket = stacks.kind === "seen" ? bucketOf(stacks.value) : null;
  const begun =
    bucket === null
      ? unseen(stacks.kind === "seen" ? "the stage is not deployed" : stacks.why)
      : await deployed.keys(bucket, begunPrefix(cluster.name), response.circuitBreaker.targets);
  return standingBrakes(response, { killSwitch, begun }, new Date());
}

/** For people, a line for each. */
export function brakeLines(brakes: readonly Standing[]): readonly string[] {
  return brakes.map(({ brake, holds, says }) => {
    const now = holds === null ? "unknown" : holds ? "holds" : "released";
    return `  ${brake.padEnd(18)} ${now.padEnd(8)} ${says}`;
  });
}

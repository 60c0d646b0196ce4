import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { awsAccount } from "../../adapters/aws/account.ts";
import { deployedStage } from "../../adapters/aws/deployed-stage.ts";
import { clusterRights, readRbac, unreachableRights } from "../../adapters/kubernetes/rbac.ts";
import { examineStage } from "../../core/readiness/examine.ts";
import { exitCodeOf, type Finding, findingLines } from "../../core/readiness/finding.ts";
import { placeOf } from "../../core/readiness/place.ts";
import type { ClusterRights } from "../../core/readiness/rights.ts";
import { INTERFACE_ENDPOINTS } from "../../stacks/endpoints.ts";
import { assertDeployable, settingsFor } from "../../stages.ts";
import { enter } from "../cluster.ts";
import { type AwsConfig, reach } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly json?: boolean;
}

const MANIFEST = join(import.meta.dirname, "../../kubernetes/rbac.yaml");

/**
 * `containment doctor`: what has to be true of the account, the network, the cluster and the stage,
 * and what to do where it is not. Exit code 0 all ok, 1 something wrong, 2 not all could be seen.
 * Changes nothing.
 */
export async function doctor({ stage, json }: Options): Promise<void> {
  const settings = settingsFor(stage);
  assertDeployable(stage, settings);
  const aws = await reach(stage);
  const findings = await examineStage(
    placeOf(stage, settings, INTERFACE_ENDPOINTS),
    {
      account: awsAccount(aws),
      deployed: deployedStage(stage, aws),
      rights: await rightsOf(settings.cluster.name, aws),
    },
    readRbac(await readFile(MANIFEST, "utf8")),
    new Date(),
  );
  process.exitCode = exitCodeOf(findings);
  if (json) {
    console.log(JSON.stringify({ stage, findings, ...countsOf(findings) }));
    return;
  }
  for (const finding of findings) for (const line of findingLines(finding)) console.log(line);
  const { ok, wrong, unknown } = countsOf(findings);
  console.log(
    `\nStage ${stage}: ${ok} ok, ${wrong} wrong, ${unknown} unknown. Nothing was changed.`,
  );
}

async function rightsOf(clusterName: string, aws: AwsConfig): Promise<ClusterRights> {
  try {
    return clusterRights((await enter(clusterName, aws)).transport);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return unreachableRights(`the API server was not reached (${why})`);
  }
}

function countsOf(findings: readonly Finding[]) {
  const count = (outcome: Finding["outcome"]) =>
    findings.filter((each) => each.outcome === outcome).length;
  return { ok: count("ok"), wrong: count("wrong"), unknown: count("unknown") };
}

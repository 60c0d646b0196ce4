import type { Account } from "./account.ts";
import { builtFindings, observeBuilt } from "./built.ts";
import {
  bucketOf,
  type DeployedStage,
  deployedFindings,
  observeDeployed,
  type Stack,
} from "./deployed.ts";
import { existingFindings, observeExisting } from "./existing.ts";
import { about, type Finding, type Observed, seen } from "./finding.ts";
import { madeBefore, newFindings, observeNew } from "./new.ts";
import type { StagePlace } from "./place.ts";
import { type ClusterRights, observeRights, type RbacObject, rightsFindings } from "./rights.ts";

export interface Examiners {
  readonly account: Account;
  readonly deployed: DeployedStage;
}

/**
 * What has to be true before a stage is deployed: of the existing cluster and its network, or of the
 * account and region in which a new one is to be made. Changes nothing.
 */
export async function examineDeployment(
  place: StagePlace,
  { account, deployed }: Examiners,
): Promise<readonly Finding[]> {
  if (place.kind === "create") {
    return newFindings(place.cluster, await observeNew(place.cluster, account));
  }
  const bucket = bucketIn(await deployed.stacks());
  return existingFindings(place.cluster, await observeExisting(place.cluster, account, bucket));
}

/**
 * The same, and what has to be true of a stage that is deployed: its stacks, what the cluster lets it
 * do, and its switches. Changes nothing.
 */
export async function examineStage(
  place: StagePlace,
  { account, deployed, rights }: Examiners & { readonly rights: ClusterRights },
  manifest: readonly RbacObject[],
  now: Date,
): Promise<readonly Finding[]> {
  const stacks = await deployed.stacks();
  const findings: Finding[] = [];
  if (place.kind === "create") {
    const observed = await observeNew(place.cluster, account);
    findings.push(...newFindings(place.cluster, observed));
    const made = madeBefore(place.cluster, observed);
    if (made) {
      const built = await observeBuilt(made, account);
      findings.push(...builtFindings(place.cluster, built, place.cluster.endpoints));
    }
  } else {
    const observed = await observeExisting(place.cluster, account, bucketIn(stacks));
    findings.push(...existingFindings(place.cluster, observed));
  }
  if (stacks.kind === "unseen") {
    return [...findings, about("stack", `stage ${place.stage}`, "breaks").hidden(stacks)];
  }
  if (stacks.value.length === 0) return findings;
  return [
    ...findings,
    ...deployedFindings(place, await observeDeployed(place, stacks.value, deployed, now)),
    ...rightsFindings(await observeRights(manifest, rights)),
  ];
}

function bucketIn(stacks: Observed<readonly Stack[]>): Observed<string | null> {
  return stacks.kind === "seen" ? seen(bucketOf(stacks.value)) : stacks;
}

import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { instanceStatements } from "../adapters/aws/ec2-instances.ts";
import { volumeStatements } from "../adapters/aws/ec2-volumes.ts";
import { clusterStatements } from "../adapters/aws/eks-clusters.ts";
import { announcementStatements } from "../adapters/aws/event-bus.ts";
import { evidenceStatements } from "../adapters/aws/evidence-bucket.ts";
import { identityStatements } from "../adapters/aws/identities.ts";
import type { Statement } from "../adapters/aws/statement.ts";
import type { Needs } from "../core/needs.ts";
import type { StateName } from "../functions/contract.ts";
import { NEEDS } from "../functions/needs.ts";
import type { StageSettings } from "../stage-settings.ts";

/** What the functions act on. */
export interface Resources {
  readonly bucketArn: string;
  /** The KMS key that encrypts the bucket. */
  readonly evidenceKeyArn: string;
  readonly busArn: string;
  readonly clusterArn: string;
  readonly partition: string;
  readonly account: string;
  readonly region: string;
  /** `amazonaws.com`, outside of China. */
  readonly urlSuffix: string;
}

/**
 * What each function may do on AWS beyond running and logging: what its state declares, on the
 * resources of this stage.
 */
export function grantsOf(state: StateName, resources: Resources): readonly PolicyStatement[] {
  return statementsOf(state, resources).map(
    ({ actions, resources: on, conditions }) =>
      new PolicyStatement({
        actions: [...actions],
        resources: [...on],
        ...(conditions && { conditions }),
      }),
  );
}

export function statementsOf(state: StateName, resources: Resources): readonly Statement[] {
  const {
    evidence = {},
    clusters = [],
    volumes = [],
    instances = [],
    identities = [],
    announcements = [],
  }: Needs = NEEDS[state];
  const s3Service = `s3.${resources.region}.${resources.urlSuffix}`;
  return [
    ...evidenceStatements(evidence, { ...resources, s3Service }),
    ...clusterStatements(clusters, resources),
    ...volumeStatements(volumes, resources),
    ...identityStatements(identities, resources),
    ...instanceStatements(instances, resources),
    ...announcementStatements(announcements, resources),
  ];
}

/** Whether no setting of the stage lets the state's function run: then the cluster does not know it. */
export function isIdle(state: StateName, { response }: StageSettings): boolean {
  return state === "ReapplyPolicy" && response.onDrift === "report";
}

import { EKSClient } from "@aws-sdk/client-eks";
import { eksClusters } from "../adapters/aws/eks-clusters.ts";
import { tokenSource } from "../adapters/kubernetes/token.ts";
import { httpsTransport, type Transport } from "../adapters/kubernetes/transport.ts";
import type { ClusterAccess } from "../core/cluster/authenticate.ts";
import type { AwsConfig } from "./stage.ts";

/** The way into a cluster as the operator, whose AWS credentials say who they are. */
export async function enter(
  clusterName: string,
  aws: AwsConfig,
): Promise<{ readonly cluster: ClusterAccess; readonly transport: Transport }> {
  const cluster = await eksClusters(aws).describe(clusterName);
  const token = tokenSource(cluster.name, {
    region: aws.region,
    credentials: () => new EKSClient(aws).config.credentials(),
    now: () => new Date(),
  });
  return { cluster, transport: httpsTransport(cluster, token) };
}

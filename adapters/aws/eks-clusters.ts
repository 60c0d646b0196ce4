import { DescribeClusterCommand, EKSClient, type EKSClientConfig } from "@aws-sdk/client-eks";
import type { Clusters } from "../../core/cluster/authenticate.ts";
import { PermanentError, TransientError } from "../../core/errors.ts";
import { translate } from "./errors.ts";
import type { Statement } from "./statement.ts";

/** Clusters as EKS describes them. */
export function eksClusters(config: EKSClientConfig): Clusters {
  const eks = new EKSClient(config);
  return {
    async describe(name) {
      try {
        const { cluster } = await eks.send(new DescribeClusterCommand({ name }));
        const endpoint = cluster?.endpoint;
        const certificateAuthority = cluster?.certificateAuthority?.data;
        if (!endpoint || !certificateAuthority) {
          throw new TransientError("AwsUnavailable", `cluster ${name} has no endpoint yet`);
        }
        const ipFamily = cluster.kubernetesNetworkConfig?.ipFamily === "ipv6" ? "ipv6" : "ipv4";
        return { name, endpoint, certificateAuthority, ipFamily };
      } catch (error) {
        if (error instanceof Error && error.name === "ResourceNotFoundException") {
          throw new PermanentError(
            "ClusterNotFound",
            `EKS knows no cluster ${name} in this account and region. Correct cluster.name in ` +
              "stages.ts and deploy, then send the alert again.",
            { cause: error },
          );
        }
        throw error instanceof TransientError
          ? error
          : translate(error, `describe cluster ${name}`);
      }
    },
  };
}

/** What IAM must allow for these operations. */
export function clusterStatements(
  operations: readonly (keyof Clusters)[],
  { clusterArn }: { readonly clusterArn: string },
): readonly Statement[] {
  const statements: Readonly<Record<keyof Clusters, Statement>> = {
    describe: { actions: ["eks:DescribeCluster"], resources: [clusterArn] },
  };
  return operations.map((operation) => statements[operation]);
}

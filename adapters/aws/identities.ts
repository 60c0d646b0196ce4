import { DescribeInstancesCommand, EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import {
  DescribePodIdentityAssociationCommand,
  EKSClient,
  type EKSClientConfig,
  type PodIdentityAssociationSummary,
  paginateListPodIdentityAssociations,
} from "@aws-sdk/client-eks";
import { eachOf } from "../../core/context/gather.ts";
import type { PodIdentityAssociation } from "../../core/credentials/blast-radius.ts";
import type { Identities } from "../../core/credentials/preview-credentials.ts";
import { translate } from "./errors.ts";
import type { Statement } from "./statement.ts";

/** Associations that are described, four at once: EKS answers few requests a second. */
const MAX_DESCRIBED = 100;
const AT_ONCE = 4;

/** Roles as EKS and EC2 know them. */
export function awsIdentities(config: EC2ClientConfig & EKSClientConfig): Identities {
  const eks = new EKSClient(config);
  const ec2 = new EC2Client(config);

  async function described(
    cluster: string,
    { associationId = "", namespace = "", serviceAccount = "" }: PodIdentityAssociationSummary,
  ): Promise<PodIdentityAssociation> {
    const { association } = await eks.send(
      new DescribePodIdentityAssociationCommand({ clusterName: cluster, associationId }),
    );
    return { associationId, namespace, serviceAccount, roleArn: association?.roleArn ?? null };
  }

  return {
    async podIdentityAssociations(cluster, first) {
      try {
        const all: PodIdentityAssociationSummary[] = [];
        const pages = paginateListPodIdentityAssociations(
          { client: eks },
          { clusterName: cluster },
        );
        for await (const { associations = [] } of pages) all.push(...associations);
        const isFirst = (each: PodIdentityAssociationSummary) =>
          each.namespace === first.namespace && each.serviceAccount === first.serviceAccount;
        const ordered = all.toSorted((one, other) => Number(isFirst(other)) - Number(isFirst(one)));
        const known = await eachOf(
          ordered.slice(0, MAX_DESCRIBED),
          (each) => described(cluster, each),
          AT_ONCE,
        );
        const rest = ordered.slice(MAX_DESCRIBED).map((each) => ({
          associationId: each.associationId ?? "",
          namespace: each.namespace ?? "",
          serviceAccount: each.serviceAccount ?? "",
          roleArn: null,
        }));
        return [...known, ...rest];
      } catch (error) {
        throw translate(error, `list the Pod Identity associations of cluster ${cluster}`);
      }
    },

    async instanceProfile(instanceId) {
      const instances = async (name: string, value: string) => {
        const { Reservations = [] } = await ec2.send(
          new DescribeInstancesCommand({ Filters: [{ Name: name, Values: [value] }] }),
        );
        return Reservations.flatMap(({ Instances = [] }) => Instances);
      };
      try {
        const [instance] = await instances("instance-id", instanceId);
        const arn = instance?.IamInstanceProfile?.Arn;
        if (arn === undefined) return null;
        const sharing = await instances("iam-instance-profile.arn", arn);
        return { arn, instanceIds: sharing.flatMap(({ InstanceId }) => InstanceId ?? []) };
      } catch (error) {
        throw translate(error, `find the instance profile of ${instanceId}`);
      }
    },
  };
}

/** What IAM must allow for these operations. */
export function identityStatements(
  operations: readonly (keyof Identities)[],
  { clusterArn }: { readonly clusterArn: string },
): readonly Statement[] {
  // arn:aws:eks:<region>:<account>:cluster/<name> and …:podidentityassociation/<name>/<id>
  const associations = `${clusterArn.replace(":cluster/", ":podidentityassociation/")}/*`;
  const statements: Readonly<Record<keyof Identities, readonly Statement[]>> = {
    podIdentityAssociations: [
      { actions: ["eks:ListPodIdentityAssociations"], resources: [clusterArn] },
      { actions: ["eks:DescribePodIdentityAssociation"], resources: [associations] },
    ],
    // Describe actions know no resource.
    instanceProfile: [{ actions: ["ec2:DescribeInstances"], resources: ["*"] }],
  };
  return operations.flatMap((operation) => statements[operation]);
}

import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { StackContext } from "sst/constructs";

/**
 * What the state machine itself may ask of AWS for the context of a run: no endpoint of the VPC leads
 * to these services. Nothing but reading; what has a resource is asked of that one only.
 */
export function contextRights(
  stack: StackContext["stack"],
  clusterName: string,
): readonly PolicyStatement[] {
  const arn = (service: string, resource: string, resourceName: string) =>
    stack.formatArn({ service, resource, resourceName });
  const auditLog = `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:/aws/eks/${clusterName}/cluster:*`;
  const profiles = `arn:${stack.partition}:iam::${stack.account}:instance-profile/*`;
  return [
    new PolicyStatement({
      // These know no resource.
      actions: ["cloudtrail:LookupEvents", "guardduty:ListDetectors", "logs:GetQueryResults"],
      resources: ["*"],
    }),
    new PolicyStatement({
      actions: ["guardduty:ListFindings", "guardduty:GetFindings"],
      resources: [arn("guardduty", "detector", "*")], // there is one, and its id is not ours to know
    }),
    new PolicyStatement({ actions: ["logs:StartQuery"], resources: [auditLog] }),
    new PolicyStatement({ actions: ["iam:GetInstanceProfile"], resources: [profiles] }),
  ];
}

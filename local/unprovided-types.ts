/**
 * CloudFormation types that the emulator does not know are reported CREATE_COMPLETE and do nothing.
 * A stage in which, say, the queue's policy silently does not exist proves nothing, so every such
 * type is either listed here with its reason or fails the start.
 */
import { readFile } from "node:fs/promises";

/** Types whose absence changes nothing that runs locally; the stacks' tests assert them on the template. */
export const acceptedUnprovidedTypes: ReadonlySet<string> = new Set([
  "AWS::Athena::NamedQuery", // kept for people, run by nobody
  "AWS::CloudWatch::Dashboard", // looked at, never acted on
  "AWS::EC2::FlowLog", // the local network carries no packets
  "AWS::EC2::LaunchTemplate", // of nodes that the scene brings itself
  "AWS::EC2::SecurityGroupEgress", // the local network carries no packets
  "AWS::EC2::SecurityGroupIngress", // the local network carries no packets
  "AWS::EKS::Nodegroup", // the scene brings its own nodes
  "AWS::EKS::PodIdentityAssociation", // pods run no containers here
  "AWS::Events::Archive", // nothing replays
  "AWS::Logs::MetricFilter", // only alarms read it
  "Custom::S3AutoDeleteObjects", // SST's bootstrap bucket; all of it ends with the stage
  "Custom::VpcRestrictDefaultSG", // the local network carries no packets
]);

/** Types in the emulator's log that did nothing and are not accepted, sorted. */
export async function unprovidedTypes(logFile: string): Promise<string[]> {
  const log = await readFile(logFile, "utf8");
  const found = new Set<string>();
  for (const match of log.matchAll(/No resource provider found for "([^"]+)"/g)) {
    if (match[1] !== undefined && !acceptedUnprovidedTypes.has(match[1])) found.add(match[1]);
  }
  return [...found].sort();
}

import * as z from "zod";
import { isNamespaceName, isPodName, isUid, type PodTarget } from "../target/target.ts";
import type { Alert, Severity } from "./alert.ts";
import {
  type ClusterIdentity,
  MAX_TEXT_LENGTH,
  quote,
  type Reading,
  refused,
  unreadable,
  utcTime,
} from "./reading.ts";

const Workload = z.object({
  name: z.string(),
  type: z.string(),
  uid: z.string().nullish(),
  namespace: z.string().nullish(),
});

/** The parts of a GuardDuty finding that decide; `kubernetesWorkloadDetails` is null at times. */
const Finding = z.object({
  id: z.string().min(1).max(MAX_TEXT_LENGTH),
  type: z.string().min(1).max(MAX_TEXT_LENGTH),
  severity: z.number(),
  createdAt: z.string(),
  resource: z.object({
    eksClusterDetails: z.object({ name: z.string(), arn: z.string().nullish() }).nullish(),
    kubernetesDetails: z.object({ kubernetesWorkloadDetails: Workload.nullish() }).nullish(),
  }),
  service: z.object({
    eventFirstSeen: z.string().nullish(),
    eventLastSeen: z.string().nullish(),
    additionalInfo: z.unknown().optional(),
  }),
});

/** GuardDuty's own bands: 9 and above critical, 7 high, 4 medium, 1 low. */
function severityOf(score: number): Severity {
  if (score >= 9) return "critical";
  if (score >= 7) return "high";
  if (score >= 4) return "medium";
  return "low";
}

/** Reads one finding, bare or out of its event; `cluster` is the one that this stage contains in. */
export function readGuardDuty(finding: unknown, cluster: ClusterIdentity): Reading {
  const parsed = Finding.safeParse(finding);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return unreadable(`not a GuardDuty finding: ${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { id, type, severity, createdAt, resource, service } = parsed.data;
  const seen = service.eventLastSeen ?? service.eventFirstSeen ?? createdAt;
  const detectedAt = utcTime(seen);
  if (detectedAt === null) return unreadable(`eventLastSeen ${quote(seen)} is not a time`);
  const alert: Alert = {
    source: "guardduty",
    id,
    rule: type,
    severity: severityOf(severity),
    detectedAt,
  };
  if (isSample(service.additionalInfo)) return refused("a sample finding", alert);
  const named = resource.eksClusterDetails;
  if (!named) return refused("the finding names no EKS cluster", alert);
  // An administrator account hears of its members' clusters, which may bear the same name.
  const elsewhere = cluster.arn !== null && named.arn ? named.arn !== cluster.arn : false;
  if (named.name !== cluster.name || elsewhere) {
    const which = quote(named.arn ?? named.name);
    return refused(`unknown cluster ${which}: this stage contains in ${cluster.name}`, alert);
  }
  const workload = resource.kubernetesDetails?.kubernetesWorkloadDetails;
  if (!workload?.namespace || !workload.name) {
    return refused("the finding names no Kubernetes workload: no target", alert);
  }
  if (workload.type !== "pods") {
    return refused(`a workload of type ${quote(workload.type)}: only pods can be contained`, alert);
  }
  if (!isNamespaceName(workload.namespace)) {
    return refused(`namespace ${quote(workload.namespace)} is not a DNS label`, alert);
  }
  if (!isPodName(workload.name)) {
    return refused(`pod name ${quote(workload.name)} is not a DNS subdomain`, alert);
  }
  if (workload.uid && !isUid(workload.uid)) {
    return refused(`uid ${quote(workload.uid)} is none`, alert);
  }
  const target: PodTarget = {
    cluster: cluster.name,
    namespace: workload.namespace,
    kind: "pod",
    name: workload.name,
    uid: workload.uid || null,
    containerId: null,
  };
  return { kind: "detection", detection: { alert, target } };
}

/** Samples say so in `additionalInfo.sample`, or in the JSON text of `additionalInfo.value`. */
function isSample(additionalInfo: unknown): boolean {
  if (typeof additionalInfo !== "object" || additionalInfo === null) return false;
  if ("sample" in additionalInfo && additionalInfo.sample === true) return true;
  const value = "value" in additionalInfo ? additionalInfo.value : undefined;
  return typeof value === "string" && /"sample"\s*:\s*true/.test(value);
}

import * as z from "zod";
import { isNamespaceName, isPodName, isUid, type Target } from "../target/target.ts";
import { type Alert, MODES, type Mode } from "./alert.ts";
import {
  type ClusterIdentity,
  MAX_TEXT_LENGTH,
  quote,
  type Reading,
  refused,
  unreadable,
  utcTime,
} from "./reading.ts";

/** The event source of requests made by hand, and the two things that can be asked for. */
export const MANUAL_SOURCE = "demo.containment";
export const MANUAL_DETAIL_TYPES = {
  namespace: "NamespaceContainmentRequested",
  pod: "PodContainmentRequested",
} as const;

const Request = z.object({
  namespace: z.unknown().optional(),
  pod: z.unknown().optional(),
  uid: z.unknown().optional(),
  cluster: z.unknown().optional(),
  reason: z.unknown().optional(),
  mode: z.unknown().optional(),
});

/**
 * Reads a request made by hand. It asks for an explicit mode: a misspelt or missing one is refused,
 * never taken as audit or as containment.
 */
export function readManual(
  event: { readonly id: string; readonly detailType: string; readonly time: string },
  detail: unknown,
  { name: cluster }: ClusterIdentity,
): Reading {
  const parsed = Request.safeParse(detail);
  if (!parsed.success) return unreadable("the request's detail is not an object");
  const { namespace, pod, uid, cluster: named, reason, mode } = parsed.data;
  const detectedAt = utcTime(event.time);
  if (detectedAt === null) return unreadable(`time ${quote(event.time)} is not a time`);
  const alert: Alert = {
    source: "manual",
    id: event.id,
    rule: isReason(reason) ? reason.trim() : event.detailType,
    severity: "critical",
    detectedAt,
  };
  if (named !== undefined && named !== null && named !== cluster) {
    return refused(`unknown cluster ${quote(named)}: this stage contains in ${cluster}`, alert);
  }
  if (!isMode(mode)) {
    return refused(
      `unknown mode ${quote(mode ?? null)}: it must be "containment" or "audit"`,
      alert,
    );
  }
  if (!isReason(reason)) {
    return refused(`a request by hand needs a reason of 1 to ${MAX_TEXT_LENGTH} characters`, alert);
  }
  if (uid !== undefined && uid !== null && !(typeof uid === "string" && isUid(uid))) {
    return refused(`uid ${quote(uid)} is none`, alert);
  }
  if (typeof namespace !== "string" || !isNamespaceName(namespace)) {
    return refused(`namespace ${quote(namespace ?? null)} is not a DNS label`, alert);
  }
  const target = targetOf(event.detailType, cluster, namespace, pod, uid ?? null);
  if (typeof target === "string") return refused(target, alert);
  return { kind: "detection", detection: { alert, target, requestedMode: mode } };
}

function targetOf(
  detailType: string,
  cluster: string,
  namespace: string,
  pod: unknown,
  uid: string | null,
): Target | string {
  switch (detailType) {
    case MANUAL_DETAIL_TYPES.namespace:
      // Whoever names a pod does not mean everything around it.
      if (pod !== undefined && pod !== null) return "a namespace was asked for, and a pod named";
      return { cluster, namespace, kind: "namespace", name: namespace, uid };
    case MANUAL_DETAIL_TYPES.pod:
      if (typeof pod !== "string" || !isPodName(pod)) {
        return `pod name ${quote(pod ?? null)} is not a DNS subdomain`;
      }
      return { cluster, namespace, kind: "pod", name: pod, uid, containerId: null };
    default:
      return `unknown request ${quote(detailType)}`;
  }
}

function isReason(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "" && value.length <= MAX_TEXT_LENGTH;
}

function isMode(value: unknown): value is Mode {
  return MODES.some((mode) => mode === value);
}

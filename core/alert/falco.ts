import * as z from "zod";
import { isNamespaceName, isPodName, type PodTarget } from "../target/target.ts";
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

/** Falco's eight priorities, as Falcosidekick prints them, and what they mean to us. */
const SEVERITY_OF: ReadonlyMap<string, Severity> = new Map([
  ["Emergency", "critical"],
  ["Alert", "critical"],
  ["Critical", "critical"],
  ["Error", "high"],
  ["Warning", "medium"],
  ["Notice", "low"],
  ["Informational", "informational"],
  ["Debug", "informational"],
]);

/**
 * The body that Falcosidekick puts on its SQS output (captured from 2.34). `time` is used for the
 * clock because `evt.time` is in nanoseconds beyond 2^53.
 */
const FalcoBody = z.object({
  uuid: z.string().min(1).max(MAX_TEXT_LENGTH),
  priority: z.string(),
  rule: z.string().min(1).max(MAX_TEXT_LENGTH),
  time: z.string(),
  output_fields: z.record(z.string(), z.unknown()),
  source: z.string(),
});

/** How Falco and Falcosidekick print a value that they do not have. */
const ABSENT = new Set(["", "<NA>", "<no value>", "null"]);

type Fields = Readonly<Record<string, unknown>>;

/** The fields that say what the target is. Each is text, or absent. */
const NAMING_FIELDS = [
  "cluster",
  "container.id",
  "k8s.ns.name",
  "k8s.pod.name",
  "ka.target.resource",
  "ka.target.namespace",
  "ka.resp.name",
];

/** Reads one Falco alert; `cluster` is the cluster whose queue it arrived on. */
export function readFalco(body: unknown, { name: cluster }: ClusterIdentity): Reading {
  const parsed = FalcoBody.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return unreadable(`not a Falco alert: ${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { uuid, priority, rule, time, output_fields: fields, source } = parsed.data;
  const severity = SEVERITY_OF.get(priority);
  if (severity === undefined) return unreadable(`unknown Falco priority ${quote(priority)}`);
  const detectedAt = utcTime(time);
  if (detectedAt === null) return unreadable(`time ${quote(time)} is not a time`);
  const alert: Alert = { source: "falco", id: uuid, rule, severity, detectedAt };

  if (rule === "Test rule" || source === "internal") {
    return refused("a test message of Falco or Falcosidekick, not a detection", alert);
  }
  const odd = NAMING_FIELDS.find((each) => !["string", "undefined"].includes(typeOf(fields[each])));
  if (odd !== undefined) return refused(`${odd} is not text: the alert names no target`, alert);
  const namedCluster = field(fields, "cluster");
  if (namedCluster !== null && namedCluster !== cluster) {
    return refused(
      `unknown cluster ${quote(namedCluster)}: this stage contains in ${cluster}`,
      alert,
    );
  }
  const names = source === "k8s_audit" ? auditedPod(fields) : containerPod(fields);
  if ("missing" in names) return refused(names.missing, alert);
  const { namespace, name, containerId } = names;
  if (!isNamespaceName(namespace)) {
    return refused(`namespace ${quote(namespace)} is not a DNS label`, alert);
  }
  if (containerId !== null && !/^[0-9a-f]{12,64}$/.test(containerId)) {
    return refused(`container id ${quote(containerId)} is none`, alert);
  }
  if (!isPodName(name)) return refused(`pod name ${quote(name)} is not a DNS subdomain`, alert);
  const target: PodTarget = { cluster, namespace, kind: "pod", name, uid: null, containerId };
  return { kind: "detection", detection: { alert, target } };
}

type PodNames =
  | { readonly namespace: string; readonly name: string; readonly containerId: string | null }
  | { readonly missing: string };

/** The pod of a system call: Falco's container and Kubernetes metadata fields. */
function containerPod(fields: Fields): PodNames {
  const containerId = field(fields, "container.id");
  if (containerId === "host") return { missing: "a process of the host, not of a container" };
  const namespace = field(fields, "k8s.ns.name");
  const name = field(fields, "k8s.pod.name");
  if (namespace === null) return { missing: "k8s.ns.name is missing: the alert names no target" };
  if (name === null) return { missing: "k8s.pod.name is missing: the alert names no target" };
  return { namespace, name, containerId };
}

/** The pod of an API request: Falco's k8s_audit plugin has no container, only the object. */
function auditedPod(fields: Fields): PodNames {
  const resource = field(fields, "ka.target.resource");
  if (resource !== "pods") {
    return { missing: `an audit event about ${quote(resource)}: only pods can be contained` };
  }
  const namespace = field(fields, "ka.target.namespace");
  const name = field(fields, "ka.resp.name");
  if (namespace === null) return { missing: "ka.target.namespace is missing: no target" };
  if (name === null) return { missing: "ka.resp.name is missing: no target" };
  return { namespace, name, containerId: null };
}

function field(fields: Fields, name: string): string | null {
  const value = fields[name];
  return typeof value === "string" && !ABSENT.has(value) ? value : null;
}

/** Null and absent are the same to Falco. */
function typeOf(value: unknown): string {
  return value === null ? "undefined" : typeof value;
}

import type { Target } from "../target/target.ts";

/** Everything that is known of one run lies under this prefix, and nothing else does. */
export function runPrefix(runId: string): string {
  return `runs/${runId}/`;
}

/** The artefacts of a run, in the order in which the playbook writes them. */
export type ArtefactName =
  | "alert.json"
  | "authentication.json"
  | "before.json"
  | "plan.json"
  | "policy.json"
  | "completion.json"
  | "preservation-plan.json"
  | "preservation.json"
  | "node.json"
  | "volumes.json"
  | "context.json"
  | LogPageName
  | "credentials.json"
  | "aws-context.json"
  | "snapshots.json"
  | "after.json"
  | "containment.json"
  | "audit.json"
  | "drain-plan.json"
  | "drain.json"
  | "manifest.json"
  | PodPageName
  | ConflictName;

export type PodPageName = `before-pods-${number}.json` | `after-pods-${number}.json`;

export type LogPageName = `logs-${number}.json`;

/** What a state would have written over one of the others; the last part is of its SHA-256. */
export type ConflictName = `conflict-${string}.json`;

/** What a state declares that it writes or reads; `*` stands for any text. */
export type KeyPattern =
  | `runs/*/${Exclude<ArtefactName, PodPageName | LogPageName | ConflictName>}`
  | `runs/*/${"before" | "after"}-pods-*.json`
  | "runs/*/logs-*.json"
  | "runs/*"
  | "cases/*/runs/*"
  | "cases/*/case.json"
  | "cases/*/alerts/*.json"
  | "cases/*/absorbed/*.json"
  | "cases/*/runs/*.json"
  | "cases/*/verdicts/*"
  | "cases/*/verdicts/*.json"
  | "cases/*/reapplications/*.json"
  | "cases/*/failures/*.json"
  | "open/*"
  | "brakes/*"
  | "ignored/*";

export function artefactKey(runId: string, name: ArtefactName): string {
  return `${runPrefix(runId)}${name}`;
}

export function caseKey(caseId: string): string {
  return `cases/${caseId}/case.json`;
}

/** An alert that joined a case, named by the execution that brought it: one alert, one object. */
export function joinedAlertKey(caseId: string, executionName: string): string {
  return `${joinedAlertsPrefix(caseId)}${executionName}.json`;
}

/** Attempts of a case's execution that ended badly. */
export function failuresPrefix(caseId: string): string {
  return `cases/${caseId}/failures/`;
}

/** @param attempt how often the execution was redriven before */
export function failureKey(caseId: string, executionName: string, attempt: number): string {
  return `${failuresPrefix(caseId)}${executionName}-${attempt}.json`;
}

/** What a case knows of its runs: one small record for each that was sealed. */
export function runRecordsPrefix(caseId: string): string {
  return `cases/${caseId}/runs/`;
}

export function runRecordKey(caseId: string, runId: string): string {
  return `${runRecordsPrefix(caseId)}${runId}.json`;
}

/** What later looks at an open case came to, in the order in which they were written down. */
export function verdictsPrefix(caseId: string): string {
  return `cases/${caseId}/verdicts/`;
}

/**
 * Numbered, so that of two looks at one moment only one can be the next; with six digits, so that
 * names sort as they were written.
 */
export function verdictKey(caseId: string, number: number): string {
  return `${verdictsPrefix(caseId)}${String(number).padStart(6, "0")}.json`;
}

/** What the quarantine was put back by, each time. */
export function reapplicationKey(caseId: string, number: number): string {
  return `cases/${caseId}/reapplications/${number}.json`;
}

/** Every open case has a marker under it. */
export const OPEN_CASES_PREFIX = "open/";

/** The alerts that joined a case. */
export function joinedAlertsPrefix(caseId: string): string {
  return `cases/${caseId}/alerts/`;
}

/** Another open case that a case came to stand for. */
export function absorbedKey(caseId: string, absorbedId: string): string {
  return `${absorbedPrefix(caseId)}${absorbedId}.json`;
}

export function absorbedPrefix(caseId: string): string {
  return `cases/${caseId}/absorbed/`;
}

/**
 * The markers that give one target to one case, and the only kind of key that is ever deleted: one
 * for the name, and beside it those of what the name's bearer is known by (`core/case/markers.ts`).
 */
export function openCaseKey(target: Target, identity: string | null = null): string {
  const suffix = identity === null ? "" : `@${identity}`;
  return `${openCasesPrefix(target, target.kind)}${target.name}${suffix}.json`;
}

/** The markers of everything of a kind in a namespace. */
export function openCasesPrefix(
  { cluster, namespace }: Pick<Target, "cluster" | "namespace">,
  kind: Target["kind"],
): string {
  return `open/${cluster}/${namespace}/${kind}/`;
}

/** What the key of a marker says of its target; null for other keys. */
export function openTargetOf(
  key: string,
): { readonly namespace: string; readonly kind: string; readonly name: string } | null {
  const [, namespace, kind, name] =
    /^open\/[^/]+\/([^/]+)\/([^/]+)\/([^/@]+)(?:@[^/]+)?\.json$/.exec(key) ?? [];
  return namespace && kind && name ? { namespace, kind, name } : null;
}

/** An event that was understood and refused, filed by day. */
export function ignoredKey(startedAt: string, executionName: string): string {
  return `ignored/${startedAt.slice(0, 10)}/${executionName}.json`;
}

/** The artefact's name inside its run's folder, or null for keys that are of no run. */
export function nameInRun(key: string): string | null {
  return /^runs\/[^/]+\/(.+)$/.exec(key)?.[1] ?? null;
}

/**
 * The version of an artefact's published schema, `eks-containment/before/1`. Pages of one capture
 * and conflicts share one each. A change of a shape that a reader would stumble over raises its
 * number here.
 */
export function schemaOf(name: string): string {
  const stem = name
    .replace(/\.json$/, "")
    .replace(/^conflict-.*/, "conflict")
    .replace(/-\d+$/, "");
  return `eks-containment/${stem}/${stem === "manifest" ? 2 : 1}`;
}

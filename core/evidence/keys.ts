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
  | `before-pods-${number}.json`
  | "plan.json"
  | "policy.json"
  | "completion.json"
  | "node.json"
  | "volumes.json"
  | "context.json"
  | `logs-${number}.json`
  | "credentials.json"
  | "aws-context.json"
  | "after.json"
  | `after-pods-${number}.json`
  | "containment.json"
  | "audit.json"
  | "manifest.json";

/** What a state declares that it writes or reads; `*` stands for any text. */
export type KeyPattern =
  | `runs/*/${Exclude<ArtefactName, `${string}-${number}.json`>}`
  | `runs/*/${"before" | "after"}-pods-*.json`
  | "runs/*/logs-*.json"
  | "runs/*"
  | "cases/*/case.json"
  | "cases/*/alerts/*.json"
  | "open/*"
  | "ignored/*";

export function artefactKey(runId: string, name: ArtefactName): string {
  return `${runPrefix(runId)}${name}`;
}

export function caseKey(caseId: string): string {
  return `cases/${caseId}/case.json`;
}

/** An alert that joined a case, named by the execution that brought it: one alert, one object. */
export function joinedAlertKey(caseId: string, executionName: string): string {
  return `cases/${caseId}/alerts/${executionName}.json`;
}

/**
 * The marker that gives one target to one case, and the only kind of key that is ever deleted. A
 * name is used again by the next pod of a StatefulSet, so where the marker of the name belongs to
 * another container or UID, the target's own identity is marked beside it.
 */
export function openCaseKey(target: Target, identity: string | null = null): string {
  const { cluster, namespace, kind, name } = target;
  const suffix = identity === null ? "" : `@${identity}`;
  return `open/${cluster}/${namespace}/${kind}/${name}${suffix}.json`;
}

/** An event that was understood and refused, filed by day. */
export function ignoredKey(startedAt: string, executionName: string): string {
  return `ignored/${startedAt.slice(0, 10)}/${executionName}.json`;
}

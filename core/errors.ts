/**
 * The failures of the product. Step Functions matches Retry and Catch on `name`, so each name is a
 * literal that minifying cannot change, and a test holds the workflow to this list.
 *
 * There are two kinds. A *transient* failure may heal by waiting, so the workflow retries it. A
 * *permanent* one never heals by itself: the message says what the operator must do, the workflow
 * does not retry it, and a redrive resumes at the failed state once the cause is gone.
 */
export const TRANSIENT_ERRORS = [
  "KubernetesUnavailable",
  "KubernetesThrottled",
  "KubernetesUnauthorized",
  "KubernetesConflict",
  "EvidenceUnavailable",
  "AwsUnavailable",
  "AwsThrottled",
  "TargetNotSettled",
] as const;

export const PERMANENT_ERRORS = [
  "InvalidInput",
  "ClusterNotFound",
  "KubernetesForbidden",
  "KubernetesRejected",
  "PermissionMissing",
  "PolicyNameTaken",
  "EvidenceDenied",
  "EvidenceAltered",
  "AwsDenied",
  "SnapshotRefused",
] as const;

export type TransientErrorName = (typeof TRANSIENT_ERRORS)[number];
export type PermanentErrorName = (typeof PERMANENT_ERRORS)[number];

/** A failure that waiting may cure; the workflow retries it with backoff. */
export class TransientError extends Error {
  override readonly name: TransientErrorName;
  constructor(name: TransientErrorName, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = name;
  }
}

/** A failure that only a person can cure; its message says how. */
export class PermanentError extends Error {
  override readonly name: PermanentErrorName;
  constructor(name: PermanentErrorName, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = name;
  }
}

/** What IAM must allow for a call: one statement of a policy. */
export interface Statement {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** By operator and key, as in `{ StringEquals: { "kms:ViaService": … } }`. */
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>;
}

import * as z from "zod";

/** What the functions do with the evidence bucket; `stacks/grants.ts` grants it function by function. */
export const BUCKET_ACTIONS = ["s3:ListBucket", "s3:ListBucketVersions"] as const;
export const OBJECT_ACTIONS = [
  "s3:GetObject",
  "s3:GetObjectVersion",
  "s3:PutObject",
  "s3:DeleteObject",
] as const;

const oneOrMany = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === "string" ? [value] : value));

const Statement = z.looseObject({
  Effect: z.enum(["Allow", "Deny"]),
  Principal: z.unknown().optional(),
  Action: oneOrMany.optional(),
  Resource: oneOrMany.optional(),
  Condition: z.unknown().optional(),
});
type Statement = z.infer<typeof Statement>;

const Policy = z.looseObject({
  Statement: z.union([z.array(Statement), Statement.transform((statement) => [statement])]),
});

/** `refused` names the actions; `unclear` says what would have to be known. */
export type Passage =
  | { readonly passes: "yes" }
  | { readonly passes: "no"; readonly refused: readonly string[] }
  | { readonly passes: "unclear"; readonly why: string };

/**
 * Whether an endpoint's policy lets the functions use the evidence bucket, as far as its text tells.
 * A null bucket has no name yet: then only a policy that lets every bucket through is a yes.
 * Conditions and principals are not evaluated: what depends on them is unclear.
 */
export function passageOf(policy: unknown, bucket: string | null): Passage {
  const parsed = Policy.safeParse(policy);
  if (!parsed.success) return { passes: "unclear", why: "its policy cannot be read" };
  const statements = parsed.data.Statement;
  const needs = needsOf(bucket);
  const results = needs.map(([action, resource]) => ({
    action,
    result: decide(statements, action, resource),
  }));
  const refused = results.filter(({ result }) => result === "no").map(({ action }) => action);
  if (refused.length > 0 && bucket !== null) return { passes: "no", refused };
  if (refused.length > 0) {
    return { passes: "unclear", why: "it names buckets, and the evidence bucket has no name yet" };
  }
  return results.some(({ result }) => result === "unclear")
    ? { passes: "unclear", why: "it depends on conditions, principals or exceptions" }
    : { passes: "yes" };
}

function needsOf(bucket: string | null): readonly (readonly [action: string, resource: string])[] {
  // Of a bucket without a name yet, one that no written pattern but a wildcard can mean.
  const arn = `arn:aws:s3:::${bucket ?? "<not named yet>"}`;
  return [
    ...BUCKET_ACTIONS.map((action) => [action, arn] as const),
    ...OBJECT_ACTIONS.map((action) => [action, `${arn}/runs/x`] as const),
  ];
}

function decide(
  statements: readonly Statement[],
  action: string,
  resource: string,
): "yes" | "no" | "unclear" {
  const relevant = statements.filter((each) => concerns(each, action, resource));
  const sure = (effect: "Allow" | "Deny") =>
    relevant.some((each) => each.Effect === effect && isPlain(each));
  if (sure("Deny")) return "no";
  if (relevant.some(({ Effect }) => Effect === "Deny")) return "unclear";
  if (sure("Allow")) return "yes";
  return relevant.length > 0 ? "unclear" : "no";
}

/** NotAction and NotResource are exceptions: such a statement may concern anything. */
function concerns({ Action, Resource }: Statement, action: string, resource: string): boolean {
  const action_ = Action?.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase()));
  const resource_ = Resource?.some((pattern) => matches(pattern, resource));
  return (action_ ?? true) && (resource_ ?? true);
}

/** Says what it says to everybody, always. */
function isPlain({ Principal, Condition, Action, Resource }: Statement): boolean {
  const everybody = Principal === "*" || JSON.stringify(Principal) === '{"AWS":"*"}';
  return everybody && Condition === undefined && Action !== undefined && Resource !== undefined;
}

/** IAM's wildcards: `*` for any text, `?` for one character. */
function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}

/** The policy with a statement more, that lets the functions use the evidence bucket. */
export function policyAdmitting(policy: unknown, bucket: string): unknown {
  const parsed = Policy.safeParse(policy);
  const arn = `arn:aws:s3:::${bucket}`;
  return {
    Version: "2012-10-17",
    Statement: [
      ...(parsed.success ? parsed.data.Statement : []),
      {
        Effect: "Allow",
        Principal: "*",
        Action: [...BUCKET_ACTIONS, ...OBJECT_ACTIONS],
        Resource: [arn, `${arn}/*`],
      },
    ],
  };
}

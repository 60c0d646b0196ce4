import { expect, test } from "vitest";
import { passageOf, policyAdmitting } from "./endpoint-policy.ts";

const allow = (Resource: string | string[], more: object = {}) => ({
  Statement: [{ Effect: "Allow", Principal: "*", Action: "s3:*", Resource, ...more }],
});
const deny = { Effect: "Deny", Principal: "*", Action: "s3:DeleteObject", Resource: "*" };
const ours = ["arn:aws:s3:::evidence-1", "arn:aws:s3:::evidence-1/*"];

test.each<[what: string, policy: unknown, passes: "yes" | "no" | "unclear"]>([
  ["everything for everybody", allow("*", { Action: "*" }), "yes"],
  ["the bucket and its objects", allow(ours), "yes"],
  [
    "every bucket, written as AWS does",
    allow("arn:aws:s3:::*", { Principal: { AWS: "*" } }),
    "yes",
  ],
  [
    "a pattern that means the bucket",
    allow(["arn:aws:s3:::evidence-?", "arn:aws:s3:::evidence-?/*"]),
    "yes",
  ],
  ["one statement that is not in a list", { Statement: allow(ours).Statement[0] }, "yes"],
  ["the objects without the bucket", allow("arn:aws:s3:::evidence-1/*"), "no"],
  ["another bucket", allow(["arn:aws:s3:::evidence-2", "arn:aws:s3:::evidence-2/*"]), "no"],
  ["a dot is no wildcard", allow(["arn:aws:s3:::evidence.1", "arn:aws:s3:::evidence.1/*"]), "no"],
  ["reading only", allow("*", { Action: ["s3:Get*", "s3:List*"] }), "no"],
  ["nothing", { Statement: [] }, "no"],
  ["everything but deleting", { Statement: [...allow("*").Statement, deny] }, "no"],
  [
    "deleting, on a condition",
    { Statement: [...allow("*").Statement, { ...deny, Condition: { Bool: {} } }] },
    "unclear",
  ],
  ["on a condition", allow("*", { Condition: { StringEquals: {} } }), "unclear"],
  ["for one account", allow("*", { Principal: { AWS: "111122223333" } }), "unclear"],
  [
    "all but something",
    { Statement: [{ Effect: "Allow", Principal: "*", NotAction: "s3:Put*", Resource: "*" }] },
    "unclear",
  ],
  ["no policy at all", null, "unclear"],
])("%s: %s", (_what, policy, passes) => {
  expect(passageOf(policy, "evidence-1").passes).toBe(passes);
});

test("before the bucket has a name, only a policy for every bucket lets it through", () => {
  expect(passageOf(allow("*"), null).passes).toBe("yes");
  expect(passageOf(allow("arn:aws:s3:::*"), null).passes).toBe("yes");
  expect(passageOf(allow(ours), null).passes).toBe("unclear");
});

test("the policy that is proposed lets the bucket through and keeps what there was", () => {
  const proposed = policyAdmitting(allow("arn:aws:s3:::other/*"), "evidence-1");

  expect(passageOf(proposed, "evidence-1").passes).toBe("yes");
  expect(JSON.stringify(proposed)).toContain("arn:aws:s3:::other/*");
});

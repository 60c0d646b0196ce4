import { expect, test } from "vitest";
import { look, unlessAbsent } from "./observe.ts";

function failing(name: string, message: string): () => Promise<string> {
  return async () => {
    throw Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 } });
  };
}

test("what is denied is unseen, with the IAM action that is missing", async () => {
  for (const name of ["AccessDeniedException", "UnauthorizedOperation", "AccessDenied"]) {
    expect(await look("eks:DescribeCluster", failing(name, "no"))).toEqual({
      kind: "unseen",
      why: `not allowed to look: needs eks:DescribeCluster (${name}: no)`,
    });
  }
});

test("what gives no answer is unseen, and not taken for absent", async () => {
  expect(await look("ec2:DescribeVpcs", failing("TimeoutError", "no answer"))).toEqual({
    kind: "unseen",
    why: "no answer to ec2:DescribeVpcs (TimeoutError: no answer)",
  });
});

test("only what AWS says is not there is null", async () => {
  const read = failing("ResourceNotFoundException", "no cluster");

  expect(await look("eks:DescribeCluster", () => unlessAbsent(read()))).toEqual({
    kind: "seen",
    value: null,
  });
  await expect(unlessAbsent(failing("NoSuchBucket", "gone")())).rejects.toThrow("gone");
});

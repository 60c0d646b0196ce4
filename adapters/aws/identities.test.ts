import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { awsIdentities, identityStatements } from "./identities.ts";

/*
 * The emulated AWS has no Pod Identity associations: a server on loopback answers here as EKS's API
 * model says, and tells what it was asked.
 */

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function prepare(answer: (path: string) => { status?: number; body: unknown }) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const { status = 200, body } = answer(request.url ?? "");
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closing.push(() => server.close());
  const identities = awsIdentities({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
  });
  return { identities, asked };
}

const summary = (n: number, serviceAccount = `account-${n}`) => ({
  ...{ associationId: `a-${n}`, clusterName: "prod", namespace: "payments", serviceAccount },
});
const LIST = "/clusters/prod/pod-identity-associations";
const FIRST = { namespace: "payments", serviceAccount: "mine" };

describe("Pod Identity associations", () => {
  test("are listed to the last page and described with their roles", async () => {
    const { identities, asked } = await prepare((path) => {
      if (path === LIST) return { body: { associations: [summary(1)], nextToken: "next" } };
      if (path.startsWith(`${LIST}?`)) return { body: { associations: [summary(2)] } };
      const id = path.split("/").at(-1);
      return { body: { association: { associationId: id, roleArn: `arn:role/${id}` } } };
    });

    expect(await identities.podIdentityAssociations("prod", FIRST)).toEqual([
      expect.objectContaining({ associationId: "a-1", roleArn: "arn:role/a-1" }),
      expect.objectContaining({ associationId: "a-2", roleArn: "arn:role/a-2" }),
    ]);
    expect(asked).toHaveLength(4);
  });

  test("are described up to a bound, the one of the target's account first", async () => {
    const all = Array.from({ length: 130 }, (_, n) =>
      summary(n, n === 129 ? "mine" : `other-${n}`),
    );
    const { identities, asked } = await prepare((path) =>
      path === LIST
        ? { body: { associations: all } }
        : { body: { association: { roleArn: "arn:role/r" } } },
    );

    const found = await identities.podIdentityAssociations("prod", FIRST);

    expect(found).toHaveLength(130);
    expect(found[0]).toMatchObject({ serviceAccount: "mine", roleArn: "arn:role/r" });
    expect(found.filter(({ roleArn }) => roleArn === null)).toHaveLength(30);
    expect(asked).toHaveLength(101);
  });

  test("that may not be listed are a denial, and not an empty list", async () => {
    const { identities } = await prepare(() => ({
      status: 403,
      body: { __type: "AccessDeniedException", message: "no" },
    }));

    await expect(identities.podIdentityAssociations("prod", FIRST)).rejects.toMatchObject({
      name: "AwsDenied",
    });
  });
});

test("IAM must allow them on the cluster's own associations only", () => {
  const clusterArn = "arn:aws:eks:eu-central-1:111122223333:cluster/prod";

  expect(identityStatements(["podIdentityAssociations"], { clusterArn })).toEqual([
    { actions: ["eks:ListPodIdentityAssociations"], resources: [clusterArn] },
    {
      actions: ["eks:DescribePodIdentityAssociation"],
      resources: ["arn:aws:eks:eu-central-1:111122223333:podidentityassociation/prod/*"],
    },
  ]);
});

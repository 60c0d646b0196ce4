import { describe, expect, test } from "vitest";
import { eksToken, tokenSource } from "./token.ts";

const CREDENTIALS = {
  accessKeyId: "AKIDEXAMPLE0000000001",
  secretAccessKey: "secret",
  sessionToken: "session",
};
const NOW = new Date("2026-11-22T17:55:00.000Z");

const tokenOf = (cluster = "prod-eks-1", region = "eu-west-1") =>
  eksToken({ cluster, region, credentials: CREDENTIALS, now: NOW });

function urlIn(token: string): URL {
  return new URL(Buffer.from(token.slice("k8s-aws-v1.".length), "base64url").toString());
}

/** What aws-iam-authenticator accepts, and nothing else. */
const ALLOWED = new Set([
  "Action",
  "Version",
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  "X-Amz-Date",
  "X-Amz-Expires",
  "X-Amz-Security-Token",
  "X-Amz-Signature",
  "X-Amz-SignedHeaders",
]);

describe("an EKS token", () => {
  test("is a presigned GetCallerIdentity of the regional STS, as the server demands it", async () => {
    const token = await tokenOf();
    const url = urlIn(token);

    expect(token).toMatch(/^k8s-aws-v1\.[A-Za-z0-9_-]+$/);
    expect(token.length).toBeLessThan(4096);
    expect(url.origin + url.pathname).toBe("https://sts.eu-west-1.amazonaws.com/");
    expect([...url.searchParams.keys()].filter((key) => !ALLOWED.has(key))).toEqual([]);
    expect(url.searchParams.get("Action")).toBe("GetCallerIdentity");
    expect(url.searchParams.get("X-Amz-Expires")).toBe("60");
    expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("host;x-k8s-aws-id");
  });

  test("is good for one cluster only", async () => {
    const signature = async (cluster: string) =>
      urlIn(await tokenOf(cluster)).searchParams.get("X-Amz-Signature");

    expect(await signature("a")).not.toBe(await signature("b"));
  });

  test("of China is asked of China's STS", async () => {
    expect(urlIn(await tokenOf("c", "cn-north-1")).hostname).toBe(
      "sts.cn-north-1.amazonaws.com.cn",
    );
  });

  test("is kept while it is fresh and renewed before it expires", async () => {
    let now = NOW;
    const settings = { region: "eu-west-1", credentials: () => CREDENTIALS, now: () => now };
    const token = tokenSource("prod-eks-1", settings);
    const first = await token();

    now = new Date(NOW.getTime() + 49_000);
    expect(await token()).toBe(first);
    now = new Date(NOW.getTime() + 50_000);
    expect(await token()).not.toBe(first);
  });
});

import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Seconds that the presigned URL is valid; EKS rejects more than 900 and the SDK's default of 3600. */
const EXPIRES_IN_SECONDS = 60;

/**
 * An EKS bearer token: a presigned GetCallerIdentity of the regional STS, in base64url without
 * padding. It is signed offline, in microseconds, and says nothing but who signed it and for which
 * cluster. What the server accepts is in aws-iam-authenticator, `pkg/token/token.go`, `Verify`.
 */
export async function eksToken(input: {
  readonly cluster: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly now: Date;
}): Promise<string> {
  const { cluster, region, credentials, now } = input;
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const hostname = `sts.${region}.${suffix}`;
  const signer = new SignatureV4({ service: "sts", region, credentials, sha256: Sha256 });
  const { query = {} } = await signer.presign(
    {
      method: "GET",
      protocol: "https:",
      hostname,
      path: "/",
      headers: { host: hostname, "x-k8s-aws-id": cluster },
      query: { Action: "GetCallerIdentity", Version: "2011-06-15" },
    },
    {
      expiresIn: EXPIRES_IN_SECONDS,
      signingDate: now,
      signableHeaders: new Set(["host", "x-k8s-aws-id"]),
    },
  );
  const pairs = Object.entries(query).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  const url = `https://${hostname}/?${pairs.join("&")}`;
  return `k8s-aws-v1.${Buffer.from(url).toString("base64url")}`;
}

/**
 * One token for as long as it is fresh: each new one costs the API server a call to STS. It is kept
 * in memory only and renewed ten seconds before it expires.
 */
export function tokenSource(
  cluster: string,
  settings: {
    readonly region: string;
    readonly credentials: () => AwsCredentials | Promise<AwsCredentials>;
    readonly now: () => Date;
  },
): () => Promise<string> {
  const renewAfterMs = (EXPIRES_IN_SECONDS - 10) * 1_000;
  let current: { readonly token: Promise<string>; readonly madeAt: number } | null = null;
  return () => {
    const now = settings.now();
    if (current === null || now.getTime() - current.madeAt >= renewAfterMs) {
      const { region } = settings;
      const token = Promise.resolve(settings.credentials()).then((credentials) =>
        eksToken({ cluster, region, credentials, now }),
      );
      current = { token, madeAt: now.getTime() };
    }
    return current.token;
  };
}

/** The role's credentials as Lambda puts them into the environment. */
export function lambdaCredentials(): AwsCredentials {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    throw new Error("no AWS credentials in the environment of this function");
  }
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  };
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aPod } from "../../test/memory/cluster.ts";
import { redact, redactPod } from "./redact.ts";
import { redactText } from "./redact-text.ts";

const CANARY = "canary5c0ab5e4f1d3canary5c0ab5e4f1d3";

test("no value of an environment variable or of an applied manifest is kept, only its name", () => {
  const container = { name: "c", env: [{ name: "PASSWORD", value: CANARY }] };
  const pod = aPod({
    metadata: {
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": CANARY, other: "kept" },
    },
    spec: {
      containers: [container],
      initContainers: [container],
      ephemeralContainers: [container],
    },
  });

  const text = JSON.stringify(redactPod(pod));

  expect(text).not.toContain(CANARY);
  expect(text.match(/PASSWORD/g)).toHaveLength(3);
  expect(text).toContain("kept");
});

describe("a text", () => {
  const secrets: Readonly<Record<string, string>> = {
    "a JSON web token": `token eyJhbGciOiJSUzI1NiJ9.${CANARY}.${CANARY}`,
    "a token of EKS": `k8s-aws-v1.${CANARY}`,
    "a bearer token": `-H "Authorization: Bearer ${CANARY}"`,
    "basic authentication": `authorization: Basic ${CANARY}`,
    "a presigned URL": `GET /?X-Amz-Security-Token=${CANARY}&X-Amz-Signature=${CANARY}`,
    "a password in a URL": `postgres://shop:${CANARY}@database:5432/shop`,
    "a token in a URL": `https://${CANARY}@git.example/repository`,
    "a variable": `AWS_SECRET_ACCESS_KEY=${CANARY} DB_PASSWORD='${CANARY} and more ${CANARY}'`,
    "a field of JSON": `{"apiKey":"${CANARY}","clientSecret" : "${CANARY}"}`,
    "a field of JSON within JSON": `{"config":"{\\"password\\":\\"${CANARY}\\"}"}`,
    "a flag": `mysql --password ${CANARY} --api-token=${CANARY}`,
    "a user of curl": `curl -u admin:${CANARY} https://registry`,
    "a token of a forge": `ghp_${CANARY}`,
    "a private key": `-----BEGIN RSA PRIVATE KEY-----\n${CANARY}\n${CANARY}\n-----END RSA PRIVATE KEY-----`,
    "a private key on one line": `"-----BEGIN PRIVATE KEY-----\\n${CANARY}\\n-----END PRIVATE KEY-----\\n"`,
    "a private key that breaks off": `-----BEGIN EC PRIVATE KEY-----\n${CANARY}`,
    "the end of a private key": `${CANARY}\n${CANARY}\n-----END RSA PRIVATE KEY-----`,
  };

  test.each(Object.entries(secrets))(
    "is freed of %s, with the text around it kept",
    (_, secret) => {
      const redacted = redactText(`before\n${secret}\nafter all`);

      expect(redacted).not.toContain(CANARY);
      expect(redacted).toMatch(/^before\n[\s\S]*\[redacted[\s\S]*\nafter all$/);
      expect(redacted.split("\n")).toHaveLength(secret.split("\n").length + 2);
    },
  );

  test("tells the same access key from another one, and not what it is", () => {
    const [one, again, other] = [
      "AKIAIOSFODNN7EXAMPLE",
      "AKIAIOSFODNN7EXAMPLE",
      "ASIAIOSFODNN7EXAMPLE",
    ].map(redactText);

    expect(one).toMatch(/^\[redacted AWS access key [0-9a-f]{8}\]$/);
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });

  test("that holds no secret stays as it is", () => {
    const plain = [
      "GET /healthz 200 12ms",
      "https://example.com/path?user=anna",
      "Created pod: checkout-6d8f7c9b5c-x2lqz",
      "secrets-store.csi.k8s.io/secretproviderclass",
      "sha256:5c0ab5e4f1d35c0ab5e4f1d35c0ab5e4f1d35c0ab5e4f1d35c0ab5e4f1d35c0a",
    ].join("\n");

    expect(redactText(plain)).toBe(plain);
  });

  test("of an attacker cannot hold the redaction up, nor hide its neighbours", () => {
    const long = 256 * 1024;
    for (const piece of [
      ...["a", "a:", "://", "password", "password=", '"password":"', "-----BEGIN PRIVATE KEY-----"],
      ...["-----END PRIVATE KEY-----", "AAAAAAAAAAAAAAAAAAAA\n", "eyJ", "--token ", "X-Amz-", "\\"],
    ]) {
      const text = `${piece.repeat(Math.ceil(long / piece.length))}\nwget evil.example`;
      expect(redactText(text).endsWith("\nwget evil.example"), piece).toBe(true);
    }
  });

  test("keeps its lines, whatever they are", () => {
    const words = fc.constantFrom(
      ...["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "AAAAAAAAAAAAAAAAAAAA", "\n"],
      ...["password=", "x", " ", "eyJhbGciOiJSUzI1NiJ9", '"', "'", "Bearer abcdefgh", "--token"],
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
        const text = parts.join("");
        return redactText(text).split("\n").length === text.split("\n").length;
      }),
    );
  });
});

describe("an object", () => {
  test("loses the contents of Secrets and ConfigMaps, values of headers, and arguments after a flag", () => {
    const redacted = redact({
      data: { password: CANARY },
      stringData: { key: CANARY },
      probe: { httpHeaders: [{ name: "X-Key", value: CANARY }] },
      command: ["serve", "--password", CANARY, "-u", `admin:${CANARY}`, "kept"],
      clientSecret: CANARY,
      metadata: { managedFields: [{ manager: "kubectl", fieldsV1: { "f:spec": CANARY } }] },
    });

    expect(JSON.stringify(redacted)).not.toContain(CANARY);
    expect(redacted.command.at(-1)).toBe("kept");
    expect(redacted.metadata.managedFields[0]?.manager).toBe("kubectl");
    expect(Object.keys(redacted.data)).toEqual(["password"]);
  });

  test("keeps what only speaks of secrets", () => {
    const pod = {
      volumes: [{ name: "s", secret: { secretName: "hidden", defaultMode: 420 } }],
      automountServiceAccountToken: false,
      sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3607 } }],
      env: [{ name: "A", valueFrom: { secretKeyRef: { name: "hidden", key: "password" } } }],
    };

    expect(redact(pod)).toEqual(pod);
  });
});

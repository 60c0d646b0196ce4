import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CLIENT_SETTINGS } from "./aws/client.ts";
import { invocation, userAgent } from "./invocation.ts";

const execution = "arn:aws:states:us-east-1:000000000000:execution:contain:run-1";
const until = Date.parse("2026-11-28T12:00:00Z");

beforeEach(() => {
  vi.stubEnv("PRODUCT_VERSION", "1.2.3");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test("a function says for which state and execution it asks", () => {
  const agent = invocation.run({ state: "ApplyPolicy", execution, until }, userAgent);

  expect(agent).toBe("eks-containment/1.2.3 (ApplyPolicy; run-1)");
  expect(userAgent()).toBe("eks-containment");
});

test("a name that no header may hold is encoded", () => {
  const named = { state: "ApplyPolicy", execution: `${execution}-Prüfung\n`, until };

  expect(invocation.run(named, userAgent)).toMatch(/\(ApplyPolicy; run-1-Pr%C3%BCfung%0A\)$/);
});

test("AWS is told by every request who asks, though one client serves many executions", async () => {
  const agents: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    agents.push(request.headers["user-agent"] ?? "");
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const s3 = new S3Client({
    ...CLIENT_SETTINGS,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  const read = new GetObjectCommand({ Bucket: "evidence", Key: "key" });

  for (const state of ["OpenCase", "RecordRun"]) {
    await invocation.run({ state, execution, until }, () => s3.send(read));
  }
  server.close();
  s3.destroy();

  expect(agents).toEqual([
    expect.stringMatching(/^aws-sdk-js.* eks-containment\/1\.2\.3 \(OpenCase; run-1\)$/),
    expect.stringMatching(/^aws-sdk-js.* eks-containment\/1\.2\.3 \(RecordRun; run-1\)$/),
  ]);
});

import { afterEach, expect, test } from "vitest";
import { type ReleaseServer, startReleaseServer } from "../test/servers/release-server.ts";
import { kubectlRelease } from "./kubectl-release.ts";

const sha256 = "0123456789abcdef".repeat(4);
const path = "/v1.35.4/bin/linux/arm64/kubectl";

let server: ReleaseServer;
afterEach(() => server.stop());

async function publish(files: Record<string, string>): Promise<string> {
  server = await startReleaseServer(files);
  return `http://${server.address}`;
}

test("the newest patch of the cluster's version is taken, with its published checksum", async () => {
  const from = await publish({ "/stable-1.35.txt": "v1.35.4\n", [`${path}.sha256`]: sha256 });

  expect(await kubectlRelease({ version: "1.35", kubectl: undefined }, from)).toEqual({
    version: "v1.35.4",
    url: from + path,
    sha256,
    pinned: false,
  });
});

test("a pin of the operator's must agree with what is published", async () => {
  const from = await publish({ [`${path}.sha256`]: sha256 });
  const pinned = (pin: string) =>
    kubectlRelease({ version: "1.35", kubectl: { version: "1.35.4", sha256: pin } }, from);

  expect(await pinned(sha256)).toMatchObject({ version: "v1.35.4", pinned: true });
  await expect(pinned("f".repeat(64))).rejects.toThrow("one of them is wrong");
});

test("an answer that is no version or no checksum is not used", async () => {
  const from = await publish({
    "/stable-1.35.txt": "<html>sign in</html>",
    "/stable-1.34.txt": "v1.34.9",
  });
  const release = (version: string) => kubectlRelease({ version, kubectl: undefined }, from);

  await expect(release("1.35")).rejects.toThrow('answered 200: "<html>sign in</html>"');
  await expect(release("1.34")).rejects.toThrow(".sha256 answered 404");
});

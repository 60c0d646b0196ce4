import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Ended, endOfProgram } from "../test/programs.ts";
import { installScript, type KubectlInstallation } from "./install-kubectl.ts";

/** A kubectl that says with which kubeconfig and for what it was called. */
const kubectl = '#!/bin/sh\necho "$KUBECONFIG" "$@"\n';
const key = "tools/kubectl/v1.35.4/linux-arm64/kubectl";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "install-test-"));
  await program("bin/aws", AWS);
  await program(`bucket/${key}`, kubectl);
});
afterEach(() => rm(folder, { recursive: true }));

/** AWS's end of the two calls that the script makes on the bastion. */
const AWS = `#!/bin/sh
case "$1 $2" in
  "s3api get-object")
    for last; do :; done
    exec cp "$(dirname "$0")/../bucket/$8" "$last" ;;
  "eks update-kubeconfig") echo "cluster: $6 in $4" >"$8" ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
`;

async function program(path: string, text: string): Promise<void> {
  await mkdir(join(folder, path, ".."), { recursive: true });
  await writeFile(join(folder, path), text, { mode: 0o755 });
}

function install(change: Partial<KubectlInstallation> = {}): Promise<Ended> {
  const script = installScript(
    {
      ...{ region: "us-east-1", clusterName: "demo", bucket: "tools", key },
      sha256: createHash("sha256").update(kubectl).digest("hex"),
      ...change,
    },
    join(folder, "root"),
  );
  const env = { PATH: `${join(folder, "bin")}:${process.env.PATH}` };
  return endOfProgram("sh", ["-c", script], { env });
}

const installed = (path: string) => join(folder, "root", path);

test("kubectl is installed, finds its kubeconfig and says its version", async () => {
  const { code, out, err } = await install();

  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toBe(`${installed("etc/containment/kubeconfig")} version --client\n`);
  expect(await readFile(installed("etc/containment/kubeconfig"), "utf8")).toBe(
    "cluster: demo in us-east-1\n",
  );
  expect(statSync(installed("usr/local/bin/kubectl")).mode & 0o777).toBe(0o755);
});

test("somebody's own kubeconfig is left in force", async () => {
  await install();

  const { out } = await endOfProgram(installed("usr/local/bin/kubectl"), ["get", "pods"], {
    env: { KUBECONFIG: "/mine" },
  });

  expect(out).toBe("/mine get pods\n");
});

test("installing again changes nothing and succeeds", async () => {
  const first = await install();

  expect(await install()).toEqual(first);
});

test("bytes with another checksum are not installed", async () => {
  const { code, err } = await install({ sha256: "0".repeat(64) });

  expect(code).not.toBe(0);
  expect(err).toContain("did NOT match");
  expect(existsSync(installed("usr/local/bin/kubectl"))).toBe(false);
});

test("nothing that a shell would take apart gets into the script", () => {
  const script = (clusterName: string) =>
    installScript({ region: "r", clusterName, bucket: "b", key, sha256: "0" });

  for (const name of ["a; rm -rf /", "$(id)", "a b", "", "a\nb", "a'b"]) {
    expect(() => script(name), name).toThrow("has no place in a script");
  }
});

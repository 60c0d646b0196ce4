/**
 * A machine from which a person operates the cluster: the real kubectl, tokens of the real AWS CLI,
 * and a node whose port forwards the kubelet's own code answers. AWS's side of a session is left out
 * (`test/servers/aws-cli.ts`).
 */
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { emulatorPython } from "../../local/aws.ts";
import { childEnvironment } from "../../local/environment.ts";
import { goProgram, KUBECTL, KUBELET } from "../../local/go-program.ts";
import { type Leashed, startLeashed } from "../../local/leash.ts";
import { checkPrerequisites, findGoToolchain } from "../../local/prerequisites.ts";
import { projectRoot } from "../../local/project.ts";
import { serve } from "../servers/loopback.ts";
import { core, stage } from "./harness.ts";

export interface OperatorMachine {
  /** Of this machine alone; the file `sessions` in it holds a line for each session. */
  readonly folder: string;
  readonly environment: Record<string, string>;
  /** Every port of every pod on it leads to a page that redirects to /setup, as a new Uptime Kuma's. */
  readonly nodeName: string;
  readonly kubeletPort: number;
  stop(): Promise<void>;
}

export async function startOperatorMachine(): Promise<OperatorMachine> {
  const go = await findGoToolchain();
  if (!go) throw new Error("these tests build kubectl with Go 1.25 or newer, and there is none");
  const { python } = await checkPrerequisites();
  const folder = await mkdtemp(join(tmpdir(), "operator-machine-"));
  const environment = {
    ...childEnvironment(),
    ...stage.environment,
    AWS_SESSIONS: join(folder, "sessions"),
    REAL_AWS: join(dirname(await emulatorPython(python, console.error)), "aws"),
  };
  await symlink(await goProgram(KUBECTL, go, console.error), join(folder, "kubectl"));
  const awsCli = join(projectRoot, "test/servers/aws-cli.ts");
  await program(folder, "aws", `exec ${process.execPath} ${awsCli} "$@"`);
  await program(folder, "session-manager-plugin", "echo 1.2.707.0");

  const page = await serve((_, response) => response.writeHead(302, { location: "/setup" }).end());
  const binary = await goProgram(KUBELET, go, console.error);
  const { kubelet, port } = await startKubelet(binary, page.address, folder);
  const nodeName = "operator-machine-node";
  await core.createNode({
    body: {
      metadata: { name: nodeName, annotations: { "localkube/own-kubelet": "true" } },
      spec: { taints: [{ key: "operator-machine", effect: "NoSchedule" }] }, // only who is put there
      status: {
        addresses: ["InternalIP", "ExternalIP"].map((type) => ({ type, address: "127.0.0.1" })),
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    },
  });
  return {
    folder,
    environment: { ...environment, PATH: [folder, childEnvironment().PATH].join(delimiter) },
    nodeName,
    kubeletPort: port,
    async stop() {
      await core.deleteNode({ name: nodeName });
      await kubelet.stop();
      page.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function program(folder: string, name: string, script: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, name), 0o755);
}

/** Returns once it says on which port it listens. */
function startKubelet(
  binary: string,
  target: string,
  folder: string,
): Promise<{ readonly kubelet: Leashed; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const kubelet = startLeashed(binary, [target], {
      env: {},
      logFile: join(folder, "kubelet.log"),
      onLine: (line) => resolve({ kubelet, port: Number(line) }),
    });
    kubelet.exited.then(({ code }) => reject(new Error(`the kubelet ended with ${code}`)));
  });
}

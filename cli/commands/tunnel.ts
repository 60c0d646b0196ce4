import { readBastion } from "../../adapters/aws/deployment.ts";
import { eksClusters } from "../../adapters/aws/eks-clusters.ts";
import { sessionTerminator } from "../../adapters/aws/sessions.ts";
import { interrupted, interruption, listenForInterruption } from "../../local/interruption.ts";
import { settingsFor } from "../../stages.ts";
import { bastionOf } from "../new-cluster.ts";
import { AWS_CLI, KUBECTL, requirePrograms, SESSION_MANAGER_PLUGIN } from "../required-programs.ts";
import { type AwsConfig, environmentOf, reach } from "../stage.ts";
import { runInForeground } from "../tunnel/foreground.ts";
import { portOf, requireFreePort } from "../tunnel/local-port.ts";
import { openTunnel, type Tunnel } from "../tunnel/tunnel.ts";
import { forwardUptimeKuma } from "../tunnel/uptime-kuma.ts";

interface Options {
  readonly stage: string;
  readonly port: string;
}

/**
 * `containment tunnel`: Uptime Kuma on localhost until Ctrl-C. With a command behind `--`, the
 * command instead, with a kubeconfig of the private cluster; its exit code is ours.
 */
export async function tunnel(command: readonly string[], options: Options): Promise<void> {
  const port = portOf(options.port);
  const cluster = bastionOf(options.stage);
  const { region } = settingsFor(options.stage);
  const aws = await reach(options.stage);
  const environment = environmentOf(aws);
  const own = command.length === 0;
  await requirePrograms([AWS_CLI, SESSION_MANAGER_PLUGIN, ...(own ? [KUBECTL] : [])], environment);
  if (own) await requireFreePort(port);
  listenForInterruption(() => {});

  const { instanceId } = await readBastion(options.stage, aws);
  const { endpoint, certificateAuthority } = await eksClusters(aws).describe(cluster.name);
  console.error(`Opening a session to ${instanceId}, and through it to ${endpoint}.`);
  try {
    const open = await openTunnel({
      cluster: { name: cluster.name, region, endpoint, certificateAuthority },
      instanceId,
      environment,
      terminate: terminateOrSay(aws),
      signal: interrupted,
    });
    try {
      const outcome = own
        ? await showUptimeKuma(open, port, environment)
        : await runInForeground(
            command,
            { ...environment, KUBECONFIG: open.kubeconfig },
            open.broken,
          );
      if (typeof outcome === "string") throw new Error(outcome);
      process.exitCode = outcome;
    } finally {
      await open.close();
    }
  } catch (cause) {
    throw interrupted.aborted
      ? new Error("interrupted before anything was reached", { cause })
      : cause;
  }
}

/** The tunnel is closed either way; what stays open on AWS's side ends there when it is idle. */
function terminateOrSay(aws: AwsConfig) {
  const terminate = sessionTerminator(aws);
  return async (sessionId: string) => {
    try {
      await terminate(sessionId);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      console.error(`session ${sessionId} could not be ended on AWS's side: ${why}`);
    }
  };
}

/** Zero once the person has seen enough, a sentence when either half of the way broke. */
async function showUptimeKuma(
  open: Tunnel,
  port: number,
  environment: Record<string, string>,
): Promise<0 | string> {
  const forward = await forwardUptimeKuma(open, { port, environment, signal: interrupted });
  try {
    console.log(`Uptime Kuma: http://localhost:${port}  (Ctrl-C ends the tunnel)`);
    const broken = await Promise.race([open.broken, forward.broken, interruption]);
    return broken ?? 0;
  } finally {
    await forward.close();
  }
}

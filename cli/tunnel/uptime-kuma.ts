import { join } from "node:path";
import { logTail, startLeashed } from "../../local/leash.ts";
import type { Tunnel } from "./tunnel.ts";
import { untilReady } from "./until-ready.ts";

/** Of kubernetes/uptime-kuma.yaml. */
const UPTIME_KUMA = { namespace: "uptime-kuma", service: "uptime-kuma", port: 3001 } as const;
const reachableLimitMs = 60_000;

export interface Forward {
  /** Resolves with a sentence when it ends that nobody closed. */
  readonly broken: Promise<string>;
  close(): Promise<void>;
}

/** Leads a port of this machine to Uptime Kuma, and returns once that answers. */
export async function forwardUptimeKuma(
  tunnel: Tunnel,
  {
    port,
    environment,
    signal,
  }: { port: number; environment: Record<string, string>; signal: AbortSignal },
): Promise<Forward> {
  const { namespace, service, port: remote } = UPTIME_KUMA;
  const logFile = join(tunnel.folder, "port-forward.log");
  const forward = startLeashed(
    "kubectl",
    [
      ...["--kubeconfig", tunnel.kubeconfig, "--namespace", namespace],
      ...["port-forward", `service/${service}`, `${port}:${remote}`],
    ],
    { env: environment, logFile, signal },
  );
  let closed = false;
  const close = async () => {
    closed = true;
    await forward.stop();
  };
  const broken = new Promise<string>((resolve) => {
    forward.exited.then(({ code }) => {
      if (!closed) resolve(`kubectl port-forward ended with ${code}. ${logTail(logFile, 10)}`);
    });
  });
  try {
    const waiting = { what: "Uptime Kuma to answer", limitMs: reachableLimitMs, signal };
    const either = Promise.race([broken, tunnel.broken]);
    await untilReady(waiting, () => answers(port), either);
    return { broken, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Any answer will do: a new Uptime Kuma redirects to its first page. */
async function answers(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      redirect: "manual",
      signal: AbortSignal.timeout(5_000),
    });
    await answer.body?.cancel();
    return true;
  } catch {
    return false; // not yet; the caller bounds how often we come back
  }
}

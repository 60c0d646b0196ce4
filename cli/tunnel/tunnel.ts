import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkServerIdentity, connect } from "node:tls";
import { type Leashed, logTail, startLeashed } from "../../local/leash.ts";
import { freePorts } from "../../local/ports.ts";
import { kubeconfigFor, type TunnelledCluster } from "./kubeconfig.ts";
import { untilReady } from "./until-ready.ts";

/** A session took 3 s where the agent was idle; a bastion of the smallest kind may be slower. */
const readyLimitMs = 60_000;
const handshakeLimitMs = 5_000;

export interface TunnelOptions {
  readonly cluster: TunnelledCluster;
  /** The bastion. */
  readonly instanceId: string;
  /** Of the AWS CLI and of kubectl: the operator's own identity is in it. */
  readonly environment: Record<string, string>;
  /** Ends a session on AWS's side; it would stay open there for as long as sessions may be idle. */
  readonly terminate: (sessionId: string) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Tunnel {
  /** A folder of this user's own that lives as long as the tunnel. */
  readonly folder: string;
  /** Path. */
  readonly kubeconfig: string;
  /** Resolves with a sentence when the session ends that nobody closed. */
  readonly broken: Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens a session to the bastion that leads a port of this machine to the cluster's private API
 * endpoint. Returns when the API server has proven itself through it.
 */
export async function openTunnel(options: TunnelOptions): Promise<Tunnel> {
  const { cluster, signal } = options;
  signal.throwIfAborted();
  const [port = 0] = await freePorts(1);
  const folder = await mkdtemp(join(tmpdir(), "containment-tunnel-"));
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigFor(cluster, port), { mode: 0o600 });
  const session = startSession(options, port, join(folder, "session.log"));

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      await session.end();
      await rm(folder, { recursive: true, force: true });
    })();
    return closing;
  };
  const broken = new Promise<string>((resolve) => {
    session.exited.then(({ code }) => {
      if (!closing)
        resolve(`the session to ${options.instanceId} ended with ${code}. ${session.log()}`);
    });
  });
  try {
    const waiting = { what: "the cluster's API server", limitMs: readyLimitMs, signal };
    await untilReady(waiting, () => provesItself(cluster, port), broken);
    return { folder, kubeconfig, broken, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Session extends Pick<Leashed, "exited"> {
  /** What it said last. */
  log(): string;
  end(): Promise<void>;
}

function startSession(
  { cluster, instanceId, environment, terminate }: TunnelOptions,
  localPort: number,
  logFile: string,
): Session {
  const { hostname, port } = new URL(cluster.endpoint);
  const parameters = {
    host: [hostname],
    portNumber: [port || "443"],
    localPortNumber: [String(localPort)],
  };
  let sessionId: string | undefined;
  let ended = false;
  const process = startLeashed(
    "aws",
    [
      ...["ssm", "start-session", "--target", instanceId, "--region", cluster.region],
      ...["--document-name", "AWS-StartPortForwardingSessionToRemoteHost"],
      ...["--parameters", JSON.stringify(parameters)],
    ],
    {
      env: environment,
      logFile,
      onLine(line) {
        sessionId ??= /Starting session with SessionId: (\S+)/.exec(line)?.[1];
      },
    },
  );
  process.exited.then(() => {
    ended = true;
  });
  return {
    exited: process.exited,
    log: () => logTail(logFile, 10),
    async end() {
      const wasOpen = !ended;
      await process.stop();
      if (wasOpen && sessionId) await terminate(sessionId);
    },
  };
}

/** Whether a server behind the port completes a handshake as the cluster's API server. */
function provesItself(
  { endpoint, certificateAuthority }: TunnelledCluster,
  port: number,
): Promise<boolean> {
  const { hostname } = new URL(endpoint);
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host: "127.0.0.1", port, timeout: handshakeLimitMs },
      ca: Buffer.from(certificateAuthority, "base64"),
      ...(isIP(hostname) === 0 && { servername: hostname }),
      checkServerIdentity: (_, certificate) => checkServerIdentity(hostname, certificate),
    });
    const answer = (proven: boolean) => {
      socket.destroy();
      resolve(proven);
    };
    socket.once("secureConnect", () => answer(true));
    socket.once("timeout", () => answer(false));
    socket.once("error", (error) => {
      // Not there yet is one thing, a server that is somebody else another.
      if ("code" in error && /CERT|ALTNAME|ISSUER|SIGNATURE/.test(String(error.code))) {
        reject(new Error(`what answers is not ${endpoint}: ${error.message}`, { cause: error }));
      } else answer(false);
    });
  });
}

/**
 * Proxies between the functions and the two servers of a local stage. They pass on what they get,
 * until a fault lies in the way. The API server's own certificate is used towards the functions, so
 * that nothing but the port differs.
 *
 * Of our own because a fault is aimed at one state of one execution and may end the process that
 * asks: toxiproxy works below TLS and HTTP, mockttp needs express, GraphQL and 40 more packages for
 * what node:http does here.
 */
import { readFileSync } from "node:fs";
import {
  createServer,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
  type Server,
  type ServerResponse,
} from "node:http";
import {
  createServer as createTlsServer,
  Agent as HttpsAgent,
  request as requestHttps,
} from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { StateName } from "../../functions/contract.ts";
import type { Between } from "../../local/servers.ts";
import { askedBy } from "./asked.ts";
import { controlServer } from "./control.ts";
import { type Deed, LaidFaults } from "./laid-faults.ts";
import { end, functionProcessAt, starve } from "./processes.ts";

/** An answer longer than what a starved process has left. */
const LONG_ANSWER = JSON.stringify({ items: [], padding: "x".repeat(48 * 1024 * 1024) });
const SPARE_BYTES = 8 * 1024 * 1024;

interface Servers {
  readonly aws: string;
  /** Endpoint of the API server, and the folder of its certificates. */
  readonly kubernetes: string;
  readonly pki: string;
}

export interface Proxies {
  /** What the stage must be started with. */
  readonly between: Between;
  /** Where faults are laid, for `faultsAt`. */
  readonly controlUrl: string;
  /** Leads the proxies to the servers, once these are up. */
  leadTo(servers: Servers): void;
  close(): void;
}

export async function startProxies(): Promise<Proxies> {
  const faults = new LaidFaults();
  let servers: Servers | undefined;
  let ca: Buffer | undefined;
  const agents = {
    aws: new HttpAgent({ keepAlive: true }),
    kubernetes: new HttpsAgent({ keepAlive: true }),
  };

  function send(to: "aws" | "kubernetes", request: IncomingMessage, body: Buffer) {
    if (!servers) throw new Error("the proxies do not know the servers yet");
    const { method, headers } = request;
    const { expect: _, ...passedOn } = headers; // "100-continue" was answered here
    const url = new URL(request.url ?? "/", servers[to]);
    const attempt = (again: boolean): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const options = { method, headers: passedOn };
        const sent =
          to === "aws"
            ? requestHttp(url, { ...options, agent: agents.aws }, resolve)
            : requestHttps(url, { ...options, agent: agents.kubernetes, ca }, resolve);
        sent.on("error", (error) => {
          // A server may close a connection just as it is used again: that is no fault that was laid.
          if (sent.reusedSocket && again) resolve(attempt(false));
          else reject(error);
        });
        sent.end(body);
      });
    return attempt(true);
  }

  async function serve(
    to: "aws" | "kubernetes",
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { method = "", url = "", headers } = request;
    const body = await buffer(request);
    const asked = askedBy(to, { method, url, headers, body });
    if (url.includes("Action=GetCallerIdentity")) return verifyToken(request, body, response);
    const fault = asked && faults.meet(asked);
    if (fault) return strike(fault.does, request, response, () => send(to, request, body));
    const answer = await send(to, request, body);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  }

  /** Which function a token is of, STS alone knows: it is asked, and may not be heard. */
  async function verifyToken(request: IncomingMessage, body: Buffer, response: ServerResponse) {
    const answer = await send("aws", request, body);
    const content = await buffer(answer);
    const [, state] = /assumed-role\/local-eks-containment-(\w+)\//.exec(content.toString()) ?? [];
    const asked = { execution: "", service: "sts", write: false, label: "sts" } as const;
    if (state && faults.meet({ ...asked, state: state as StateName })) return reset(request.socket);
    response.writeHead(answer.statusCode ?? 502, answer.headers).end(content);
  }

  /** A port forward or an exec: a way of bytes, which no function asks for. */
  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { method, headers } = request;
    const url = new URL(request.url ?? "/", servers?.kubernetes);
    const answerWith = ({ statusCode, statusMessage, rawHeaders }: IncomingMessage) => {
      const lines = rawHeaders.flatMap((name, at) =>
        at % 2 === 0 ? `${name}: ${rawHeaders[at + 1]}\r\n` : [],
      );
      socket.write(`HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("")}\r\n`);
    };
    const sent = requestHttps(url, { method, headers, ca, agent: false });
    sent.on("error", () => socket.destroy());
    sent.on("response", (refused) => {
      answerWith(refused);
      refused.pipe(socket);
    });
    sent.on("upgrade", (answer, upstream, first) => {
      answerWith(answer);
      for (const each of [socket, upstream]) {
        each.on("error", () => {}); // its end follows
        each.on("close", () => {
          socket.destroy();
          upstream.destroy();
        });
      }
      socket.write(first);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    sent.end();
  }

  const listener =
    (to: "aws" | "kubernetes") => (request: IncomingMessage, response: ServerResponse) => {
      serve(to, request, response).catch(() => request.socket.destroy());
    };
  const aws = await listen(createServer(listener("aws")));
  const kubernetes = createTlsServer(listener("kubernetes"));
  kubernetes.on("upgrade", upgrade);
  await listen(kubernetes);
  const control = await listen(controlServer(faults));

  return {
    between: {
      aws: `http://127.0.0.1:${portOf(aws)}`,
      kubernetes: `https://127.0.0.1:${portOf(kubernetes)}`,
    },
    controlUrl: `http://127.0.0.1:${portOf(control)}`,
    leadTo(found) {
      const read = (name: string) => readFileSync(join(found.pki, name));
      kubernetes.setSecureContext({ cert: read("apiserver.crt"), key: read("apiserver.key") });
      ca = read("ca.crt");
      servers = found;
    },
    close() {
      for (const server of [aws, kubernetes, control]) {
        server.closeAllConnections();
        server.close();
      }
      agents.aws.destroy();
      agents.kubernetes.destroy();
    },
  };
}

/** Does the deed; `pass` lets the server serve the request. */
async function strike(
  deed: Deed,
  { socket }: IncomingMessage,
  response: ServerResponse,
  pass: () => Promise<IncomingMessage>,
): Promise<void> {
  switch (deed.kind) {
    case "answer":
      response.writeHead(deed.status, deed.headers).end(deed.body);
      return;
    case "reset":
      return reset(socket);
    case "silence":
      return; // whoever asked closes the connection
    case "half": {
      const answer = await pass();
      const content = await buffer(answer);
      const headers = { ...answer.headers, "content-length": Math.max(content.byteLength, 2) };
      response.writeHead(answer.statusCode ?? 502, headers);
      response.write(content.subarray(0, Math.floor(content.byteLength / 2)));
      // What was written must leave before the connection breaks.
      response.write("", () => reset(socket));
      return;
    }
    case "kill": {
      const pid = functionProcessAt(socket.remotePort ?? 0);
      if (deed.when === "after") await buffer(await pass());
      end(pid);
      return;
    }
    case "starve":
      starve(functionProcessAt(socket.remotePort ?? 0), SPARE_BYTES);
      response.writeHead(200, { "content-type": "application/json" }).end(LONG_ANSWER);
      return;
  }
}

function reset(socket: Socket): void {
  socket.destroy();
}

function listen<Listening extends Server | ReturnType<typeof createTlsServer>>(
  server: Listening,
): Promise<Listening> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port;
}

import { Agent, request } from "node:https";
import type { ClusterAccess } from "../../core/cluster/authenticate.ts";
import { PermanentError, TransientError } from "../../core/errors.ts";
import { userAgent } from "../invocation.ts";
import { listItems } from "./list-items.ts";
import { retryAfterMsOf } from "./patience.ts";

/** Milliseconds for one request to the API server, its answer included. */
const TIMEOUT_MS = 5_000;
/** Bytes of one answer; lists are paged far below this. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** What to answer with, where plain JSON is not meant. */
  readonly accept?: string;
  /** A good answer is text and not JSON. */
  readonly text?: boolean;
  /** Is shown each item of a list while it arrives; the answer is then the list without them. */
  readonly each?: (item: unknown) => void;
  /** Forgets the items that were shown: only with it is a list that broke off asked for again. */
  readonly forget?: () => void;
  /** Milliseconds, where the usual time is not meant. */
  readonly timeoutMs?: number;
  readonly body?: { readonly contentType: string; readonly content: unknown };
  /** True for an answer of 400 and above that is neither a failure nor a reason to come back later. */
  readonly takes?: ((answer: ApiAnswer) => boolean) | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
  /** How long the server asks to be left alone, where it does. */
  readonly retryAfterMs?: number;
}

export type Transport = (apiRequest: ApiRequest) => Promise<ApiAnswer>;

/**
 * HTTPS to one API server with its own certificate authority and kept-alive connections.
 *
 * Written on `node:https` because `@kubernetes/client-node` more than doubles a bundle and adds
 * 30-50 ms to a cold start, which is time to contain (ADR 0008).
 *
 * Errors: `KubernetesUnavailable` when no whole answer came.
 */
export function httpsTransport(cluster: ClusterAccess, token: () => Promise<string>): Transport {
  const ca = Buffer.from(cluster.certificateAuthority, "base64");
  const agent = new Agent({ keepAlive: true, ca });
  return async (apiRequest) => {
    const send = async () => exchange(cluster.endpoint, agent, await token(), apiRequest);
    try {
      return await send();
    } catch (error) {
      // A connection that was idle while Lambda slept may be closed by now. Every request that the
      // product makes may be repeated, so the first one after a sleep is sent once more.
      if (error instanceof StaleConnection) return send();
      throw error;
    }
  };
}

class StaleConnection extends Error {}

function exchange(
  endpoint: string,
  agent: Agent,
  token: string,
  apiRequest: ApiRequest,
): Promise<ApiAnswer> {
  const { method, path, accept = "application/json", body, timeoutMs = TIMEOUT_MS } = apiRequest;
  const what = `${method} ${path}`;
  return new Promise((resolve, reject) => {
    const content = body && Buffer.from(JSON.stringify(body.content));
    const headers = {
      authorization: `Bearer ${token}`,
      "user-agent": userAgent(),
      accept,
      ...(body && { "content-type": body.contentType, "content-length": content?.byteLength }),
    };
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = request(new URL(path, endpoint), { method, agent, headers, signal });
    let answered = false;
    const fail = (error: NodeJS.ErrnoException) => {
      const reset = error.code === "ECONNRESET" || error.code === "EPIPE";
      const stale = sent.reusedSocket && reset && !answered;
      reject(stale ? new StaleConnection(error.message) : unavailable(what, error, timeoutMs));
    };
    sent.on("error", fail);
    sent.on("response", (response) => {
      answered = true;
      const status = response.statusCode ?? 0;
      const received = bodyOf(apiRequest, status);
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size > MAX_ANSWER_BYTES) response.destroy(new Error("the answer is too large"));
        else attempt(() => received.write(chunk));
      });
      response.on("error", fail);
      response.on("end", () => {
        if (!response.complete) return fail(new Error("the answer broke off"));
        const retryAfterMs = retryAfterMsOf(response.headers["retry-after"], Date.now());
        const busy = retryAfterMs === undefined ? {} : { retryAfterMs };
        attempt(() => resolve({ status, body: received.end(), ...busy }));
      });
      /** Nothing may be thrown out of an event: it would end the process. */
      function attempt(work: () => void): void {
        try {
          work();
        } catch (error) {
          response.destroy();
          reject(error instanceof SyntaxError ? unavailable(what, error, timeoutMs) : error);
        }
      }
    });
    sent.end(content);
  });
}

/** How the answer to a request is taken up: as text, as JSON, or a list item by item. */
function bodyOf({ text, each }: ApiRequest, status: number) {
  if (each && status < 400) return listItems(each);
  const chunks: Buffer[] = [];
  return {
    write: (chunk: Buffer) => void chunks.push(chunk),
    end: (): unknown => {
      const content = Buffer.concat(chunks).toString("utf8");
      return text && status < 400 ? content : parse(content);
    },
  };
}

/** The API server answers JSON; a proxy in between may not, and its words are kept as they are. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 500) };
  }
}

function unavailable(what: string, error: Error, timeoutMs: number): TransientError {
  const timedOut = error.cause instanceof Error && error.cause.name === "TimeoutError";
  const why = timedOut ? `no answer within ${timeoutMs} ms` : error.message;
  return new TransientError("KubernetesUnavailable", `${what}: ${why}`, { cause: error });
}

/** What the API server says of a refusal. */
export function messageOf({ body }: ApiAnswer): string {
  return typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
}

/** The error that an answer of 400 and above stands for. */
export function failureOf({ method, path }: ApiRequest, answer: ApiAnswer): Error {
  const { status } = answer;
  const text = `${method} ${path}: ${status} ${messageOf(answer)}`;
  switch (status) {
    case 401:
      return new TransientError("KubernetesUnauthorized", `${text}. Is there an access entry?`);
    case 403:
      return new PermanentError("KubernetesForbidden", `${text}. Apply kubernetes/rbac.yaml.`);
    case 409:
    case 410: // a list took so long that the rest of its pages is gone
      return new TransientError("KubernetesConflict", text);
    case 429:
      return new TransientError("KubernetesThrottled", text);
    default:
      return status >= 500
        ? new TransientError("KubernetesUnavailable", text)
        : new PermanentError("KubernetesRejected", text);
  }
}

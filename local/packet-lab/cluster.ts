/**
 * The lab's own way to the API server, as its administrator. Objects go and come as they are on the
 * wire, like those that the product reads: the generated client renames `from`.
 */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { dirname, join } from "node:path";
import type { Labels } from "../../core/kubernetes.ts";

export interface Cluster {
  get<T>(path: string): Promise<T>;
  create<T>(path: string, object: object): Promise<T>;
  /** Also a whole collection. */
  remove(path: string): Promise<void>;
  /** The object then has these labels and no others. */
  relabel(path: string, labels: Labels): Promise<void>;
  close(): void;
}

/** An answer of 400 and above. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  constructor(what: string, status: number, body: string) {
    super(`${what}: ${status} ${body}`);
    this.status = status;
  }
}

const json = "application/json";

export async function connectAdministrator(server: string, caFile: string): Promise<Cluster> {
  const file = (name: string) => readFile(join(dirname(caFile), name));
  const [ca, cert, key] = await Promise.all(["ca.crt", "admin.crt", "admin.key"].map(file));
  const agent = new Agent({ keepAlive: true, ca, cert, key });

  async function call<T>(method: string, path: string, type = json, content?: object): Promise<T> {
    const { status, body } = await exchange(new URL(path, server), agent, method, type, content);
    if (status >= 400) throw new Refusal(`${method} ${path}`, status, body);
    return JSON.parse(body) as T;
  }

  return {
    get: (path) => call("GET", path),
    create: (path, object) => call("POST", path, json, object),
    remove: (path) => call("DELETE", path),
    async relabel(path, labels) {
      const replace = [{ op: "add", path: "/metadata/labels", value: labels }];
      await call("PATCH", path, "application/json-patch+json", replace);
    },
    close: () => agent.destroy(),
  };
}

function exchange(
  url: URL,
  agent: Agent,
  method: string,
  contentType: string,
  content: object | undefined,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": contentType, accept: json };
    const sent = request(url, { method, agent, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end(content && JSON.stringify(content));
  });
}

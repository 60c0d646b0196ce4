/** Faults are laid over loopback, as tests run in other processes than the stage's owner. */
import { createServer, type Server } from "node:http";
import { json } from "node:stream/consumers";
import type { Fault, LaidFaults, Seen } from "./laid-faults.ts";
import { endProcessesOf } from "./processes.ts";

/** The server's side. */
export function controlServer(faults: LaidFaults): Server {
  return createServer(async (request, response) => {
    const { method, url = "" } = request;
    const [, folder, name = ""] = url.split("/").map(decodeURIComponent);
    const answer = async (): Promise<unknown> => {
      if (folder === "faults" && method === "POST")
        return faults.lay((await json(request)) as Fault);
      if (folder === "faults" && method === "DELETE") return faults.heal(name);
      if (folder === "seen") return faults.seen(name);
      if (folder === "processes" && method === "DELETE") return endProcessesOf(name) ?? null;
      throw new Error(`no such thing: ${method} ${url}`);
    };
    try {
      response.end(JSON.stringify(await answer()));
    } catch (error) {
      response.writeHead(500).end(JSON.stringify(String(error)));
    }
  });
}

export interface LaidFault {
  /** Ends it. Returns how many requests it met. */
  heal(): Promise<number>;
}

export interface Faults {
  lay(fault: Fault): Promise<LaidFault>;
  seen(execution: string): Promise<readonly Seen[]>;
  /** Ends the idle processes of a function. */
  endProcessesOf(functionName: string): Promise<void>;
}

/** The faults of a stage, through the proxies' `controlUrl`. */
export function faultsAt(controlUrl: string): Faults {
  async function call<T>(method: string, path: readonly string[], content?: unknown): Promise<T> {
    const url = [controlUrl, ...path.map(encodeURIComponent)].join("/");
    const body = content === undefined ? null : JSON.stringify(content);
    const answer = await fetch(url, { method, body });
    if (!answer.ok) throw new Error(`${method} ${url}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  return {
    async lay(fault) {
      const id = await call<string>("POST", ["faults"], fault);
      return { heal: () => call<number>("DELETE", ["faults", id]) };
    },
    seen: (execution) => call("GET", ["seen", execution]),
    async endProcessesOf(functionName) {
      await call("DELETE", ["processes", functionName]);
    },
  };
}

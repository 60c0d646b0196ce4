/** A pod's network namespace and what runs in it, seen from the node. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { systemEnvironment } from "./commands.ts";
import type { Destination, Outcome } from "./flow.ts";
import type { Answer, Request } from "./pod-process.ts";

const podProcess = join(import.meta.dirname, "pod-process.ts");

type Ask = Request extends infer R ? (R extends { id: number } ? Omit<R, "id"> : never) : never;

export interface PodSandbox {
  /** Names the network namespace: /proc/<pid>/ns/net. */
  readonly pid: number;
  probe(destination: Destination, limitMs: number): Promise<Outcome>;
  open(destination: Destination, limitMs: number): Promise<LongLivedFlow>;
  /** Ends the process and with it the namespace. */
  end(): Promise<void>;
}

export interface LongLivedFlow {
  /** Whether a message sent now in this flow is answered. */
  passes(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Starts the process of a pod, with echo servers for TCP and UDP, in a new network namespace that has
 * no address yet.
 */
export async function startSandbox(ports: readonly number[]): Promise<PodSandbox> {
  // unshare becomes node without a fork: the pid and the channel are those of the pod's process.
  const child = spawn("unshare", ["--net", process.execPath, podProcess], {
    env: systemEnvironment(),
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await once(child, "spawn");
  const { pid } = child;
  if (pid === undefined) throw new Error("A process that was spawned has no pid");
  const { ask, end } = channelTo(child);
  // Its answer also proves that /proc/<pid>/ns/net is the new namespace by now.
  await ask({ ask: "listen", ports });
  return {
    pid,
    end,
    async probe(destination, limitMs) {
      return outcomeOf(await ask({ ask: "probe", destination, limitMs }));
    },
    async open(destination, limitMs) {
      const opened = await ask({ ask: "open", destination, limitMs });
      if (outcomeOf(opened) !== "passes") {
        throw new Error(`The flow to ${JSON.stringify(destination)} could not be opened`);
      }
      const flow = opened.id;
      return {
        passes: async () => outcomeOf(await ask({ ask: "echo", flow })) === "passes",
        close: async () => void (await ask({ ask: "close", flow })),
      };
    },
  };
}

function channelTo(child: ChildProcess): {
  ask(question: Ask): Promise<Answer>;
  end(): Promise<void>;
} {
  let asked = 0;
  const waiting = new Map<number, (answer: Answer) => void>();
  child.on("message", (answer: Answer) => waiting.get(answer.id)?.(answer));
  const ended = once(child, "exit").then(() => {
    for (const [id, settle] of waiting) settle({ id, error: "the process ended" });
  });
  return {
    async ask(question) {
      const id = ++asked;
      const answer = await new Promise<Answer>((resolve, reject) => {
        waiting.set(id, resolve);
        child.send({ id, ...question }, (error) => error && reject(error));
      });
      waiting.delete(id);
      if (answer.error) throw new Error(`Pod process ${child.pid}: ${answer.error}`);
      return answer;
    },
    async end() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function outcomeOf({ outcome }: Answer): Outcome {
  if (outcome === undefined) throw new Error("The pod process answered without an outcome");
  return outcome;
}

/**
 * All that runs in a pod of the lab: echo servers, and flows on request. Its parent started it in a
 * network namespace of its own and speaks to it over Node's IPC channel; when that ends, it ends.
 */
import { listen } from "./echo.ts";
import { type Destination, type Flow, type Outcome, openFlow, probe } from "./flow.ts";

/** What a pod is asked. Each request gets one answer of the same id. */
export type Request = { readonly id: number } & (
  | { readonly ask: "listen"; readonly ports: readonly number[] }
  | { readonly ask: "probe"; readonly destination: Destination; readonly limitMs: number }
  | { readonly ask: "open"; readonly destination: Destination; readonly limitMs: number }
  | { readonly ask: "echo"; readonly flow: number }
  | { readonly ask: "close"; readonly flow: number }
);

export interface Answer {
  readonly id: number;
  readonly outcome?: Outcome;
  readonly error?: string;
}

const flows = new Map<number, Flow>();

process.on("message", async (request: Request) => {
  process.send?.(await answer(request));
});
process.on("disconnect", () => process.exit());

async function answer(request: Request): Promise<Answer> {
  const { id } = request;
  try {
    switch (request.ask) {
      case "listen":
        await listen(request.ports);
        return { id };
      case "probe":
        return { id, outcome: await probe(request.destination, request.limitMs) };
      case "open": {
        const flow = openFlow(request.destination, request.limitMs);
        flows.set(id, flow);
        return { id, outcome: await flow.echo() };
      }
      case "echo":
        return { id, outcome: await flowOf(request.flow).echo() };
      case "close":
        flowOf(request.flow).close();
        flows.delete(request.flow);
        return { id };
    }
  } catch (error) {
    return { id, error: String(error) };
  }
}

/** A flow has the id of the request that opened it. */
function flowOf(id: number): Flow {
  const flow = flows.get(id);
  if (!flow) throw new Error(`There is no flow ${id}`);
  return flow;
}

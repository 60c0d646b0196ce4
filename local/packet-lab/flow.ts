/**
 * Flows from the network namespace of the process that opens them: one packet each way is asked of
 * an echo server.
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";

export type Protocol = "TCP" | "UDP";

/** `refused`: an error came back, e.g. from the policy controller's REJECT. `silent`: nothing did. */
export type Outcome = "passes" | "refused" | "silent";

export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface Flow {
  /** Sends once more in the same flow. */
  echo(): Promise<Outcome>;
  close(): void;
}

/** A new flow, closed at once. */
export async function probe(destination: Destination, limitMs: number): Promise<Outcome> {
  const flow = openFlow(destination, limitMs);
  const outcome = await flow.echo();
  flow.close();
  return outcome;
}

/** A flow that stays: the same connection, or for UDP the same source port. */
export function openFlow(destination: Destination, limitMs: number): Flow {
  return destination.protocol === "TCP"
    ? openTcp(destination, limitMs)
    : openUdp(destination, limitMs);
}

function openTcp({ address, port }: Destination, limitMs: number): Flow {
  const socket = connect({ host: address, port, noDelay: true });
  socket.on("error", ignore);
  return {
    echo: () => outcomeOf(socket, "data", limitMs, (word) => void socket.write(word)),
    // With a reset, so that closed connections do not wait around by the thousand.
    close: () => void socket.resetAndDestroy(),
  };
}

function openUdp({ address, port }: Destination, limitMs: number): Flow {
  const socket = createSocket("udp4");
  socket.on("error", ignore);
  // Connected, because only then does the kernel report a refusal to it.
  const connected = new Promise<void>((resolve) => socket.once("connect", resolve));
  socket.connect(port, address);
  return {
    echo: () =>
      outcomeOf(socket, "message", limitMs, async (word) => {
        await connected;
        socket.send(word);
      }),
    close: () => socket.close(),
  };
}

/** An error that comes while nobody waits says nothing about the next message. */
function ignore(): void {}

let words = 0;

/** Sends a word of its own, so that a late echo of an earlier one does not count. */
function outcomeOf(
  socket: NodeJS.EventEmitter,
  event: "data" | "message",
  limitMs: number,
  send: (word: string) => unknown,
): Promise<Outcome> {
  const word = `<${words++}>`;
  return new Promise((resolve) => {
    let heard = "";
    const end = (outcome: Outcome) => {
      clearTimeout(limit);
      socket.off(event, hear);
      socket.off("error", refuse);
      resolve(outcome);
    };
    const hear = (bytes: Buffer) => {
      heard += String(bytes);
      if (heard.includes(word)) end("passes");
    };
    const refuse = () => end("refused");
    const limit = setTimeout(() => end("silent"), limitMs);
    socket.on(event, hear);
    socket.on("error", refuse);
    send(word);
  });
}

/** Echo servers, in the network namespace of the process that starts them. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";

type Stop = () => void;

/** Answers on these ports, over TCP and UDP, at one address or at all of the namespace. */
export async function listen(ports: readonly number[], address = "0.0.0.0"): Promise<Stop> {
  const started = await Promise.all(
    ports.flatMap((port) => [listenTcp(port, address), listenUdp(port, address)]),
  );
  return () => {
    for (const stop of started) stop();
  };
}

async function listenTcp(port: number, address: string): Promise<Stop> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {}); // a probe ends with a reset
    socket.pipe(socket);
  });
  server.listen(port, address);
  await once(server, "listening");
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}

async function listenUdp(port: number, address: string): Promise<Stop> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, { address, port }) => {
    // The way back may be closed: then the sender hears nothing, as it should.
    socket.send(bytes, port, address, () => {});
  });
  socket.bind(port, address);
  await once(socket, "listening");
  return () => void socket.close();
}

import { type LoopbackServer, serve } from "./loopback.ts";

export interface ReleaseServer extends LoopbackServer {
  /** First byte of each answer that held a part of the file, in order. */
  readonly startedAt: number[];
}

/**
 * Publishes files as Kubernetes' release server does, ranges included. `breakAfter` says after how
 * many bytes the connection of the n-th answer breaks off; `ranges: false` leaves ranges out.
 */
export async function startReleaseServer(
  files: Readonly<Record<string, Buffer | string>>,
  options: { breakAfter?(answer: number): number | undefined; ranges?: boolean } = {},
): Promise<ReleaseServer> {
  const startedAt: number[] = [];
  const server = await serve((request, response) => {
    const body = files[request.url ?? ""];
    if (body === undefined) {
      response.writeHead(404).end("not found");
      return;
    }
    if (typeof body === "string") {
      response.end(body);
      return;
    }
    const asked =
      options.ranges === false ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const start = Number(asked?.[1] ?? 0);
    if (start >= body.length) {
      response.writeHead(416).end();
      return;
    }
    const rest = body.subarray(start);
    startedAt.push(start);
    response.writeHead(asked ? 206 : 200, {
      "content-length": rest.length,
      ...(asked && { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` }),
    });
    const limit = options.breakAfter?.(startedAt.length);
    if (limit === undefined) response.end(rest);
    else response.write(rest.subarray(0, limit), () => response.destroy());
  });
  return { ...server, startedAt };
}

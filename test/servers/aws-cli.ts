/**
 * `aws`, as `containment tunnel` calls it, with AWS's side left out: this machine is the bastion, and
 * a session leads straight to the host that it names. Tokens are made by the real AWS CLI, which
 * REAL_AWS names. Sessions are noted in the file AWS_SESSIONS, one JSON line for each.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { parseArgs } from "node:util";
import * as z from "zod";

const Environment = z.object({ REAL_AWS: z.string(), AWS_SESSIONS: z.string() });
const Parameters = z.object({
  host: z.tuple([z.string()]),
  portNumber: z.tuple([z.string()]),
  localPortNumber: z.tuple([z.string()]),
});

const [service = "", operation = "", ...rest] = process.argv.slice(2);
const environment = Environment.parse(process.env);
if (service === "--version") console.log("aws-cli/0.0.0 on loopback");
else if (operation === "start-session") startSession();
else {
  const { status } = spawnSync(environment.REAL_AWS, process.argv.slice(2), { stdio: "inherit" });
  process.exitCode = status ?? 1;
}

function startSession(): void {
  const option = { type: "string" } as const;
  const { values } = parseArgs({
    args: rest,
    options: { target: option, region: option, "document-name": option, parameters: option },
  });
  const parameters = Parameters.parse(JSON.parse(values.parameters ?? ""));
  const [host] = parameters.host;
  const [port] = parameters.portNumber;
  const [localPort] = parameters.localPortNumber;
  const sessionId = `tester-${process.pid}`;
  const note = { sessionId, pid: process.pid, ...values, parameters };
  appendFileSync(environment.AWS_SESSIONS, `${JSON.stringify(note)}\n`);

  console.log(`\nStarting session with SessionId: ${sessionId}`);
  createServer((near) => {
    const far = connect(Number(port), host);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on("error", () => near.destroy());
  }).listen(Number(localPort), "localhost", () => {
    console.log(`Port ${localPort} opened for sessionId ${sessionId}.`);
  });
}

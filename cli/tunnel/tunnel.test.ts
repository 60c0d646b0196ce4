import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { freePorts } from "../../local/ports.ts";
import { runInForeground } from "./foreground.ts";
import { kubeconfigFor } from "./kubeconfig.ts";
import { portOf, requireFreePort } from "./local-port.ts";
import { untilReady } from "./until-ready.ts";

const never = new Promise<string>(() => {});

test("the kubeconfig leads to this machine, proves the cluster's own name and holds no secret", () => {
  const written = JSON.parse(
    kubeconfigFor(
      {
        name: "demo",
        region: "eu-west-1",
        endpoint: "https://0123.gr7.eu-west-1.eks.amazonaws.com",
        certificateAuthority: "Y2E=",
      },
      21_000,
    ),
  );

  expect(written.clusters[0].cluster).toEqual({
    server: "https://127.0.0.1:21000",
    "tls-server-name": "0123.gr7.eu-west-1.eks.amazonaws.com",
    "certificate-authority-data": "Y2E=",
  });
  expect(Object.keys(written.users[0].user)).toEqual(["exec"]);
  expect(written.users[0].user.exec.args).toEqual([
    ...["eks", "get-token", "--cluster-name", "demo", "--region", "eu-west-1"],
  ]);
});

describe("the port on this machine", () => {
  let taken: Server | undefined;
  afterEach(() => taken?.close());

  async function take(port: number, address: string): Promise<void> {
    const server = createServer();
    taken = server;
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
  }

  test.each(["127.0.0.1", "::1"])("is refused when %s already answers on it", async (address) => {
    const [port = 0] = await freePorts(1);
    await expect(requireFreePort(port)).resolves.toBeUndefined();
    await take(port, address);

    await expect(requireFreePort(port)).rejects.toThrow(
      `port ${port} of ${address} is taken; name another one with --port`,
    );
  });

  test("is a number", () => {
    expect(portOf("3001")).toBe(3001);
    for (const text of ["0", "65536", "3001.5", "kuma", ""]) {
      expect(() => portOf(text), text).toThrow("is no number of 1 to 65535");
    }
  });
});

describe("a command in the tunnel", () => {
  test("gets its environment, and its exit code is handed on", async () => {
    const command = ["sh", "-c", 'test "$KUBECONFIG" = /there && exit 7'];

    expect(await runInForeground(command, { ...process.env, KUBECONFIG: "/there" }, never)).toBe(7);
  });

  test("that a signal ended says which", async () => {
    expect(await runInForeground(["sh", "-c", "kill -TERM $$"], process.env, never)).toBe(143);
  });

  test("is ended when the tunnel breaks", async () => {
    const broken = Promise.resolve("the session ended");

    expect(await runInForeground(["sleep", "300"], process.env, broken)).toBe("the session ended");
  });

  test("that does not exist is said", async () => {
    await expect(runInForeground(["no-such-command"], process.env, never)).rejects.toThrow(
      "could not run no-such-command",
    );
  });
});

describe("waiting for the far end", () => {
  const options = { what: "the far end", limitMs: 60_000, signal: new AbortController().signal };

  test("ends with the first yes", async () => {
    const answers = [false, false, true];

    await untilReady(options, async () => answers.shift() ?? false, never);

    expect(answers).toEqual([]);
  });

  test("ends with what broke, and asks no more", async () => {
    let asked = 0;
    const waiting = untilReady(
      options,
      async () => {
        asked += 1;
        return false;
      },
      Promise.resolve("the session ended with 255"),
    );

    await expect(waiting).rejects.toThrow("the session ended with 255");
    expect(asked).toBe(1);
  });
});

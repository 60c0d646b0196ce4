/**
 * Kills a state at every call that it makes of its ports, and lets it run again. Reads count as well:
 * so a new write cannot be forgotten, whatever port it is of.
 */

/** A function that was killed: an error that no code knows, so that nothing can handle it. */
class Killed extends Error {
  override readonly name = "Killed";
}

interface CrashPoint {
  /** Index of the call. */
  readonly at: number;
  readonly when: "before" | "after";
}

/**
 * Each time in a world of its own: runs the state once as it is, then for each call in turn, before and after its effect: killed there,
 * then run again to its end. `assess` looks at what came of it, and is told what had happened.
 * Returns the calls of the undisturbed run.
 */
export async function killedEverywhere<World extends { readonly ports: object }, Result>(
  prepare: () => World,
  run: (ports: World["ports"]) => Promise<Result>,
  assess: (world: World, result: Result, killed: string) => Promise<void>,
): Promise<readonly string[]> {
  const undisturbed: string[] = [];
  const world = prepare();
  await assess(world, await run(mortal(world.ports, null, undisturbed)), "not killed");
  for (let at = 0; at < undisturbed.length; at++) {
    for (const when of ["before", "after"] as const) {
      const made: string[] = [];
      const again = prepare();
      const outcome = await run(mortal(again.ports, { at, when }, made)).then(
        () => "ended",
        // Calls that are made side by side may be more by then.
        (error: unknown) => (made.length === at + 1 || error instanceof Killed ? "killed" : error),
      );
      const killed = `killed ${when} ${made[at]}`;
      if (outcome !== "killed") throw new Error(`was not ${killed}`, { cause: outcome });
      await assess(again, await run(again.ports), killed);
    }
  }
  return undisturbed;
}

/** These ports, for a function that dies at a call. Tells of every call. */
function mortal<Ports extends object>(
  ports: Ports,
  crash: CrashPoint | null,
  made: string[],
): Ports {
  let dead = false;
  const call = (name: string, act: () => unknown): unknown => {
    if (dead) throw new Killed(`${name}: the function is dead`);
    const index = made.push(name) - 1;
    const die = (when: CrashPoint["when"]) => {
      if (crash?.at !== index || crash.when !== when) return;
      dead = true;
      throw new Killed(`${when} ${name}`);
    };
    die("before");
    const answer = act();
    if (answer instanceof Promise) return answer.finally(() => die("after"));
    die("after");
    return answer;
  };
  const operationsOf = (name: string, port: object): object =>
    new Proxy(port, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") return member;
        return (...input: unknown[]) =>
          call(`${name}.${String(key)}`, () => Reflect.apply(member, target, input));
      },
    });
  return new Proxy(ports, {
    get(target, name) {
      const port: unknown = Reflect.get(target, name);
      const isPort = typeof port === "object" && port !== null;
      return isPort ? operationsOf(String(name), port) : port;
    },
  });
}

/** What the playbook itself says of its states, so that a new one gets its cells by itself. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Needs } from "../../core/needs.ts";
import { STATES, type StateName } from "../../functions/contract.ts";
import { NEEDS } from "../../functions/needs.ts";
import type { Service } from "./asked.ts";

interface Asl {
  readonly States: Readonly<
    Record<
      string,
      {
        readonly Catch?: readonly { readonly ErrorEquals: readonly string[] }[];
        readonly Branches?: readonly Asl[];
      }
    >
  >;
}

const definition = join(import.meta.dirname, "../../workflows/contain.asl.json");
const CAUGHT = new Set(caughtIn(JSON.parse(readFileSync(definition, "utf8")) as Asl));

/** True when the run goes on without what the state should have done. */
export function isCaught(state: StateName): boolean {
  return CAUGHT.has(state);
}

function caughtIn({ States }: Asl): readonly string[] {
  return Object.entries(States).flatMap(([name, { Catch = [], Branches = [] }]) => [
    ...(Catch.some(({ ErrorEquals }) => ErrorEquals.includes("States.ALL")) ? [name] : []),
    ...Branches.flatMap(caughtIn),
  ]);
}

/** The services that a state calls. */
export function servicesOf(state: StateName): ReadonlySet<Service> {
  const { kubernetes, evidence, volumes, instances, identities, clusters, announcements }: Needs =
    NEEDS[state];
  const called: readonly (readonly [Service, unknown])[] = [
    ["kubernetes", kubernetes],
    ["sts", kubernetes], // the API server verifies the state's token there
    ["s3", evidence],
    ["ec2", volumes ?? instances ?? identities],
    ["eks", clusters ?? identities],
    ["events", announcements],
  ];
  return new Set(called.flatMap(([service, need]) => (need === undefined ? [] : service)));
}

/** True when a state changes something in the cluster. */
export function writesToCluster(state: StateName): boolean {
  const { kubernetes }: Needs = NEEDS[state];
  return (kubernetes?.patches ?? kubernetes?.makes ?? kubernetes?.deletes) !== undefined;
}

/** The states that ask anything of anybody; what the others do is between them and their input. */
export const STATES_THAT_ASK: readonly StateName[] = STATES.filter(
  (state) => servicesOf(state).size > 0,
);

/** What the playbook itself says of its states, so that a new one gets its cells by itself. */
import type { Needs } from "../../core/needs.ts";
import { STATES, type StateName } from "../../functions/contract.ts";
import { NEEDS } from "../../functions/needs.ts";
import { workflowNamed } from "../../workflows/definition.ts";
import type { Service } from "./asked.ts";

/** A cell is a run of this workflow. */
const { states, invokes } = workflowNamed("contain");

/** True when the run goes on without what the state should have done. */
export function isCaught(state: StateName): boolean {
  return (
    states.get(state)?.Catch.some(({ ErrorEquals }) => ErrorEquals.includes("States.ALL")) ?? false
  );
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
  (state) => invokes.includes(state) && servicesOf(state).size > 0,
);

/** What the playbooks themselves say of their states, so that a new one gets its cells by itself. */
import type { Needs } from "../../core/needs.ts";
import { STATES, type StateName } from "../../functions/contract.ts";
import { NEEDS } from "../../functions/needs.ts";
import { workflowNamed } from "../../workflows/definition.ts";
import type { Service } from "./asked.ts";

/** The workflows of a stage, each by the name of its file. */
export const PLAYBOOKS = ["contain", "reverify", "drain", "record-failure"] as const;
export type Playbook = (typeof PLAYBOOKS)[number];

const workflows = PLAYBOOKS.map((playbook) => ({ playbook, ...workflowNamed(playbook) }));

/** The playbook that a state is of: each is of one. */
export function playbookOf(state: StateName): Playbook {
  return workflowOf(state).playbook;
}

function workflowOf(state: StateName) {
  const found = workflows.find(({ invokes }) => invokes.includes(state));
  if (!found) throw new Error(`no playbook has a state ${state}`);
  return found;
}

/** True when the run goes on without what the state should have done. */
export function isCaught(state: StateName): boolean {
  const { Catch = [] } = workflowOf(state).states.get(state) ?? {};
  return Catch.some(({ ErrorEquals }) => ErrorEquals.includes("States.ALL"));
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
  const { patches, makes, deletes, evicts } = kubernetes ?? {};
  return (patches ?? makes ?? deletes ?? evicts) !== undefined;
}

/** True when a state changes anything at all. */
export function writes(state: StateName): boolean {
  const { evidence }: Needs = NEEDS[state];
  return writesToCluster(state) || evidence?.writes !== undefined;
}

/** The states that ask anything of anybody; what the others do is between them and their input. */
export const STATES_THAT_ASK: readonly StateName[] = STATES.filter(
  (state) => servicesOf(state).size > 0,
);

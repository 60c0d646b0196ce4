import type { Pod, Surroundings } from "../kubernetes.ts";
import type { Denial } from "../policies.ts";
import type { ProvenPod } from "../target/prove.ts";
import { before } from "./before.ts";
import { denyAll, strongestDenial } from "./denials.ts";
import { podNotes } from "./notes.ts";
import type { Owner } from "./owner.ts";
import {
  atOnce,
  type Condition,
  common,
  overriding,
  type Phase,
  type Plan,
  type PlanInput,
} from "./plan.ts";
import type { Order } from "./settings.ts";
import { createDenial, deleteDenial, relabelPod, restart, type Step } from "./steps.ts";
import { affectedBy } from "./surroundings.ts";
import { podIdentifier } from "./vpc-cni/identifier.ts";
import { workloadSteps } from "./workload.ts";

export interface PodInput extends PlanInput {
  readonly target: ProvenPod;
  readonly pod: Pod;
  readonly owner: Owner;
  readonly surroundings: Surroundings | null;
}

/**
 * Plans the quarantine of a pod. It loses its labels, then a deny-all policy of the case's own
 * selects it: in this order, since the VPC CNI takes a second to notice a label under a standing
 * policy and milliseconds to notice a new policy. Then the strongest policy that the CNI has.
 *
 * On the VPC CNI all pods of a ReplicaSet share one set of rules, the replacement included, so its
 * Deployment is rolled out to another ReplicaSet and what depends on that waits for it. Source for
 * the orders: tried whole with packets against AWS's own agent.
 */
export function planPodQuarantine(input: PodInput): Plan {
  const { target, pod, owner, network, caseId, plannedAt } = input;
  const shares = network.cni === "vpc";
  const affected = affectedBy(pod, owner, input.surroundings, shares);
  const workload = workloadSteps(input);
  const rolls = shares && owner.kind === "Deployment" && !workload.stops;
  const siblingsLeave = workload.stops || (rolls && owner.workload.spec.paused !== true);
  const restartStep = rolls && siblingsLeave ? [restart(owner.workload, plannedAt)] : [];

  const labels = relabelPod(pod, target.uid, owner, caseId);
  const policy = denyAll(target, caseId);
  const deny = createDenial(policy, "deny everything that no other policy allows");
  const strongest = strongestDenial(target, caseId, network);
  const identifier = podIdentifier(target.name);
  const order = shares && siblingsLeave ? input.order : null;
  const follow = [...restartStep, ...workload.steps];

  return {
    ...common(input),
    target,
    order,
    affected,
    phases: shares
      ? vpcPhases({ input, order, labels, deny, strongest, follow, identifier })
      : [atOnce([labels, deny, ...overriding(strongest), ...follow])],
    notes: podNotes(input, { affected, order, siblingsLeave, strongest, workload }),
    before: before(input),
  };
}

interface VpcParts {
  readonly input: PodInput;
  readonly order: Order | null;
  readonly labels: Step;
  readonly deny: Step;
  readonly strongest: Denial | null;
  readonly follow: readonly Step[];
  readonly identifier: string;
}

function vpcPhases(parts: VpcParts): readonly Phase[] {
  const { input, order, labels, deny, strongest, follow, identifier } = parts;
  const siblingsGone: Condition = { until: "siblingsGone", identifier };
  if (order === null) return [atOnce([labels, deny, ...overriding(strongest), ...follow])];
  if (order === "clean" && strongest) {
    return [
      atOnce([labels, deny, ...follow]),
      // Rather all siblings cut than the target open for ever.
      { after: siblingsGone, otherwise: "carryOut", steps: overriding(strongest) },
    ];
  }
  const first = atOnce([labels, deny, ...overriding(strongest), ...follow]);
  const remade = strongest ?? (input.settings.recreateToCutFlows ? objectOf(deny) : null);
  if (!remade) return [first, { after: siblingsGone, otherwise: "skip", steps: [] }];
  const why = "judge anew the flows that were established before";
  return [
    first,
    { after: siblingsGone, otherwise: "skip", steps: [deleteDenial(remade, why)] },
    {
      after: {
        until: "endpointsGone",
        policy: remade.metadata.name,
        namespace: remade.metadata.namespace ?? null,
      },
      otherwise: "carryOut", // it must not stay deleted
      steps: [createDenial(remade, why)],
    },
  ];
}

function objectOf({ write }: Step): Denial | null {
  return write.action === "create" ? write.object : null;
}

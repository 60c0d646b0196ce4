/**
 * Why a verdict is not `contained`: every code with what it means, as docs/verdicts.md prints them.
 * Codes are an interface: alarms and dashboards match them.
 */
export const REASONS = {
  podGone: "The pod is no longer there: there is nothing left to cut off.",
  labelMissing: "The pod does not bear the case's label, so the quarantine does not select it.",
  policyMissing: "A policy of the quarantine is not there any more.",
  policyChanged: "A policy of the quarantine was changed and denies less than it did.",
  policyNotResolved:
    "The CNI's controller has not resolved the quarantine to the pod, so no node enforces it.",
  policyUnreadable:
    "A policy has something that the product does not understand, and could allow traffic by it.",
  otherPolicyAllows: "Another policy allows traffic that the quarantine does not override.",
  hostNetwork: "The pod is on its node's network, where no policy applies.",
  fargate: "The pod runs on Fargate, where no policy is enforced.",
  windows: "The pod runs on Windows, where the AWS VPC CNI enforces no policy.",
  otherNetworks: "The pod has further network interfaces, which the CNI's policies do not cover.",
  networkPolicyOff: "The cluster's CNI does not enforce policies: it is switched off.",
  cniUnknown: "Which CNI enforces policies, or whether one does, could not be found out.",
  modeUnproven: "The CNI enforces in a mode whose behaviour the product has no proof of.",
  establishedFlowsMaySurvive:
    "Connections that stood before the quarantine may live on until they end by themselves.",
  sharedIdentifierOpen:
    "Other pods share the pod's rules on the AWS VPC CNI, and policies that allow them keep it open.",
  sharedIdentifierCut:
    "Other pods share the pod's rules on the AWS VPC CNI, and are cut off together with it.",
  phaseIncomplete:
    "What a later phase of the plan waits for, a rollout or the CNI's controller, did not come in time.",
  namespaceGone: "The namespace is no longer there, or another one bears its name.",
  agentGone: "The CNI's agent does not run on the pod's node: what changes there is not enforced.",
  notVerified: "The case could not be looked at: what holds is not known.",
  braked:
    "A brake held later phases of the plan back: what was written stands, the rest is missing.",
} as const;
export type ReasonCode = keyof typeof REASONS;

/** One reason of one verdict. Policies and pods are named so that a responder can look at them. */
export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
  readonly policies?: readonly string[];
  readonly pods?: readonly string[];
}

/** The first names and how many more: all of them are in the evidence, and state is limited. */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(", ");
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

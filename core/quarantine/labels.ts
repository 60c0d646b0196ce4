import type { Labels, ObjectMeta } from "../kubernetes.ts";

/** The label that ties a pod or a policy to the case that put it there. */
export const CASE_LABEL = "eks-containment/case";
/** What a suspended policy selects by: no pod bears it, and its value names the case. */
export const SUSPENDED_LABEL = "eks-containment/suspended-by";
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "eks-containment";

/** The labels of everything that a case puts into the cluster. */
export function caseLabels(caseId: string): Labels {
  return { [CASE_LABEL]: caseId, [MANAGED_BY_LABEL]: MANAGED_BY };
}

/** Null when the object is of this case; otherwise whose it is, in words. */
export function otherOwner({ labels = {} }: ObjectMeta, caseId: string): string | null {
  const owner = labels[MANAGED_BY_LABEL] ?? "somebody else";
  const ofCase = labels[CASE_LABEL];
  if (owner === MANAGED_BY && ofCase === caseId) return null;
  return owner === MANAGED_BY ? `of case ${ofCase}` : `managed by ${owner}`;
}

/** Marks that the tools leave on what they keep in step with a repository or a chart. */
const GITOPS_MARKS: readonly (readonly [mark: string, tool: string])[] = [
  ["argocd.argoproj.io/tracking-id", "Argo CD"],
  ["argocd.argoproj.io/instance", "Argo CD"],
  ["kustomize.toolkit.fluxcd.io/name", "Flux"],
  ["helm.toolkit.fluxcd.io/name", "Flux"],
  ["meta.helm.sh/release-name", "Helm"],
];

/** The tool that will put the object back as it was, or null when none has left its mark. */
export function gitOpsOwner({ labels = {}, annotations = {} }: ObjectMeta): string | null {
  const marked = GITOPS_MARKS.find(([mark]) => mark in labels || mark in annotations);
  return marked?.[1] ?? null;
}

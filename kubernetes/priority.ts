import { type KubernetesGroup, READERS } from "./groups.ts";

/** Name of the priority level, and of the flow schema that leads to it. */
export const PRIORITY = "eks-containment";

/**
 * The API server's own queue for our functions (API Priority and Fairness): whoever floods the API
 * server fills `workload-low` or `global-default`, and does not keep a containment waiting.
 *
 * The precedence is behind leader elections and before everything that a workload can be in: the first
 * schema that matches decides, the lowest number first. Its seats are lent to nobody, because what was
 * lent comes back only after seconds. Twenty shares of some 265 are a fourteenth of the server, about
 * forty requests at once. People who look at plans are in no hurry, and not in it.
 * Source: kubernetes.io/docs/concepts/cluster-administration/flow-control, and the suggested
 * configuration of kube-apiserver (apiserver/pkg/apis/flowcontrol/bootstrap).
 */
export function priorityManifests(groups: readonly KubernetesGroup[]): readonly string[] {
  const subjects = groups
    .filter((group) => group !== READERS)
    .map((name) => `        - kind: Group\n          group: { name: ${name} }\n`);
  return [
    `# What the functions ask is answered however busy the API server is (kubernetes/priority.ts)
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata:
  name: ${PRIORITY}
spec:
  type: Limited
  limited:
    nominalConcurrencyShares: 20
    lendablePercent: 0
    limitResponse:
      type: Queue
      queuing:
        queues: 16
        handSize: 4
        queueLengthLimit: 50
`,
    `apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata:
  name: ${PRIORITY}
spec:
  priorityLevelConfiguration:
    name: ${PRIORITY}
  matchingPrecedence: 300
  distinguisherMethod:
    type: ByUser
  rules:
    - subjects:
${subjects.join("")}      resourceRules:
        - verbs: ["*"]
          apiGroups: ["*"]
          resources: ["*"]
          clusterScope: true
          namespaces: ["*"]
      nonResourceRules:
        - verbs: ["*"]
          nonResourceURLs: ["*"]
`,
  ];
}

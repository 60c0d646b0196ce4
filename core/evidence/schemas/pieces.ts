import * as z from "zod";
import { MODES, SEVERITIES } from "../../alert/alert.ts";
import { BRAKES, type BrakeName } from "../../brakes/brake.ts";
import { CNIS } from "../../cluster/network.ts";
import type { Kubernetes, PolicyEndpoint } from "../../kubernetes.ts";
import { POLICY_KINDS, type PolicyKind, type PolicySet } from "../../policies.ts";

/* What several artefacts share. Objects are strict: a field that is not published is a mistake. */

export const Time = z.iso.datetime().describe("RFC 3339 in UTC");
export const time = (what: string) => z.iso.datetime().describe(`${what}, RFC 3339 in UTC`);
export const list = <T extends z.ZodType>(item: T) => z.array(item).readonly();
export const names = (what: string) => list(z.string()).describe(what);
export const Labels = z.record(z.string(), z.string());

/** An object of Kubernetes as its API server sent it; Kubernetes publishes its shape. */
export const kubernetesObject = <T extends object>(what: string) =>
  z
    .custom<T>((value) => typeof value === "object" && value !== null && !Array.isArray(value))
    .meta({ type: "object", description: `${what}, as the API server sent it` });

type Read<Operation extends keyof Kubernetes> = NonNullable<
  Awaited<ReturnType<Extract<Kubernetes[Operation], (...input: never[]) => unknown>>>
>;
export const Namespace = kubernetesObject<Read<"namespace">>("the Namespace").nullable();
export const Pod = kubernetesObject<Read<"pod">>(
  "a Pod, the values of environment variables redacted",
);
export const Endpoint = kubernetesObject<PolicyEndpoint>("a PolicyEndpoint of the AWS VPC CNI");

const policies = <K extends keyof PolicySet>(what: string) =>
  list(kubernetesObject<NonNullable<PolicySet[K]>[number]>(what));
export const Policies = z
  .strictObject({
    networkPolicies: policies<"networkPolicies">("a NetworkPolicy"),
    applicationNetworkPolicies: policies<"applicationNetworkPolicies">(
      "an ApplicationNetworkPolicy of AWS",
    ),
    clusterNetworkPolicies: policies<"clusterNetworkPolicies">("a ClusterNetworkPolicy of AWS"),
    ciliumNetworkPolicies: policies<"ciliumNetworkPolicies">("a policy of Cilium"),
    calicoPolicies: policies<"calicoPolicies">("a policy of Calico"),
    adminPolicies: policies<"adminPolicies">("a policy of policy.networking.k8s.io").optional(),
  })
  .describe("Every policy that can concern the target's namespace, by kind");

export const CaseRef = z
  .strictObject({
    id: z.string().describe("Id of the case"),
    runId: z.string().describe("Id of the run: its folder under runs/"),
  })
  .describe("The case, and its run");

export const Execution = z
  .strictObject({
    arn: z.string().describe("Its ARN"),
    name: z.string().describe("Its name"),
    startedAt: time("When it began"),
  })
  .describe("Execution of the state machine that acted");

export const Mode = z.enum(MODES).describe("`audit` makes the plan and changes nothing");

export const Brake = z.strictObject({
  brake: z.enum(Object.keys(BRAKES) as BrakeName[]).describe("Which one; docs/brakes.md has all"),
  withheld: z.string().describe("What was not written because of it"),
  why: z.string().describe("Why it held"),
  lift: z.string().describe("What a person does to lift it, or to contain in spite of it"),
});

export const Alert = z
  .strictObject({
    source: z.enum(["falco", "guardduty", "manual"]).describe("What raised it"),
    id: z.string().describe("The source's own identifier"),
    rule: z.string().describe("The rule, the type of finding, or the request by hand"),
    severity: z.enum(SEVERITIES).describe("Normalised, most severe first"),
    detectedAt: time("When the sensor saw it, by the sensor's clock"),
  })
  .describe("The detection, normalised");

const named = {
  cluster: z.string().describe("Name of the EKS cluster"),
  namespace: z.string().describe("Its namespace"),
  name: z.string().describe("Its name; of a namespace the namespace again"),
};
const podKind = z.literal("pod").describe("A pod, or a namespace with all in it");
const namespaceKind = z.literal("namespace");
export const Target = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: podKind,
      ...named,
      uid: z.string().nullable().describe("Null when the alert did not know it"),
      containerId: z.string().nullable().describe("Null when the alert did not know it"),
    }),
    z.strictObject({ kind: namespaceKind, ...named, uid: z.string().nullable() }),
  ])
  .describe("What the alert named");

export const ProvenTarget = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: podKind,
      namespace: z.string().describe("Its namespace"),
      name: z.string().describe("Its name"),
      uid: z.string().describe("Its UID"),
    }),
    z.strictObject({
      kind: namespaceKind,
      namespace: z.string().describe("Its name"),
      uid: z.string().describe("Its UID"),
    }),
  ])
  .describe("The object that was found in the cluster to be the one of the alert");

export const Network = z
  .strictObject({
    cni: z.enum(CNIS).nullable().describe("Null: none that the product knows"),
    enforcing: z
      .enum(["on", "off", "unknown"])
      .describe("Whether it enforces; `unknown` is never taken for `on`"),
    mode: z.enum(["standard", "strict", "unknown"]).nullable().describe("Of the AWS VPC CNI"),
    ipFamily: z.enum(["ipv4", "ipv6"]).describe("Of the addresses of pods"),
    policyKinds: list(z.enum(Object.keys(POLICY_KINDS) as PolicyKind[])).describe(
      "Kinds of policy that the API server serves",
    ),
    seen: names("What these facts were concluded from"),
  })
  .describe("What enforces policies in the cluster");

export const ArtefactRef = z
  .strictObject({
    key: z.string().describe("Its key in the bucket"),
    sha256: z.string().describe("SHA-256 of its bytes"),
    size: z.number().describe("Bytes"),
    versionId: z.string().describe("S3's version of it"),
  })
  .describe("Another object of evidence");

export const CarriedOut = z.strictObject({
  action: z.enum(["patch", "create", "delete"]).describe("What was done"),
  kind: z.string().describe("Kind of the object"),
  namespace: z.string().nullable().describe("Null for kinds that lie in none"),
  name: z.string().describe("Its name"),
  uid: z.string().nullable().describe("Its UID; null when it was not there"),
  outcome: z.enum(["done", "absent"]).describe("`absent`: it was gone, nothing was written"),
});

export const Reason = z.strictObject({
  code: z.string().describe("A code of docs/verdicts.md"),
  message: z.string().describe("The code in words, with names"),
  policies: names("Policies that it is about").optional(),
  pods: names("Pods that it is about").optional(),
});

import * as z from "zod";
import { Missing } from "../manifest.ts";
import { ArtefactRef, kubernetesObject, list, names, Target, time } from "./pieces.ts";

export const MissingSources = list(
  z.strictObject({
    source: z.string().describe("What was asked"),
    error: z.string().describe("Name of the error; `OutOfTime` where the bound was up"),
    reason: z.string().describe("What the error said"),
  }),
).describe("What could not be read, and why");

/** A kind's first page; null: it could not be read. */
export const firstPage = <T extends object>(what: string) =>
  z
    .strictObject({
      items: list(kubernetesObject<T>(what)).describe("The first of them, up to 500"),
      remaining: z.number().describe("How many more there are, as far as the API server says"),
    })
    .nullable();

const Binding = z.strictObject({
  kind: z.enum(["RoleBinding", "ClusterRoleBinding"]).describe("Its kind"),
  namespace: z.string().nullable().describe("Where it counts; null: everywhere"),
  name: z.string().describe("Its name"),
  roleRef: z
    .looseObject({
      kind: z.string().describe("Kind of the role"),
      name: z.string().describe("Its name"),
    })
    .describe("The role"),
  through: list(kubernetesObject<object>("a Subject")).describe(
    "Its subjects that reach the service account: by name, as user or as group",
  ),
});

const Permissions = z
  .strictObject({
    bindings: list(Binding).describe("Bindings that reach the service accounts"),
    roles: list(
      z.strictObject({
        kind: z.string().describe("Role or ClusterRole"),
        namespace: z.string().nullable().describe("Null for a ClusterRole"),
        name: z.string().describe("Its name"),
        rules: z.array(z.unknown()).readonly().nullable().describe("Null: there is no such role"),
      }),
    ).describe("Their roles, with rules as RBAC has them"),
    leftOut: z.number().describe("How many more bindings and roles there are"),
  })
  .nullable()
  .describe("What the target's service accounts may do");

const Logs = z
  .strictObject({
    pages: list(
      z.strictObject({ pod: z.string().describe("The pod"), artefact: ArtefactRef }),
    ).describe("The artefacts with the logs, one a pod"),
    podsLeftOut: z.number().describe("Pods whose logs were not taken"),
    bounds: z.string().describe("How much was taken, in words"),
  })
  .nullable()
  .describe("The last lines of containers' logs");

export const ContextRecord = z.strictObject({
  capturedAt: time("When it was read"),
  target: Target,
  uid: z.string().describe("UID of the proven target"),
  pods: z.number().describe("How many pods the target has"),
  pod: kubernetesObject<object>("the Pod after the quarantine, redacted").nullable(),
  events: firstPage<object>("an Event").describe("Events about the pod, or in the namespace"),
  owners: list(
    z.strictObject({
      kind: z.string().describe("Its kind"),
      name: z.string().describe("Its name"),
      uid: z.string().describe("UID in the reference"),
      object: kubernetesObject<object>("the controller").nullable(),
    }),
  )
    .nullable()
    .describe("The pod's controller before the quarantine, and that one's"),
  serviceAccounts: list(kubernetesObject<object>("a ServiceAccount").nullable())
    .nullable()
    .describe("Service accounts of the target's pods"),
  permissions: Permissions,
  nodes: list(kubernetesObject<object>("a Node").nullable())
    .nullable()
    .describe("The target's nodes, with their conditions"),
  logs: Logs,
  leftOut: z
    .strictObject({
      nodes: z.number().describe("Nodes beyond the bound"),
      serviceAccounts: z.number().describe("Service accounts beyond the bound"),
    })
    .describe("What was not looked at, because there is too much of it"),
  missing: MissingSources,
});

export const LogPage = z.strictObject({
  capturedAt: time("When they were read"),
  namespace: z.string().describe("Namespace of the pod"),
  pod: z.string().describe("The pod"),
  uid: z.string().describe("Its UID"),
  logs: list(
    z.strictObject({
      container: z.string().describe("The container"),
      previous: z.boolean().describe("Of the one before it was restarted"),
      lines: names("The last lines, each with the time at which the runtime received it; redacted"),
      cut: z.boolean().describe("There may be earlier lines"),
      endMissing: z.boolean().describe("The newest lines are so long that the API left them out"),
    }),
  ).describe("A log for each container, and for each one before it"),
});

const Credential = z.strictObject({
  kind: z
    .enum(["irsaRole", "podIdentityRole", "nodeRole", "serviceAccountToken"])
    .describe("What it is"),
  identity: z.string().describe("ARN of the role or instance profile, or the service account"),
  obtainedBy: z.string().describe("How the pod comes by it"),
  sharedWith: list(
    z.strictObject({
      kind: z
        .enum(["pods", "serviceAccounts", "podIdentityAssociations", "instances"])
        .describe("What they are"),
      names: names("Others that have the same credential"),
      more: z.number().describe("How many more there are"),
      unknown: z.boolean().describe("It could not be read, so there may be any number"),
    }),
  ).describe("Who else would feel its revocation"),
  revoking: z.string().describe("What revoking it would hit"),
  notStopped: names("What revoking it would not stop"),
});

export const CredentialsRecord = z.strictObject({
  capturedAt: time("When it was read"),
  target: Target,
  uid: z.string().describe("UID of the proven target"),
  revoked: z.literal(false).describe("Nothing is revoked"),
  pods: list(
    z.strictObject({
      pod: z.string().describe("One pod of each service account on each node"),
      credentials: list(Credential).describe("What whoever controls it can use"),
    }),
  ).describe("The identities of the target"),
  identitiesLeftOut: z.number().describe("Pairs of service account and node beyond the bound"),
  missing: MissingSources,
});

/** What the workflow kept of an answer of AWS; who asked about what stands beside it. */
const answers = (what: string) => list(z.unknown()).describe(what);

export const AwsContextRecord = z.strictObject({
  capturedAt: time("When it was written down"),
  notSeen: names("What these answers cannot tell"),
  trail: answers("CloudTrail's newest events of a day about cluster, node and role"),
  findings: answers("GuardDuty's newest findings of a week about cluster, node and role"),
  nodeProfile: z.unknown().describe("Instance profile of the node, with its roles; null: not read"),
  auditLog: z.unknown().describe("Lines of the control plane's audit log; null: not asked"),
  missing: list(Missing).describe("What could not be asked, and why"),
});

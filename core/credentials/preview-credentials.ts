import type { CaseRef } from "../case/case.ts";
import { eachOf, gather } from "../context/gather.ts";
import { briefOf, type PodBrief, podBefore, targetPods } from "../context/target-pods.ts";
import { artefactKey } from "../evidence/keys.ts";
import { redact } from "../evidence/redact.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ObjectMeta } from "../kubernetes.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { machineOf } from "../node/provider-id.ts";
import type { Target } from "../target/target.ts";
import type { Within } from "../within.ts";
import {
  blastRadius,
  type Credential,
  type IdentityFacts,
  type InstanceProfile,
  type PodIdentityAssociation,
  ROLE_ANNOTATION,
} from "./blast-radius.ts";

export const PREVIEW_CREDENTIALS_NEEDS = {
  kubernetes: {
    reads: [],
    optional: [
      ...["pod", "podPages", "serviceAccountPages", "podsOfServiceAccount", "podsOnNode", "node"],
    ],
  },
  evidence: { writes: ["runs/*/credentials.json"], reads: ["runs/*/before.json"] },
  identities: ["podIdentityAssociations", "instanceProfile"],
} as const satisfies Needs;

/** Who has which role on AWS. Errors: `AwsUnavailable`, `AwsThrottled`, `AwsDenied`. */
export interface Identities {
  /** Those of a cluster, the given account's described first. */
  podIdentityAssociations(
    cluster: string,
    first: { readonly namespace: string; readonly serviceAccount: string },
  ): Promise<readonly PodIdentityAssociation[]>;
  /** Null: the instance is gone, or has none. */
  instanceProfile(instanceId: string): Promise<InstanceProfile | null>;
}

interface Ports {
  readonly kubernetes: ClusterFor<typeof PREVIEW_CREDENTIALS_NEEDS>;
  readonly identities: Identities;
  readonly store: StoreFor<typeof PREVIEW_CREDENTIALS_NEEDS>;
  readonly within: Within;
  readonly now: () => Date;
}

const PODS_MS = 15_000;
const SOURCE_MS = 8_000;
/** Different identities of a contained namespace that are looked at; most have one or two. */
const MAX_IDENTITIES = 10;

/** What the workflow asks AWS about next. */
export interface Preview {
  /** Roles of the target's service accounts. */
  readonly roleArns: readonly string[];
  /** Instance profiles of its nodes, whose roles only IAM knows. */
  readonly instanceProfiles: readonly string[];
  readonly artefacts: readonly Artefact[];
}

type Named = { readonly metadata: ObjectMeta };

/** Who is listed by the name of an account or a node. */
type PodsOf = (name: string) => Promise<readonly Named[]>;

/** Asks once for each name: thousands of pods share an account, and every list of them is as long. */
function once(ask: PodsOf): PodsOf {
  const asked = new Map<string, ReturnType<PodsOf>>();
  return (name) => {
    const answer = asked.get(name) ?? ask(name);
    asked.set(name, answer);
    return answer;
  };
}

/**
 * Writes down which credentials whoever controls the target can use, and which other workloads share
 * them. Nothing is revoked: it is what a person must see before he does.
 */
export async function previewCredentials(
  input: { readonly case: CaseRef; readonly target: Target; readonly uid: string },
  { kubernetes, identities, store, within, now }: Ports,
): Promise<Preview> {
  const { target, uid } = input;
  const { namespace } = target;
  const { runId } = input.case;
  const first = await gather(
    {
      podBefore: () => podBefore(runId, uid, store),
      pods: () => targetPods(target, uid, kubernetes),
      accounts: () => allOf(kubernetes.serviceAccountPages(), slim),
    },
    { ms: PODS_MS, within },
  );
  const { podBefore: before, accounts } = first.found;
  const live = first.found.pods ?? [];
  const pods = live.length > 0 || before === null ? live : [briefOf(before)];
  const representatives = [
    ...new Map(pods.map((pod) => [`${pod.serviceAccount} ${pod.node}`, pod])).values(),
  ];
  const associations = await gather(
    {
      associations: () =>
        identities.podIdentityAssociations(target.cluster, {
          namespace,
          serviceAccount: pods[0]?.serviceAccount ?? "default",
        }),
    },
    { ms: SOURCE_MS, within },
  );
  const sharing = {
    podsOfAccount: once((name) => allOf(kubernetes.podsOfServiceAccount(namespace, name), slim)),
    podsOnNode: once((node) => allOf(kubernetes.podsOnNode(node), slim)),
  };
  const looked = await eachOf(representatives.slice(0, MAX_IDENTITIES), async (pod) => {
    const read = await factsOf(pod, namespace, sharing, { kubernetes, identities, within });
    const facts: IdentityFacts = { ...read.facts, accounts, ...associations.found };
    return { pod: pod.name, credentials: blastRadius(facts), missing: read.missing };
  });
  const credentials = looked.flatMap((each) => each.credentials);
  const { artefact } = await store.putOnce(
    artefactKey(runId, "credentials.json"),
    redact({
      capturedAt: now().toISOString(),
      ...{ target, uid, revoked: false },
      pods: looked.map(({ pod, credentials: ofPod }) => ({ pod, credentials: ofPod })),
      identitiesLeftOut: representatives.length - looked.length,
      missing: [
        ...first.missing,
        ...associations.missing,
        ...looked.flatMap(({ missing }) => missing),
      ],
    }),
  );
  return {
    roleArns: identitiesOf(credentials, ["irsaRole", "podIdentityRole"]).slice(0, 1),
    instanceProfiles: identitiesOf(credentials, ["nodeRole"])
      .map((arn) => arn.slice(arn.lastIndexOf("/") + 1))
      .slice(0, 1),
    artefacts: [artefact],
  };
}

/** What belongs to one pod; the rest is of all of them. */
async function factsOf(
  pod: PodBrief,
  namespace: string,
  sharing: { readonly podsOfAccount: PodsOf; readonly podsOnNode: PodsOf },
  { kubernetes, identities, within }: Pick<Ports, "kubernetes" | "identities" | "within">,
) {
  const { name, node, serviceAccount, automount, tokens } = pod;
  let instanceId: string | null = null;
  const { found, missing } = await gather(
    {
      podsOfAccount: () => sharing.podsOfAccount(serviceAccount),
      podsOnNode: async () => (node === null ? [] : sharing.podsOnNode(node)),
      profile: async () => {
        const machine = machineOf(
          node === null ? "" : (await kubernetes.node(node))?.spec.providerID,
        );
        if (machine.kind !== "instance") return null;
        instanceId = machine.instanceId;
        return identities.instanceProfile(machine.instanceId);
      },
    },
    { ms: SOURCE_MS, within },
  );
  const own = { namespace, pod: name, serviceAccount, automount, tokens, node, instanceId };
  return {
    facts: { ...own, ...found },
    missing: missing.map((each) => ({ ...each, source: `${each.source} of ${name}` })),
  };
}

/** ARNs of these kinds, each once; a credential whose ARN is not known names none. */
function identitiesOf(credentials: readonly Credential[], kinds: readonly Credential["kind"][]) {
  const arns = credentials
    .filter(({ kind, identity }) => kinds.includes(kind) && identity.startsWith("arn:"))
    .map(({ identity }) => identity);
  return [...new Set(arns)];
}

/** Name and role: a cluster may have thousands, and nothing else of them is looked at. */
function slim({ metadata: { name, namespace, annotations } }: Named): Named {
  const role = annotations?.[ROLE_ANNOTATION];
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(role !== undefined && { annotations: { [ROLE_ANNOTATION]: role } }),
    },
  };
}

async function allOf<T, R>(
  pages: AsyncIterable<readonly T[]>,
  keep: (item: T) => R,
): Promise<readonly R[]> {
  const all: R[] = [];
  for await (const page of pages) all.push(...page.map(keep));
  return all;
}

import type { ObjectMeta, ProjectedToken } from "../kubernetes.ts";

/** The annotation by which EKS gives a service account an IAM role (IRSA). */
export const ROLE_ANNOTATION = "eks.amazonaws.com/role-arn";

/** IRSA's webhook adds a token for this audience, Pod Identity's for the other. */
const AUDIENCES: Readonly<Record<string, string>> = {
  "sts.amazonaws.com": "AWS STS, for the role of the annotation",
  "pods.eks.amazonaws.com": "EKS Pod Identity, for the role of the association",
};

/** Seconds for which a token is valid where a volume does not say. */
const DEFAULT_EXPIRATION_SECONDS = 3_600;

export interface PodIdentityAssociation {
  readonly associationId: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Null: it was not described, because there are too many of them. */
  readonly roleArn: string | null;
}

export interface InstanceProfile {
  readonly arn: string;
  /** Instances that have the same profile, this one included. */
  readonly instanceIds: readonly string[];
}

type Named = { readonly metadata: ObjectMeta };

/** What was read about the identities of one pod. Null: it could not be read. */
export interface IdentityFacts {
  readonly namespace: string;
  readonly pod: string;
  readonly serviceAccount: string;
  readonly automount: boolean | null;
  readonly tokens: readonly ProjectedToken[];
  readonly node: string | null;
  readonly instanceId: string | null;
  /** Service accounts of all namespaces. */
  readonly accounts: readonly Named[] | null;
  readonly associations: readonly PodIdentityAssociation[] | null;
  readonly podsOfAccount: readonly Named[] | null;
  readonly podsOnNode: readonly Named[] | null;
  readonly profile: InstanceProfile | null;
}

/** A credential that whoever controls the pod can use, and who else would feel its revocation. */
export interface Credential {
  readonly kind: "irsaRole" | "podIdentityRole" | "nodeRole" | "serviceAccountToken";
  /** ARN of a role or an instance profile, or the token's service account. */
  readonly identity: string;
  readonly obtainedBy: string;
  readonly sharedWith: readonly Share[];
  readonly revoking: string;
  readonly notStopped: readonly string[];
}

/** Others that have the same credential. */
export interface Share {
  readonly kind: "pods" | "serviceAccounts" | "podIdentityAssociations" | "instances";
  readonly names: readonly string[];
  /** How many more there are. */
  readonly more: number;
  /** True: it could not be read, so there may be any number. */
  readonly unknown: boolean;
}

/** Names of one list; the document stays readable in a cluster of any size. */
const MAX_NAMES = 500;

/**
 * The identity blast radius: every credential that the pod holds or can get, with who shares it,
 * what revoking it would hit, and what it would not stop.
 */
export function blastRadius(facts: IdentityFacts): readonly Credential[] {
  return [...tokensOf(facts), ...irsaRole(facts), ...podIdentityRole(facts), ...nodeRole(facts)];
}

const SESSIONS_OUTLIVE =
  "a Deny with aws:TokenIssueTime hits every session of the role from before, whoever holds it, and " +
  "none that is assumed afterwards";

function tokensOf(facts: IdentityFacts): readonly Credential[] {
  const { namespace, serviceAccount, tokens, automount, podsOfAccount } = facts;
  const account = `system:serviceaccount:${namespace}:${serviceAccount}`;
  const others = share("pods", podsOfAccount, ({ metadata }) => metadata.name, facts.pod);
  return tokens.map(({ audience, expirationSeconds = DEFAULT_EXPIRATION_SECONDS, path }) => ({
    kind: "serviceAccountToken" as const,
    identity: account,
    obtainedBy:
      `token ${path} for ${audience === undefined ? "the API server" : (AUDIENCES[audience] ?? audience)}, ` +
      `renewed by the kubelet, each valid for ${expirationSeconds} s` +
      (automount === false ? "; not mounted by default" : ""),
    sharedWith: [others],
    revoking:
      "deleting the pod makes the API server refuse its tokens 60 s later; deleting the service " +
      "account those of all its pods, which get no new ones",
    notStopped: [
      "sessions of AWS that were already obtained with the token",
      ...(audience === undefined || audience in AUDIENCES
        ? []
        : [`whoever verifies tokens for ${audience} offline, until they expire`]),
    ],
  }));
}

function irsaRole(facts: IdentityFacts): readonly Credential[] {
  const { namespace, serviceAccount, accounts, associations, podsOfAccount } = facts;
  const roleOf = ({ metadata }: Named) => metadata.annotations?.[ROLE_ANNOTATION];
  const mine = accounts?.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === serviceAccount,
  );
  const role = mine && roleOf(mine);
  if (!role) return [];
  const sharing = accounts?.filter((each) => roleOf(each) === role) ?? null;
  return [
    {
      kind: "irsaRole",
      identity: role,
      obtainedBy: "the token for sts.amazonaws.com, with AssumeRoleWithWebIdentity",
      sharedWith: [
        share("pods", podsOfAccount, ({ metadata }) => metadata.name, facts.pod),
        share("serviceAccounts", sharing, fullName, `${namespace}/${serviceAccount}`),
        associationsOf(role, associations, null),
      ],
      revoking: SESSIONS_OUTLIVE,
      notStopped: [
        "a stolen web identity token assumes the role again until it expires: the trust policy must " +
          `deny system:serviceaccount:${namespace}:${serviceAccount} too`,
      ],
    },
  ];
}

function podIdentityRole(facts: IdentityFacts): readonly Credential[] {
  const { namespace, serviceAccount, associations, accounts, podsOfAccount } = facts;
  const mine = associations?.find(
    (each) => each.namespace === namespace && each.serviceAccount === serviceAccount,
  );
  if (!mine) return [];
  const { roleArn } = mine;
  const annotated = accounts?.filter(
    ({ metadata }) => roleArn !== null && metadata.annotations?.[ROLE_ANNOTATION] === roleArn,
  );
  return [
    {
      kind: "podIdentityRole",
      identity: roleArn ?? `role of association ${mine.associationId}`,
      obtainedBy: "the Pod Identity agent of the node, with the token for pods.eks.amazonaws.com",
      sharedWith: [
        share("pods", podsOfAccount, ({ metadata }) => metadata.name, facts.pod),
        share("serviceAccounts", annotated ?? null, fullName, `${namespace}/${serviceAccount}`),
        associationsOf(roleArn, associations, mine),
      ],
      revoking: `${SESSIONS_OUTLIVE}; removing the association takes new ones from all its pods`,
      notStopped: [
        "credentials that were issued before the association was removed, until they expire",
      ],
    },
  ];
}

function nodeRole({ node, instanceId, profile, podsOnNode, ...facts }: IdentityFacts) {
  if (node === null || instanceId === null) return [];
  const named = ({ metadata }: Named) => `${metadata.namespace}/${metadata.name}`;
  const credential: Credential = {
    kind: "nodeRole",
    identity: profile?.arn ?? `instance profile of ${instanceId}`,
    obtainedBy:
      "the instance metadata service, from pods with the host's network or where the hop limit is " +
      "above 1, and from the host itself",
    sharedWith: [
      share("pods", podsOnNode, named, `${facts.namespace}/${facts.pod}`),
      share("instances", profile?.instanceIds ?? null, (id) => id, instanceId),
    ],
    revoking:
      `${SESSIONS_OUTLIVE}; here these are the kubelets, CNI agents and image pulls of every node ` +
      "with this profile",
    notStopped: ["the instance gets new credentials for as long as it runs"],
  };
  return [credential];
}

function associationsOf(
  roleArn: string | null,
  all: readonly PodIdentityAssociation[] | null,
  mine: PodIdentityAssociation | null,
): Share {
  // Of one whose role is not known it cannot be said that it does not share.
  const undescribed = all?.some((each) => each.roleArn === null) ?? false;
  const same = all?.filter((each) => roleArn !== null && each.roleArn === roleArn) ?? null;
  const name = ({ namespace, serviceAccount, associationId }: PodIdentityAssociation) =>
    `${namespace}/${serviceAccount} (${associationId})`;
  const found = share("podIdentityAssociations", same, name, mine ? name(mine) : "");
  return undescribed ? { ...found, unknown: true } : found;
}

function fullName({ metadata }: Named): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function share<T>(
  kind: Share["kind"],
  all: readonly T[] | null,
  nameOf: (item: T) => string,
  own: string,
): Share {
  const names = (all ?? []).map(nameOf).filter((name) => name !== own);
  return {
    kind,
    names: names.slice(0, MAX_NAMES),
    more: Math.max(0, names.length - MAX_NAMES),
    unknown: all === null,
  };
}

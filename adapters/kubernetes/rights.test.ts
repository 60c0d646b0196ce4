import { describe, expect, test } from "vitest";
import {
  type ClusterRead,
  describePermission,
  type Permission,
  rightsOf,
} from "../../core/cluster/rights.ts";
import {
  CALICO_AGENT,
  CNI_CONFIGS,
  type Kubernetes,
  WORKLOAD_KINDS,
} from "../../core/kubernetes.ts";
import type { WrittenKind } from "../../core/needs.ts";
import { type Denial, POLICY_KINDS, type PolicyKind } from "../../core/policies.ts";
import { kubernetesApi } from "./api.ts";
import type { ApiRequest } from "./transport.ts";

/*
 * What the operations cost is declared in core/cluster/rights.ts. Here each of them is made to send
 * every request that it can come to send, and these must need exactly the declared rights.
 */

const UID = "u";
const METADATA = { name: "thing", namespace: "team", uid: UID };
const ALL_KINDS = Object.keys(POLICY_KINDS) as PolicyKind[];

/** Asks the adapter, and answers with the rights that its requests need. */
async function needed(
  ask: (kubernetes: Kubernetes) => Promise<unknown>,
  status = 200,
): Promise<readonly Permission[]> {
  const sent: ApiRequest[] = [];
  const kubernetes = kubernetesApi(async (request) => {
    sent.push(request);
    // Of a list it is the items, of an object its UID, of a review its status that is looked at.
    const body = { items: [], metadata: { uid: UID }, status: { userInfo: {}, allowed: false } };
    return { status: request.method === "GET" ? 200 : status, body };
  });
  await ask(kubernetes).catch((error: unknown) => {
    if (status < 400) throw error;
  });
  return sent.flatMap((request) => permissionFor(request) ?? []);
}

const OBJECT_VERBS = { GET: "get", PUT: "update", PATCH: "patch", DELETE: "delete" } as const;

/** As the API server reads a request. Null for what everybody may ask whom it knows. */
function permissionFor({ method, path }: ApiRequest): Permission | null {
  if (path === "/apis" || path.includes("/selfsubject")) return null;
  const parts =
    /^\/(?:api|apis\/(?<group>[^/]+))\/v\w+(?:\/namespaces\/(?<namespace>[^/]+)(?=\/))?\/(?<resource>[^/?]+)(?:\/(?<name>[^/?]+)(?:\/(?<part>[a-z]+))?)?/.exec(
      path,
    )?.groups;
  if (!parts?.resource) throw new Error(`cannot read ${method} ${path}`);
  const { group = "", namespace, name, part } = parts;
  const resource = part === undefined ? parts.resource : `${parts.resource}/${part}`;
  const scope = { group, resource, ...(namespace && { namespace }) };
  if (method === "POST") return { verb: "create", ...scope };
  if (name === undefined) return { verb: "list", ...scope };
  return { verb: OBJECT_VERBS[method], ...scope, name };
}

/** Sorted, in words, without what is the caller's to choose. */
function inWords(permissions: readonly Permission[]): readonly string[] {
  // The namespace of Calico's agent cannot hold a Role: the right is of the name, wherever it lies.
  const unsaid = ["team", "thing", CALICO_AGENT.namespace];
  const words = permissions.map(({ namespace = "team", name = "thing", ...permission }) =>
    describePermission({
      ...permission,
      ...(unsaid.includes(namespace) ? {} : { namespace }),
      ...(unsaid.includes(name) ? {} : { name }),
    }),
  );
  return [...new Set(words)].toSorted();
}

const CONTAINER = { namespace: "team", pod: "thing", container: "app", previous: false };
const LOG_BOUNDS = { tailLines: 10, limitBytes: 100, timeoutMs: 100 };

async function all(pages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pages);
}

const READS: Readonly<Record<ClusterRead, (kubernetes: Kubernetes) => Promise<unknown>>> = {
  namespace: (kubernetes) => kubernetes.namespace("thing"),
  pod: (kubernetes) => kubernetes.pod("team", "thing"),
  podPages: (kubernetes) => all(kubernetes.podPages("team", (pod) => pod)),
  podMetadataPages: (kubernetes) => all(kubernetes.podMetadataPages("team")),
  node: (kubernetes) => kubernetes.node("thing"),
  persistentVolumeClaim: (kubernetes) => kubernetes.persistentVolumeClaim("team", "thing"),
  persistentVolume: (kubernetes) => kubernetes.persistentVolume("thing"),
  workload: (kubernetes) =>
    Promise.all(WORKLOAD_KINDS.map((kind) => kubernetes.workload(kind, "team", "thing"))),
  systemDaemonSets: (kubernetes) => kubernetes.systemDaemonSets(),
  calicoAgent: (kubernetes) => kubernetes.calicoAgent(),
  cniConfig: (kubernetes) => Promise.all(CNI_CONFIGS.map((name) => kubernetes.cniConfig(name))),
  surroundings: (kubernetes) => kubernetes.surroundings("team"),
  events: (kubernetes) => kubernetes.events("team", "uid"),
  services: (kubernetes) => kubernetes.services("team"),
  endpointSlices: (kubernetes) => kubernetes.endpointSlices("team"),
  serviceAccount: (kubernetes) => kubernetes.serviceAccount("team", "thing"),
  serviceAccountPages: (kubernetes) => all(kubernetes.serviceAccountPages()),
  bindingPages: (kubernetes) => all(kubernetes.bindingPages()),
  role: (kubernetes) =>
    Promise.all([kubernetes.role("team", "thing"), kubernetes.role(null, "thing")]),
  podsOnNode: (kubernetes) => all(kubernetes.podsOnNode("node")),
  podsOfServiceAccount: (kubernetes) => all(kubernetes.podsOfServiceAccount("team", "thing")),
  containerLog: (kubernetes) => kubernetes.containerLog(CONTAINER, LOG_BOUNDS),
  policyKinds: (kubernetes) => kubernetes.policyKinds(),
  policies: (kubernetes) => kubernetes.policies("team", ALL_KINDS),
  policyEndpoints: (kubernetes) => kubernetes.policyEndpoints("team", ALL_KINDS),
  identity: (kubernetes) => kubernetes.identity(),
  missing: (kubernetes) =>
    kubernetes.missing([{ verb: "get", group: "", resource: "pods" }], "team"),
};

test.each(Object.entries(READS))("the read %s costs what is declared", async (read, ask) => {
  const declared = rightsOf({ reads: [read as ClusterRead] });

  expect(inWords(await needed(ask))).toEqual(inWords(declared));
});

test("an eviction costs what is declared", async () => {
  const rights = await needed((kubernetes) =>
    kubernetes.evict({ namespace: "team", name: "thing", uid: UID }),
  );

  expect(inWords(rights)).toEqual(inWords(rightsOf({ reads: [], evicts: true })));
});

const API_VERSIONS: Readonly<Record<WrittenKind, string>> = {
  Pod: "v1",
  Node: "v1",
  Deployment: "apps/v1",
  ReplicaSet: "apps/v1",
  StatefulSet: "apps/v1",
  DaemonSet: "apps/v1",
  Job: "batch/v1",
  ApplicationNetworkPolicy: "networking.k8s.aws/v1alpha1",
  NetworkPolicy: "networking.k8s.io/v1",
  ClusterNetworkPolicy: "networking.k8s.aws/v1alpha1",
  CiliumNetworkPolicy: "cilium.io/v2",
  GlobalNetworkPolicy: "crd.projectcalico.org/v1",
};

describe.each(Object.entries(API_VERSIONS))("of the kind %s", (name, apiVersion) => {
  const kind = name as WrittenKind;
  const object = { apiVersion, kind, namespace: "team", name: "thing", uid: UID };

  test("a patch costs what is declared, a refused one too", async () => {
    const rights = await needed((kubernetes) => kubernetes.patch(object, []), 422);

    expect(inWords(rights)).toEqual(inWords(rightsOf({ reads: [], patches: [kind] })));
  });
});

const DENIALS: readonly Denial[] = [
  { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: METADATA, spec: {} },
  {
    apiVersion: "networking.k8s.aws/v1alpha1",
    kind: "ClusterNetworkPolicy",
    metadata: METADATA,
    spec: { tier: "Admin", priority: 0, subject: {} },
  },
  { apiVersion: "cilium.io/v2", kind: "CiliumNetworkPolicy", metadata: METADATA, spec: {} },
  {
    apiVersion: "crd.projectcalico.org/v1",
    kind: "GlobalNetworkPolicy",
    metadata: METADATA,
    spec: {},
  },
];

describe.each(DENIALS.map((denial) => [denial.kind, denial] as const))(
  "a policy of our own of the kind %s",
  (kind, denial) => {
    test("costs what is declared to be made, looked at and put right", async () => {
      const rights = await needed(async (kubernetes) => {
        await kubernetes.create(denial);
        await kubernetes.existing(denial);
        await kubernetes.replace(denial, denial);
      });

      expect(inWords(rights)).toEqual(inWords(rightsOf({ reads: [], makes: [kind] })));
    });

    test("costs what is declared to be looked at and deleted", async () => {
      const rights = await needed(async (kubernetes) => {
        await kubernetes.existing(denial);
        await kubernetes.delete({ ...denial, namespace: "team", name: "thing", uid: UID });
      });

      expect(inWords(rights)).toEqual(inWords(rightsOf({ reads: [], deletes: [kind] })));
    });
  },
);

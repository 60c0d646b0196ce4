/**
 * What a cluster shows of its CNI through the API: the kinds of its policies, and the objects that
 * tell whether it enforces them. The agents are DaemonSets that the fake kubelet reports as running;
 * no packet is ever dropped.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  type KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  loadYaml,
  type V1CustomResourceDefinition,
} from "@kubernetes/client-node";
import { applyManifests } from "../manifests.ts";
import { projectRoot } from "../project.ts";
import { waitFor } from "../wait.ts";

/** A CRD takes its objects with it, and a policy with a finalizer makes it wait five seconds. */
const removedLimitMs = 60_000;
const servedLimitMs = 30_000;

/**
 * - `vpc`: EKS with VPC CNI 1.21 or later, network policies on
 * - `vpc-without-cluster-policy`: an earlier one, which knows no ClusterNetworkPolicy
 * - `vpc-off`: as an EKS cluster comes: the kinds are there and nothing enforces them
 * - `cilium`, `calico`: these in place of the VPC CNI
 * - `none`: no sign of any CNI
 */
export type CniProfile =
  | "vpc"
  | "vpc-without-cluster-policy"
  | "vpc-off"
  | "cilium"
  | "calico"
  | "none";

interface CniManifests {
  /** A list of objects, as one YAML document: so its schemas can share their parts. */
  readonly file: string;
  readonly version?: string;
  readonly enforcing?: boolean;
  readonly without?: RegExp;
}

const manifestsOf: Readonly<Record<CniProfile, CniManifests | null>> = {
  vpc: { file: "vpc-cni.yaml", version: "v1.21.1", enforcing: true },
  "vpc-without-cluster-policy": {
    file: "vpc-cni.yaml",
    version: "v1.20.4",
    enforcing: true,
    without: /^(cluster|application).*\.networking\.k8s\.aws$/,
  },
  "vpc-off": { file: "vpc-cni.yaml", version: "v1.21.1", enforcing: false },
  cilium: { file: "cilium.yaml" },
  calico: { file: "calico.yaml" },
  none: null,
};

/**
 * Leaves the cluster with this CNI and no other. Whatever CNI was there goes first, with every
 * policy of its own kinds; Kubernetes' NetworkPolicies stay. Returns when the kinds can be used.
 */
export async function installCni(kubernetes: KubeConfig, profile: CniProfile): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(kubernetes);
  const known = await Promise.all((["vpc", "cilium", "calico"] as const).map(objectsOf));
  await Promise.all(known.flat().map((object) => remove(api, object)));
  const objects = await objectsOf(profile);
  await applyManifests(kubernetes, objects);
  const definitions = objects.filter(({ kind }) => kind === "CustomResourceDefinition");
  await Promise.all(definitions.map((definition) => served(kubernetes, definition)));
  const { items: nodes } = await kubernetes.makeApiClient(CoreV1Api).listNode();
  if (nodes.length > 0)
    await Promise.all(objects.filter(isDaemonSet).map((each) => runs(kubernetes, each)));
}

async function objectsOf(profile: CniProfile): Promise<KubernetesObject[]> {
  const manifests = manifestsOf[profile];
  if (manifests === null) return [];
  const { file, version = "", enforcing = false, without } = manifests;
  const text = (await readFile(join(projectRoot, "local", "cni", file), "utf8"))
    .replaceAll("$version", version)
    .replaceAll("$enforcing", String(enforcing));
  const list = loadYaml<KubernetesObject & { readonly items: readonly unknown[] }>(text);
  return list.items
    .map((item) => loadYaml<KubernetesObject>(JSON.stringify(item)))
    .filter(({ metadata }) => !without?.test(metadata?.name ?? ""));
}

async function remove(api: KubernetesObjectApi, object: KubernetesObject): Promise<void> {
  // A DaemonSet waits for its pods, so that none is left when the next CNI comes.
  const propagation = object.kind === "DaemonSet" ? "Foreground" : "Background";
  const none = undefined;
  if (await refusedWith([404], api.delete(object, none, none, none, none, propagation))) return;
  const what = `${object.kind} ${object.metadata?.name} to be gone`;
  await waitFor({ what, limitMs: removedLimitMs }, async () =>
    (await refusedWith([404], api.read(reference(object)))) ? true : undefined,
  );
}

/**
 * Until its objects can be listed: the API server opens their storage at the first request, and
 * answers 429 meanwhile.
 */
async function served(kubernetes: KubeConfig, object: KubernetesObject): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(kubernetes);
  const custom = kubernetes.makeApiClient(CustomObjectsApi);
  const what = `${object.metadata?.name} to be served`;
  await waitFor({ what, limitMs: servedLimitMs }, async () => {
    const { spec, status } = await api.read<V1CustomResourceDefinition>(reference(object));
    const established = status?.conditions?.find(({ type }) => type === "Established");
    if (established?.status !== "True") return undefined;
    const [version] = spec.versions;
    const { group, names } = spec;
    const kind = { group, version: version?.name ?? "", plural: names.plural };
    const list = custom.listClusterCustomObject(kind);
    return (await refusedWith([404, 429], list)) ? undefined : true;
  });
}

function isDaemonSet({ kind }: KubernetesObject): boolean {
  return kind === "DaemonSet";
}

/** Until one of its pods is ready: an agent of which none runs is not believed to enforce. */
async function runs(kubernetes: KubeConfig, { metadata }: KubernetesObject): Promise<void> {
  const apps = kubernetes.makeApiClient(AppsV1Api);
  const { name = "", namespace = "" } = metadata ?? {};
  await waitFor({ what: `${name} to run`, limitMs: servedLimitMs }, async () => {
    const { status } = await apps.readNamespacedDaemonSet({ name, namespace });
    return (status?.numberReady ?? 0) > 0 ? true : undefined;
  });
}

async function refusedWith(codes: readonly number[], request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return false;
  } catch (error) {
    if (error instanceof ApiException && codes.includes(error.code)) return true;
    throw error;
  }
}

function reference({ apiVersion = "", kind = "", metadata }: KubernetesObject) {
  return { apiVersion, kind, metadata: { ...metadata, name: metadata?.name ?? "" } };
}

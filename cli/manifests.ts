/** Kubernetes manifests from files, as `kubectl get -o yaml` and people write them. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import * as z from "zod";
import type { Labels, Pod } from "../core/kubernetes.ts";
import type {
  AdminPolicy,
  CalicoPolicy,
  CiliumNetworkPolicy,
  ClusterNetworkPolicy,
  NetworkPolicy,
} from "../core/policies.ts";
import { type World, type WorldPod, worldPod } from "../core/quarantine/reach/model.ts";

/** A manifest that cannot be used; the message names the file and the document. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

interface Manifest {
  /** `file, document 2, item 3`. */
  readonly where: string;
  readonly value: unknown;
}

const labels = z.record(z.string(), z.string()).nullish();
const head = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string(),
  metadata: z
    .looseObject({ name: z.string().min(1), namespace: z.string().min(1).optional(), labels })
    .optional(),
});
const port = z.looseObject({
  name: z.string().optional(),
  containerPort: z.number(),
  protocol: z.string().optional(),
});
const container = z.looseObject({ name: z.string(), ports: z.array(port).nullish() });
const podParts = z.looseObject({
  spec: z.looseObject({
    nodeName: z.string().optional(),
    hostNetwork: z.boolean().optional(),
    serviceAccountName: z.string().optional(),
    containers: z.array(container),
    initContainers: z.array(container).nullish(),
  }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      podIPs: z.array(z.looseObject({ ip: z.string() })).nullish(),
    })
    .nullish(),
});

/**
 * Reads a file, a folder with everything in it, or `-` for standard input. Namespaced objects that
 * name no namespace are in `default`, as kubectl has it. Throws `ManifestError`.
 */
export async function readWorld(path: string, cni: World["cni"]): Promise<World> {
  const pods = new Map<string, WorldPod>();
  const namespaces = new Map<string, Labels>();
  const networkPolicies: NetworkPolicy[] = [];
  const applicationNetworkPolicies: NetworkPolicy[] = [];
  const clusterNetworkPolicies: ClusterNetworkPolicy[] = [];
  const ciliumNetworkPolicies: CiliumNetworkPolicy[] = [];
  const calicoPolicies: CalicoPolicy[] = [];
  const adminPolicies: AdminPolicy[] = [];
  for (const manifest of await manifestsAt(path)) {
    const object = parse(head, manifest);
    const name = object.metadata?.name;
    const group = object.apiVersion?.split("/")[0] ?? "";
    const wanted = KINDS.get(`${group} ${object.kind}`);
    if (!wanted) continue;
    if (name === undefined) throw new ManifestError(`${manifest.where}: no metadata.name`);
    const namespace = object.metadata?.namespace ?? "default";
    const own = object.metadata?.labels ?? {};
    // The reader of policies takes every field as unknown, so their specs are not checked here.
    const policy = <T>(namespaced: boolean): T => {
      const metadata = { name, ...(namespaced ? { namespace } : {}) };
      return JSON.parse(JSON.stringify({ ...object, metadata }));
    };
    switch (wanted) {
      case "pod": {
        const pod = readPod(manifest, { name, namespace, labels: own });
        if (pod) pods.set(`${namespace}/${name}`, pod);
        break;
      }
      case "namespace":
        namespaces.set(name, own);
        break;
      case "network":
        networkPolicies.push(policy(true));
        break;
      case "application":
        applicationNetworkPolicies.push(policy(true));
        break;
      case "cluster":
        clusterNetworkPolicies.push(policy(false));
        break;
      case "cilium":
        ciliumNetworkPolicies.push(policy(object.kind === "CiliumNetworkPolicy"));
        break;
      case "calico":
        calicoPolicies.push(policy(object.kind === "NetworkPolicy"));
        break;
      case "admin":
        adminPolicies.push(policy(false));
    }
  }
  return {
    pods: [...pods.values()],
    namespaces: Object.fromEntries(namespaces),
    policies: {
      networkPolicies,
      applicationNetworkPolicies,
      clusterNetworkPolicies,
      ciliumNetworkPolicies,
      calicoPolicies,
      adminPolicies,
    },
    cni,
  };
}

/** What counts, by API group and kind; everything else in the manifests is left aside. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ["v1 Pod", "pod"],
  ["v1 Namespace", "namespace"],
  ["networking.k8s.io NetworkPolicy", "network"],
  ["networking.k8s.aws ApplicationNetworkPolicy", "application"],
  ["networking.k8s.aws ClusterNetworkPolicy", "cluster"],
  ["policy.networking.k8s.io AdminNetworkPolicy", "admin"],
  ["policy.networking.k8s.io BaselineAdminNetworkPolicy", "admin"],
  ["policy.networking.k8s.io ClusterNetworkPolicy", "admin"],
  ["cilium.io CiliumNetworkPolicy", "cilium"],
  ["cilium.io CiliumClusterwideNetworkPolicy", "cilium"],
  ["crd.projectcalico.org NetworkPolicy", "calico"],
  ["crd.projectcalico.org GlobalNetworkPolicy", "calico"],
  ["projectcalico.org NetworkPolicy", "calico"],
  ["projectcalico.org GlobalNetworkPolicy", "calico"],
]);

/** Null for a pod that has ended: it has no network any more. */
function readPod(
  manifest: Manifest,
  metadata: { readonly name: string; readonly namespace: string; readonly labels: Labels },
): WorldPod | null {
  const { spec, status } = parse(podParts, manifest);
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return null;
  const pod: Pod & { readonly spec: { readonly serviceAccountName?: string } } = JSON.parse(
    JSON.stringify({
      metadata,
      spec: {
        ...spec,
        containers: spec.containers.map(withPorts),
        initContainers: (spec.initContainers ?? []).map(withPorts),
      },
      status: { podIP: status?.podIP, podIPs: status?.podIPs ?? undefined },
    }),
  );
  return worldPod(pod);
}

function withPorts({ name, ports }: z.output<typeof container>) {
  return { name, ports: ports ?? [] };
}

function parse<T extends z.ZodType>(schema: T, { where, value }: Manifest): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") || "the document";
  throw new ManifestError(`${where}: ${field}: ${issue?.message ?? "not a Kubernetes object"}`);
}

/** Every object of every document, lists taken apart. */
async function manifestsAt(path: string): Promise<readonly Manifest[]> {
  const files = path === "-" ? ["-"] : await filesAt(path);
  const read = files.map(async (file) => {
    const source = file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
    return documentsIn(source, file === "-" ? "standard input" : file);
  });
  const documents = (await Promise.all(read)).flat();
  return documents.flatMap(itemsOf);
}

async function filesAt(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new ManifestError(`there is no file or folder ${path}`);
  if (!found.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  if (files.length === 0) throw new ManifestError(`no .yaml, .yml or .json file in ${path}`);
  return files;
}

/** JSON is read as JSON: it is much faster, and YAML is only loaded when there is some. */
async function documentsIn(source: string, file: string): Promise<readonly Manifest[]> {
  if (/^\s*\{/.test(source)) {
    try {
      return [{ where: `${file}, document 1`, value: JSON.parse(source) }];
    } catch {
      // It may be YAML that starts with a brace.
    }
  }
  const { parseAllDocuments } = await import("yaml");
  const documents = parseAllDocuments(source);
  return [...documents].map((document, index) => {
    const where = `${file}, document ${index + 1}`;
    const [error] = document.errors;
    if (error) throw new ManifestError(`${where}: ${error.message.split("\n")[0]}`);
    try {
      return { where, value: document.toJS() };
    } catch (cause) {
      throw new ManifestError(`${where}: ${cause instanceof Error ? cause.message : cause}`);
    }
  });
}

const list = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string().endsWith("List"),
  items: z.array(z.unknown()),
});

/** Items of a list may leave out the kind that the list's own name says (`PodList`). */
function itemsOf({ where, value }: Manifest): readonly Manifest[] {
  if (value === null || value === undefined) return []; // an empty document
  const parsed = list.safeParse(value);
  if (!parsed.success) return [{ where, value }];
  const { apiVersion, kind, items } = parsed.data;
  const of = kind === "List" ? {} : { apiVersion, kind: kind.slice(0, -"List".length) };
  return items.flatMap((item, index) =>
    itemsOf({
      where: `${where}, item ${index + 1}`,
      value: typeof item === "object" && item !== null ? { ...of, ...item } : item,
    }),
  );
}

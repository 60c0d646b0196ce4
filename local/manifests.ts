/** Puts Kubernetes objects into a cluster, the way `kubectl apply --server-side` does. */
import { readFile } from "node:fs/promises";
import {
  type KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  loadAllYaml,
  PatchStrategy,
} from "@kubernetes/client-node";

const fieldManager = "local-stage";

/** Applies in the given order. Throws with the object that was refused. */
export async function applyManifests(
  kubernetes: KubeConfig,
  manifests: readonly KubernetesObject[],
): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(kubernetes);
  for (const manifest of manifests) {
    try {
      await api.patch(
        manifest,
        undefined,
        undefined,
        fieldManager,
        true,
        PatchStrategy.ServerSideApply,
      );
    } catch (cause) {
      const { kind, metadata } = manifest;
      const name = [metadata?.namespace, metadata?.name].filter(Boolean).join("/");
      throw new Error(`Could not apply ${kind} ${name}`, { cause });
    }
  }
}

/**
 * Every document of a YAML file, in the client's own names: plain parsing would give it fields such
 * as `from`, which it does not know and silently leaves out.
 */
export async function readManifests(path: string): Promise<KubernetesObject[]> {
  return loadAllYaml(await readFile(path, "utf8"));
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { projectRoot } from "../local/project.ts";
import { type ImageCopy, privateReference } from "./images.ts";

/** The workloads of the demo cluster, files of `kubernetes/`. */
export const WORKLOADS = ["uptime-kuma", "honey-pod"] as const;
export type Workload = (typeof WORKLOADS)[number];

/** Stands where an image is to be: no container runtime takes it for a name, so nothing public is pulled. */
const IMAGE = /\$\{image:([^}]*)\}/g;

/** The manifests of a workload, with its images in the private registry and by digest. */
export async function manifestsOf(
  workload: Workload,
  copies: readonly ImageCopy[],
): Promise<string> {
  const text = await readFile(join(projectRoot, "kubernetes", `${workload}.yaml`), "utf8");
  return text.replaceAll(IMAGE, (_, name: string) => {
    const copy = copies.find((each) => each.name === name);
    if (copy) return privateReference(copy);
    throw new Error(
      `kubernetes/${workload}.yaml needs the image ${name}, which cluster.create.images in stages.ts does not name; \`containment images --pin <image>:<tag>\` prints its line`,
    );
  });
}

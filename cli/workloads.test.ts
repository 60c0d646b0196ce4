import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { settingsFor } from "../stages.ts";
import { copiesOf } from "./images.ts";
import { manifestsOf, WORKLOADS } from "./workloads.ts";

const registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com/new-eks-containment";
const digest = `sha256:${"1234567890abcdef".repeat(4)}`;
const copies = copiesOf(
  {
    "uptime-kuma": `docker.io/louislam/uptime-kuma:2@${digest}`,
    busybox: `docker.io/library/busybox:1@${digest}`,
  },
  registry,
);

const Pod = z.object({
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.boolean(),
  containers: z.array(z.looseObject({ image: z.string(), resources: z.unknown() })),
});
const Deployment = z.object({
  kind: z.literal("Deployment"),
  spec: z.object({ template: z.object({ spec: Pod }) }),
});
const ServiceAccount = z.object({
  kind: z.literal("ServiceAccount"),
  automountServiceAccountToken: z.boolean(),
});

const documents = async (workload: (typeof WORKLOADS)[number]) =>
  parseAllDocuments(await manifestsOf(workload, copies)).map((each) => each.toJS());

test("no file of kubernetes/ names a public image, nor any that a runtime could pull as it stands", () => {
  const folder = join(import.meta.dirname, "../kubernetes");
  const images = readdirSync(folder).flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/^\s*-?\s*image: *(\S+)/gm)].map(
      ([, image = ""]) => image,
    ),
  );

  expect(images.length).toBeGreaterThanOrEqual(WORKLOADS.length);
  for (const image of images) expect(image).toMatch(/^\$\{image:[a-z-]+\}$/);
});

test("an image that the settings do not name stops the printing, and the message says what to do", async () => {
  await expect(manifestsOf("honey-pod", [])).rejects.toThrow(/needs the image busybox.*--pin/);
});

test("the example stage names every image that the workloads need", async () => {
  const { cluster } = settingsFor("new");
  const example = cluster.kind === "create" ? cluster.images : {};

  for (const workload of WORKLOADS) await manifestsOf(workload, copiesOf(example, registry));
});

describe.each(WORKLOADS)("%s", (workload) => {
  test("runs its image from the private registry, by digest, with limits", async () => {
    const pods = (await documents(workload)).flatMap(
      (each) => Deployment.safeParse(each).data?.spec.template.spec ?? [],
    );

    expect(pods).toHaveLength(1);
    for (const { containers } of pods) {
      for (const { image, resources } of containers) {
        expect(image).toMatch(new RegExp(`^${registry}/[a-z-]+@${digest}$`));
        expect(resources).toMatchObject({
          limits: { cpu: expect.anything(), memory: expect.anything() },
        });
      }
    }
  });

  test("mounts no token, of an account that no role is bound to", async () => {
    const all = await documents(workload);
    const mounts = all.flatMap((each) => [
      ServiceAccount.safeParse(each).data?.automountServiceAccountToken ?? [],
      Deployment.safeParse(each).data?.spec.template.spec.automountServiceAccountToken ?? [],
    ]);

    expect(mounts.flat()).toEqual([false, false]);
    expect(all.filter(({ kind }) => /Role/.test(kind))).toEqual([]);
  });
});

import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  craneBinary,
  type Gate,
  pushImage,
  type Registry,
  startGate,
  startRegistry,
} from "../test/servers/registry.ts";
import { craneWith } from "./crane.ts";
import { bring, copiesOf, type ImageCopy, pin, privateReference, tagOf } from "./images.ts";

let crane: string;
let source: Registry;
let target: Registry;
const gates: Gate[] = [];

beforeAll(async () => {
  crane = await craneBinary();
}, 300_000);
beforeEach(async () => {
  [source, target] = await Promise.all([startRegistry(crane), startRegistry(crane)]);
  await pushImage(crane, `${source.address}/louislam/uptime-kuma`, "2");
});
afterEach(() => {
  for (const server of [...gates.splice(0), source, target]) server.stop();
});

const craneNow = (signal?: AbortSignal) =>
  craneWith({ command: crane, environment: process.env, signal });

async function gate(...[behind, options]: Parameters<typeof startGate>): Promise<Gate> {
  const opened = await startGate(behind, options);
  gates.push(opened);
  return opened;
}

/** The image of the source, pinned, on its way into `to`. */
async function imageTo(to: Registry, from: Registry = source): Promise<ImageCopy> {
  const { name, reference } = await pin(`${source.address}/louislam/uptime-kuma:2`, craneNow());
  const pinned = reference.replace(source.address, from.address);
  const [image] = copiesOf({ [name]: pinned }, `${to.address}/new-eks-containment`);
  if (!image) throw new Error("no image");
  return image;
}

test("a pinned tag becomes the settings' line, with the tag kept for the reader", async () => {
  const { name, reference } = await pin(`${source.address}/louislam/uptime-kuma:2`, craneNow());

  expect(name).toBe("uptime-kuma");
  expect(reference).toMatch(/\/louislam\/uptime-kuma:2@sha256:[0-9a-f]{64}$/);
  await expect(pin(reference, craneNow())).rejects.toThrow("pinned already");
  await expect(pin(`${source.address}/louislam/uptime-kuma:3`, craneNow())).rejects.toThrow(
    "the registry has no",
  );
});

test("an image arrives with the digest of all its platforms, and is not sent a second time", async () => {
  const into = await gate(target);
  const image = await imageTo(into);

  expect(await bring(image, craneNow(), false)).toBe("copied");
  const written = into.writes.length;
  expect(await bring(image, craneNow(), false)).toBe("present");

  expect(written).toBeGreaterThan(0);
  expect(into.writes).toHaveLength(written);
  expect(await craneNow().digest(privateReference(image))).toBe(image.digest);
});

test("a dry run says what is missing and writes nothing", async () => {
  const into = await gate(target);
  const image = await imageTo(into);

  expect(await bring(image, craneNow(), true)).toBe("missing");
  expect(into.writes).toEqual([]);
});

test("after an interruption, what arrived is not sent again", async () => {
  const stop = new AbortController();
  const image = await imageTo(target);
  const interruptedInto = await gate(target, {
    onAnswer({ method, path }, status) {
      if (method === "PUT" && path.includes("/blobs/") && status === 201) stop.abort();
    },
  });
  const first = bring(await imageTo(interruptedInto), craneNow(stop.signal), false);
  await expect(first).rejects.toThrow();
  expect(await craneNow().digest(`${image.repository}:${tagOf(image)}`)).toBeNull();

  const resumedInto = await gate(target);
  expect(await bring(await imageTo(resumedInto), craneNow(), false)).toBe("copied");

  const blobsSent = ({ writes }: Gate) => writes.filter(({ method }) => method === "PATCH").length;
  const whole = await gate(await anotherRegistry());
  await bring(await imageTo(whole), craneNow(), false);
  expect(blobsSent(resumedInto)).toBeLessThan(blobsSent(whole));
});

test("bytes that are altered on the way never become an image", async () => {
  const altering = await gate(source, {
    alter: ({ path }, body) =>
      path.includes("/blobs/") ? Buffer.from(body.map((byte) => byte ^ 1)) : body,
  });
  const image = await imageTo(target, altering);

  await expect(bring(image, craneNow(), false)).rejects.toThrow(/crane copy .* ended with 1/);
  expect(await craneNow().digest(`${image.repository}:${tagOf(image)}`)).toBeNull();
});

test("a copy counts only when it reads back as what was asked for", async () => {
  const lying = await gate(target, {
    alter: ({ method, path }, body) =>
      method === "GET" && path.includes("/manifests/")
        ? Buffer.concat([body, Buffer.from(" ")])
        : body,
  });

  await expect(bring(await imageTo(lying), craneNow(), false)).rejects.toThrow(
    /crane manifest .* ended with 1.*does not match/s,
  );
});

test("another image under the tag is said, and left alone", async () => {
  const image = await imageTo(target);
  await pushImage(crane, image.repository, tagOf(image));

  await expect(bring(image, craneNow(), false)).rejects.toMatchObject({
    name: "ImageDiffers",
    message: expect.stringContaining("put another image under this tag"),
  });
});

async function anotherRegistry(): Promise<Registry> {
  const registry = await startRegistry(crane);
  gates.push({ ...registry, writes: [] });
  return registry;
}

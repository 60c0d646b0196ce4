/**
 * Falco alerts as Falcosidekick puts them into a queue. `alerts/terminal-shell.json` was recorded
 * from Falcosidekick 2.34.1; here the target and the time are filled in, and nothing else changes.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import * as z from "zod";

const recorded = join(import.meta.dirname, "alerts", "terminal-shell.json");
const value = z.union([z.string(), z.number()]);
/** In the order in which the keys are sent: parsing puts them into this order. */
const message = z.strictObject({
  uuid: z.uuid(),
  output: z.string(),
  priority: z.string(),
  rule: z.string(),
  time: z.string(),
  output_fields: z.record(z.string(), value),
  source: z.string(),
  tags: z.array(z.string()),
  hostname: z.string(),
});

/** The container that the alert is about. */
export interface AlertTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** As in the pod's status (`containerd://...`), or already the 12 digits that Falco reports. */
  readonly containerId: string;
  /** With its tag: `registry/name:tag`. */
  readonly image: string;
  readonly node: string;
}

/**
 * The message body of "Terminal shell in container".
 * @param detectedAt nanoseconds since 1970: `evt.time` exceeds 2^53 and is written digit by digit
 */
export async function terminalShellAlert(
  target: AlertTarget,
  detectedAt: bigint = BigInt(Date.now()) * 1_000_000n,
  uuid: string = randomUUID(),
): Promise<string> {
  const template = message.parse(JSON.parse(await readFile(recorded, "utf8")));
  const time = timestamp(detectedAt);
  const { repository, tag } = splitImage(target.image);
  const filled: Record<string, string> = {
    "container.id": shortContainerId(target.containerId),
    "container.image.repository": repository,
    "container.image.tag": tag,
    "container.name": target.container,
    "k8s.ns.name": target.namespace,
    "k8s.pod.name": target.pod,
  };
  let output = template.output.replace(/^[^ ]+(?=: )/, time.slice(11, -1));
  for (const [field, text] of Object.entries(filled)) {
    const name = field.replaceAll(".", "_");
    output = output.replace(new RegExp(` ${name}=[^ ]*`), () => ` ${name}=${text}`);
  }
  const body = JSON.stringify({
    ...template,
    uuid,
    output,
    time: time.replace(/\.?0+Z$/, "Z"), // Go's RFC 3339: no trailing zeros
    output_fields: { ...template.output_fields, ...filled, "evt.time": 0 },
    hostname: target.node,
  });
  return escapeAsGo(body.replace('"evt.time":0', `"evt.time":${detectedAt}`));
}

/** Sends as Falcosidekick does: a body and nothing else, no attributes, no group. */
export async function sendToQueue(sqs: SQSClient, queueUrl: string, body: string): Promise<void> {
  await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
}

/** `2026-09-29T13:44:05.478445995Z` */
function timestamp(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1_000).toISOString();
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, "0");
  return seconds.replace(/\.\d+Z$/, `.${fraction}Z`);
}

function shortContainerId(containerId: string): string {
  const id = containerId.slice(containerId.lastIndexOf("/") + 1, containerId.lastIndexOf("/") + 13);
  if (!/^[0-9a-f]{12}$/.test(id)) throw new Error(`${containerId} is not a container id`);
  return id;
}

function splitImage(image: string): { repository: string; tag: string } {
  const match = /^(?<repository>.+):(?<tag>[^:/]+)$/.exec(image);
  if (!match?.groups) throw new Error(`${image} names no tag`);
  return { repository: match.groups.repository ?? "", tag: match.groups.tag ?? "" };
}

/** Go's encoder writes these as escapes, so a byte-for-byte comparison needs them too. */
function escapeAsGo(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

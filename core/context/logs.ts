import { artefactKey } from "../evidence/keys.ts";
import { redactText } from "../evidence/redact-text.ts";
import type { Artefact, EvidenceStore, Stored } from "../evidence/store.ts";
import type { Kubernetes } from "../kubernetes.ts";
import type { ContainerRef } from "../kubernetes-context.ts";
import { type MissingSource, missingSource } from "./gather.ts";
import type { PodBrief } from "./target-pods.ts";

/** Pods of a namespace whose logs are taken: those that restarted first. */
const MAX_PODS = 20;
const MAX_CONTAINERS = 20;
/** Kept of each log. */
const MAX_BYTES = 256 * 1024;
/** Read of each log. The API cuts at the end, so too long an answer lacks the newest lines. */
const LIMIT_BYTES = 1024 * 1024;
/** Asked for one after the other until an answer is whole. */
const TAIL_LINES = [1_000, 50];
const TIMEOUT_MS = 2_000;
/** For all logs together. */
const TOTAL_MS = 30_000;

export interface ContainerLog {
  readonly container: string;
  readonly previous: boolean;
  /** Each with the time at which the runtime received it, in front. */
  readonly lines: readonly string[];
  /** True: there are earlier lines that were left out for their size. */
  readonly cut: boolean;
  /** True: the newest lines are so long that the API left them out. */
  readonly endMissing: boolean;
}

interface LogPage {
  readonly capturedAt: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly logs: readonly ContainerLog[];
}

export interface LogPages {
  readonly pages: readonly { readonly pod: string; readonly artefact: Artefact }[];
  /** Number of pods whose logs were not taken, because there are too many of them. */
  readonly podsLeftOut: number;
  readonly bounds: string;
  readonly missing: readonly MissingSource[];
}

/**
 * The last lines of every container's log, and of the one before it where it was restarted, an
 * artefact a pod. Secrets are taken out before a log is cut, so that no half of one is left.
 */
export async function keepLogs(
  pods: readonly PodBrief[],
  { namespace, runId }: { readonly namespace: string; readonly runId: string },
  ports: {
    readonly kubernetes: Pick<Kubernetes, "containerLog">;
    readonly store: Pick<EvidenceStore, "putOnce">;
    readonly now: () => Date;
  },
): Promise<LogPages> {
  const { kubernetes, store, now } = ports;
  const restarted = (pod: PodBrief) => (pod.containers.some((each) => each.restarted) ? 0 : 1);
  const chosen = pods
    .toSorted((one, other) => restarted(one) - restarted(other))
    .slice(0, MAX_PODS);
  const until = now().getTime() + TOTAL_MS;
  const pages: { pod: string; artefact: Artefact }[] = [];
  const missing: MissingSource[] = [];
  let number = 0;
  for (const pod of chosen) {
    if (now().getTime() >= until) {
      const error = new Error(`logs of all pods are read for ${TOTAL_MS} ms at most`);
      missing.push(missingSource(`logs of ${pod.name}`, error));
      continue;
    }
    const logs = await logsOf(pod, namespace, kubernetes, missing);
    const page: LogPage = {
      ...{ capturedAt: now().toISOString(), namespace, pod: pod.name, uid: pod.uid, logs },
    };
    let stored: Stored<LogPage>;
    // A first attempt of the state may have taken the number for another pod.
    do {
      number += 1;
      stored = await store.putOnce(artefactKey(runId, `logs-${number}.json`), page);
    } while (stored.document.uid !== pod.uid);
    pages.push({ pod: pod.name, artefact: stored.artefact });
  }
  return {
    pages,
    podsLeftOut: pods.length - chosen.length,
    bounds: `${MAX_BYTES} bytes and ${TIMEOUT_MS} ms a log, ${MAX_CONTAINERS} containers a pod, ${MAX_PODS} pods`,
    missing,
  };
}

async function logsOf(
  pod: PodBrief,
  namespace: string,
  kubernetes: Pick<Kubernetes, "containerLog">,
  missing: MissingSource[],
): Promise<readonly ContainerLog[]> {
  for (const { name } of pod.containers.slice(MAX_CONTAINERS)) {
    const error = new Error(`only ${MAX_CONTAINERS} containers of a pod are read`);
    missing.push(missingSource(`log of ${pod.name}/${name}`, error));
  }
  const refs = pod.containers
    .slice(0, MAX_CONTAINERS)
    .flatMap(({ name: container, restarted }) =>
      [false, ...(restarted ? [true] : [])].map(
        (previous): ContainerRef => ({ namespace, pod: pod.name, container, previous }),
      ),
    );
  const logs = await Promise.all(
    refs.map(async (ref) => {
      try {
        return [await readLog(ref, kubernetes)];
      } catch (error) {
        const which = ref.previous ? "previous log" : "log";
        missing.push(missingSource(`${which} of ${pod.name}/${ref.container}`, error));
        return [];
      }
    }),
  );
  return logs.flat();
}

async function readLog(
  ref: ContainerRef,
  kubernetes: Pick<Kubernetes, "containerLog">,
): Promise<ContainerLog> {
  let text = "";
  let whole = false;
  let asked = 0;
  for (const tailLines of TAIL_LINES) {
    const bounds = { tailLines, limitBytes: LIMIT_BYTES, timeoutMs: TIMEOUT_MS };
    text = await kubernetes.containerLog(ref, bounds);
    asked = tailLines;
    whole = Buffer.byteLength(text) < LIMIT_BYTES;
    if (whole) break;
  }
  const { container, previous } = ref;
  const all = text.split("\n").filter((line, index, { length }) => line || index < length - 1);
  const redacted = withoutSecrets(all);
  const lines = lastLines(redacted);
  const fits = lines.length === all.length && lines[0] === redacted[0];
  const cut = !fits || all.length >= asked;
  return { container, previous, lines, cut, endMissing: !whole };
}

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) ?/;

/** A secret may run over several lines, so the times in front of these are taken off meanwhile. */
function withoutSecrets(lines: readonly string[]): readonly string[] {
  const times = lines.map((line) => TIME.exec(line)?.[0] ?? "");
  const texts = lines.map((line, index) => line.slice(times[index]?.length ?? 0));
  const redacted = redactText(texts.join("\n")).split("\n");
  return redacted.map((text, index) => `${times[index] ?? ""}${text}`);
}

/** As many of the last lines as fit; of a line that does not fit alone, its end. */
function lastLines(lines: readonly string[]): readonly string[] {
  let bytes = 0;
  let from = lines.length;
  while (from > 0) {
    bytes += Buffer.byteLength(lines[from - 1] ?? "") + 1;
    if (bytes > MAX_BYTES) break;
    from -= 1;
  }
  if (from === lines.length && lines.length > 0)
    return [(lines.at(-1) ?? "").slice(-MAX_BYTES / 4)];
  return lines.slice(from);
}

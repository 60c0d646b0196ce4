/** `npm run bench:reach`: who can reach one pod, in clusters of three sizes. Nothing is asserted. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { NetworkPolicy } from "../core/policies.ts";
import type { World, WorldPod } from "../core/quarantine/reach/model.ts";
import { reach } from "../core/quarantine/reach/reach.ts";
import { type Summary, summarise } from "./statistics.ts";

const ROUNDS = 7;
const SIZES = [
  { pods: 5_000, policies: 1_000 },
  { pods: 10_000, policies: 2_000 },
  { pods: 20_000, policies: 4_000 },
] as const;

/** The pod that is asked about: in the first namespace, selected by every kind of rule. */
const TARGET = "team-0/app-0-0";

interface Report {
  readonly pods: number;
  readonly policies: number;
  readonly reachMs: Summary;
  /** Of all threads, the garbage collector's too: what a machine that is busy cannot stretch. */
  readonly cpuMs: Summary;
  readonly rows: number;
  /** The world itself included. */
  readonly heapMb: number;
  readonly rssMb: number;
}

const [size] = process.argv.slice(2).filter((each) => /^\d+$/.test(each));
if (size === undefined) {
  const reports = SIZES.map((_, index) => measureApart(index));
  if (process.argv.includes("--json")) console.log(JSON.stringify(reports));
  else {
    for (const report of reports) console.log(describe(report));
    console.log(describeGrowth(reports));
  }
} else {
  const chosen = SIZES[Number(size)];
  if (chosen) console.log(JSON.stringify(measure(chosen.pods, chosen.policies)));
}

/** In a process of its own, so that its peak of memory is its own. */
function measureApart(index: number): Report {
  const script = fileURLToPath(import.meta.url);
  const args = ["--expose-gc", script, String(index)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

function measure(pods: number, policies: number): Report {
  const reachMs: number[] = [];
  const cpuMs: number[] = [];
  let rows = 0;
  let heap = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    // A new world each time: nothing that was prepared for the last one counts.
    const world = asRead(makeWorld(pods, policies));
    // What the last round left behind is not this one's.
    globalThis.gc?.();
    const before = process.cpuUsage();
    const start = performance.now();
    const { ingress, egress } = reach(world, TARGET);
    reachMs.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpuMs.push((user + system) / 1_000);
    rows = ingress.length + egress.length;
    heap = Math.max(heap, process.memoryUsage().heapUsed);
  }
  const megabytes = (bytes: number) => Math.round(bytes / 1024 / 1024);
  return {
    pods,
    policies,
    reachMs: summarise(reachMs),
    cpuMs: summarise(cpuMs),
    rows,
    heapMb: megabytes(heap),
    // Kilobytes on Linux.
    rssMb: megabytes(process.resourceUsage().maxRSS * 1024),
  };
}

function describe({ pods, policies, reachMs, cpuMs, rows, heapMb, rssMb }: Report): string {
  const size = `${pods} pods, ${policies} policies`.padEnd(28);
  const range = ({ p50, min, max }: Summary) => `p50 ${p50} ms (${min}-${max})`;
  return `${size} wall ${range(reachMs)}, CPU ${range(cpuMs)}, ${rows} rows, heap ${heapMb} MB, peak RSS ${rssMb} MB`;
}

/** Each size is twice the one before: linear is a ratio of two. */
function describeGrowth(reports: readonly Report[]): string {
  const ratios = reports.slice(1).map(({ cpuMs }, at) => {
    const before = reports[at]?.cpuMs.p50 ?? Number.NaN;
    return (cpuMs.p50 / before).toFixed(2);
  });
  return `CPU time of twice the size: ${ratios.join(" and ")} times as much`;
}

/** Namespaces of 50 pods and 10 policies, as teams have them; every pod has a label of its own. */
function makeWorld(podCount: number, policyCount: number): World {
  const spaces = podCount / 50;
  const pods = Array.from({ length: podCount }, (_, at) => podAt(at, spaces));
  const networkPolicies = Array.from({ length: policyCount }, (_, at) => policyAt(at, spaces));
  const namespaces = Object.fromEntries(
    Array.from({ length: spaces }, (_, at) => [`team-${at}`, { zone: `zone-${at % 5}` }]),
  );
  return {
    pods,
    namespaces,
    policies: {
      networkPolicies,
      applicationNetworkPolicies: [],
      clusterNetworkPolicies: [
        {
          metadata: { name: "no-metadata-service" },
          spec: {
            tier: "Admin",
            priority: 10,
            subject: { namespaces: {} },
            egress: [{ action: "Deny", to: [{ networks: ["169.254.169.254/32"] }] }],
          },
        },
      ],
      ciliumNetworkPolicies: [],
      calicoPolicies: [],
    },
    cni: "vpc",
  };
}

/** Through JSON, as it comes from an API server: strings that were put together are slow at first. */
function asRead(world: World): World {
  return JSON.parse(JSON.stringify(world));
}

function podAt(at: number, spaces: number): WorldPod {
  const app = Math.floor(at / spaces) % 10;
  return {
    namespace: `team-${at % spaces}`,
    name: `app-${app}-${Math.floor(at / spaces / 10)}`,
    labels: { app: `app-${app}`, tier: app < 5 ? "web" : "data", pod: `pod-${at}` },
    ips: [`10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`],
    ports: [{ name: "http", containerPort: 8080 }],
    hostNetwork: false,
    node: `node-${at % 100}`,
  };
}

function policyAt(at: number, spaces: number): NetworkPolicy {
  const number = Math.floor(at / spaces);
  const podSelector = number === 0 ? {} : { matchLabels: { app: `app-${number % 10}` } };
  const selector = { podSelector: { matchLabels: { tier: number % 2 === 0 ? "web" : "data" } } };
  const spec =
    number === 0
      ? {
          podSelector,
          ingress: [
            { from: [{ namespaceSelector: { matchLabels: { zone: `zone-${at % 5}` } } }] },
            { from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.3.0/24"] } }] },
          ],
          egress: [{ to: [{ namespaceSelector: {} }], ports: [{ port: "http" }] }],
          policyTypes: ["Ingress", "Egress"],
        }
      : { podSelector, ingress: [{ from: [selector], ports: [{ port: 80, endPort: 90 }] }] };
  return { metadata: { namespace: `team-${at % spaces}`, name: `policy-${number}` }, spec };
}

import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { aWorld } from "../../../test/memory/worlds.ts";
import type { ContainerPort, Labels } from "../../kubernetes.ts";
import type { NetworkPolicy } from "../../policies.ts";
import { decide } from "./decide.ts";
import type { World } from "./model.ts";
import type { Protocol } from "./ports.ts";
import { type IngressRow, reach } from "./reach.ts";

/** 256 sets of NetworkPolicies with every flow between some pods, from another implementation. */
const FILE = "../shared/conformance/network-policy-cases.jsonl.gz";

type Row = [
  from: string,
  to: string,
  protocol: Protocol,
  port: number,
  portName: string,
  ingress: string,
  egress: string,
  combined: string,
];

interface Case {
  readonly case: number;
  readonly description: string;
  readonly policies: readonly NetworkPolicy[];
  readonly pods: Readonly<
    Record<string, { ip: string; labels: Labels; ns: string; nsLabels: Labels; pod: string }>
  >;
  readonly rows: readonly Row[];
}

const cases: readonly Case[] = existsSync(FILE)
  ? gunzipSync(readFileSync(FILE))
      .toString("utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
  : [];

describe.skipIf(cases.length === 0)(`the conformance table (skipped without ${FILE})`, () => {
  test("has its 256 cases", () => expect(cases).toHaveLength(256));

  test.each(cases.map((each) => [each.case, each.description, each] as const))(
    "case %i: %s",
    (_, __, given) => {
      const world = worldOf(given);
      const incoming = new Map(
        Object.keys(given.pods).map((pod) => [pod, reach(world, pod)] as const),
      );
      const wrong = given.rows
        .filter(([, , , , , ingress]) => ingress !== "undefined")
        .filter(([from, to, protocol, port, , ingress, egress, combined]) => {
          const decided = decide(world, { from: { pod: from }, to: { pod: to }, protocol, port });
          const into = incoming
            .get(to)
            ?.ingress.some((row) => row.from === from && holds(row, protocol, port));
          const outOf = incoming
            .get(from)
            ?.egress.some((row) => row.to === to && holds(row, protocol, port));
          return (
            decided.ingress.allowed !== (ingress === "allowed") ||
            decided.egress.allowed !== (egress === "allowed") ||
            decided.allowed !== (combined === "allowed") ||
            into !== (combined === "allowed") ||
            outOf !== (combined === "allowed")
          );
        });

      expect(wrong).toEqual([]);
    },
  );
});

function worldOf({ pods, policies, rows }: Case): World {
  const ports = new Map<string, ContainerPort>(
    rows.map(([, , protocol, containerPort, name]) => [name, { name, containerPort, protocol }]),
  );
  return aWorld(
    Object.values(pods).map(({ ip, labels, ns, pod }) => ({
      namespace: ns,
      name: pod,
      labels,
      ips: [ip],
      ports: [...ports.values()],
      hostNetwork: false,
    })),
    { networkPolicies: policies },
    null,
    Object.fromEntries(Object.values(pods).map(({ ns, nsLabels }) => [ns, nsLabels])),
  );
}

function holds({ port, protocol }: Omit<IngressRow, "from">, wanted: Protocol, number: number) {
  if (protocol !== "any" && protocol !== wanted) return false;
  if (port === "any") return true;
  const [low, high = low] = String(port).split("-").map(Number);
  return low !== undefined && high !== undefined && low <= number && number <= high;
}

/**
 * A small cluster amid whose flows the product runs, and what is compared each time: packets,
 * evaluator, verdict.
 */
import { expect } from "vitest";
import type { NetworkPolicy } from "../../core/policies.ts";
import { type Lab, type LabPod, type Place, startLab } from "../../local/packet-lab/lab.ts";
import type { LongLivedFlow } from "../../local/packet-lab/pod.ts";
import { type As, asStates, type Options, quarantine } from "../quarantine-run.ts";
import {
  type Attempt,
  attempts,
  concerns,
  decided,
  describeAttempt,
  disagreements,
  passing,
  type Seen,
  send,
  shows,
  unsaid,
  worldOf,
} from "./attempts.ts";

export const HTTP = 80;
export const DNS = 5353;
export const PORTS = [HTTP, DNS, 8080];

export interface Shop {
  readonly lab: Lab;
  /** The cluster with the product's own rights. */
  readonly product: As;
  /** Of the namespace `shop`: the suspect, one with the same labels, and another. */
  readonly web: LabPod;
  readonly sibling: LabPod;
  readonly api: LabPod;
  /** In the namespace `bank`, of the team `money`. */
  readonly ledger: LabPod;
  /** No pod. */
  readonly outsider: Place;
  /** Pods as at the start, and these policies in `shop`. */
  reset(...policies: readonly NetworkPolicy[]): Promise<void>;
  /** What passes once everything is enforced and nothing is established. */
  settled(): Promise<Seen>;
  contain(target: LabPod | "shop", options?: Options): Promise<Contained>;
}

export interface Contained {
  readonly run: Awaited<ReturnType<typeof quarantine>>;
  readonly before: Seen;
  readonly after: Seen;
  /** The flows of the target that stood before. */
  readonly established: readonly string[];
}

export async function openShop(): Promise<Shop> {
  const lab = await startLab();
  const product = asStates(lab.responder);
  await Promise.all([
    lab.addNamespace("shop"),
    lab.addNamespace("bank", { team: "money" }),
    lab.addNamespace("system"),
  ]);
  const labelsOf = new Map<LabPod, { readonly app: string }>();
  const add = async (namespace: string, name: string, app: string) => {
    const pod = await lab.addPod({ namespace, name, labels: { app }, listens: PORTS });
    labelsOf.set(pod, { app });
    return pod;
  };
  const [web, sibling, api, ledger, outsider, agent] = await Promise.all([
    add("shop", "web", "web"),
    add("shop", "sibling", "web"),
    add("shop", "api", "api"),
    add("bank", "ledger", "ledger"),
    lab.addOutsider("192.168.3.3", PORTS),
    // On the node's own network, so that its address is the node's.
    lab.addHostPod({ namespace: "system", name: "agent", listens: PORTS }),
  ]);
  const pods = [web, sibling, api, ledger];
  const everyFlow = [
    ...attempts([...pods, outsider], [...pods, outsider], PORTS),
    ...attempts([agent], pods, PORTS),
    ...attempts(pods, [agent], PORTS),
  ];
  const isNode = (attempt: Attempt) => concerns(attempt, [agent]);
  const withoutNode = ({ world, tried }: Seen): Seen => ({
    world,
    tried: tried.filter((each) => !isNode(each)),
  });

  /** Sends every flow and holds the evaluator to what came of it. */
  async function look(): Promise<Seen> {
    const [objects, tried] = await Promise.all([lab.objects(), send(lab, everyFlow)]);
    const world = worldOf(objects);
    // A pod reaches its own node, says the API; kube-router lets policies keep it from that.
    const judged = tried.filter(({ to, passes }) => to !== agent || passes);
    expect(disagreements({ world, tried: judged })).toEqual([]);
    expect(judged.filter(({ from, passes }) => from === agent && !passes)).toEqual([]);
    return { world, tried };
  }

  async function settled(): Promise<Seen> {
    await lab.settled();
    await lab.forgetFlows();
    const seen = await look();
    await lab.forgetFlows();
    return seen;
  }

  /** A flow of each protocol each way between a target and everybody with whom it may talk. */
  function establish(seen: Seen, targets: readonly LabPod[]): Promise<Established[]> {
    const possible = withoutNode(seen).tried.filter(
      (each) => each.passes && concerns(each, targets),
    );
    const onePort = new Map(possible.map((each) => [describeAttempt({ ...each, port: 0 }), each]));
    return Promise.all(
      [...onePort.values()].map(async (attempt) => {
        const { from, to, protocol, port } = attempt;
        return { ...attempt, flow: await lab.open(from, to, protocol, port) };
      }),
    );
  }

  /** Nothing passes but what the verdict says, and of each policy that it names something does. */
  function expectAsSaid(
    allowing: readonly string[],
    after: Seen,
    targets: readonly LabPod[],
  ): void {
    const seen = withoutNode(after);
    expect(targets.flatMap((target) => unsaid(seen, target, allowing))).toEqual([]);
    const shown = (name: string) => targets.some((target) => shows(seen, target, name));
    expect(allowing.filter((name) => !shown(name))).toEqual([]);
  }

  return {
    ...{ lab, product, web, sibling, api, ledger, outsider, settled },

    async reset(...policies) {
      await Promise.all([...labelsOf].map(([pod, labels]) => lab.relabelPod(pod, labels)));
      await lab.replacePolicies("shop", policies);
    },

    async contain(target, options = {}) {
      const targets = target === "shop" ? [web, sibling, api] : [target];
      const before = await settled();
      const flows = await establish(before, targets);
      const established = flows.map(describeAttempt);

      const run = await quarantine(
        product,
        target === "shop"
          ? { namespace: "shop", pod: null }
          : { namespace: target.namespace, pod: target.name },
        options,
      );
      await lab.settled();

      expect(run.verdict).toBe(options.audit ? "audited" : "partial");
      expect(run.codes).toEqual(codesFor(run.allowing));
      expect(await alive(flows)).toEqual(established);
      const after = await look();
      await lab.forgetFlows();
      const allowed = flows.filter((each) => decided(after.world, each).allowed);
      expect(await alive(flows)).toEqual(allowed.map(describeAttempt));
      await Promise.all(flows.map(({ flow }) => flow.close()));
      await lab.forgetFlows();
      const others = ({ tried }: Seen) => passing(tried.filter((each) => !concerns(each, targets)));
      expect(others(after)).toEqual(others(before));
      if (!options.audit) expectAsSaid(run.allowing, after, targets);
      return { run, before, after, established };
    },
  };
}

/** What a verdict gives as reasons where the product does not know what enforces. */
export function codesFor(allowing: readonly string[]): string[] {
  const always = ["cniUnknown", "establishedFlowsMaySurvive"];
  return allowing.length > 0 ? [...always, "otherPolicyAllows"] : always;
}

type Established = Attempt & { readonly flow: LongLivedFlow };

async function alive(established: readonly Established[]): Promise<string[]> {
  const passes = await Promise.all(established.map(({ flow }) => flow.passes()));
  return established.filter((_, index) => passes[index]).map(describeAttempt);
}

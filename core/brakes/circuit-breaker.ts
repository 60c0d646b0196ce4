import type { CaseRef, Execution } from "../case/case.ts";
import type { ListedKey } from "../evidence/store.ts";
import type { EvidenceNeeds, StoreFor } from "../needs.ts";
import type { Target } from "../target/target.ts";
import { type Brake, EVERY_WRITE } from "./brake.ts";

/** At most so many new targets are contained within so many minutes, in one cluster. */
export interface CircuitBreakerSettings {
  readonly targets: number;
  readonly minutes: number;
}

/** One containment that was begun, numbered within its cluster from 1 on. */
export interface Begun {
  readonly number: number;
  readonly case: CaseRef;
  readonly execution: Execution;
  readonly target: Target;
}

/** Of whoever asks the circuit breaker. */
export const CIRCUIT_BREAKER_EVIDENCE = {
  writes: ["brakes/*"],
  reads: ["brakes/*"],
  lists: ["brakes/*"],
} as const satisfies EvidenceNeeds;

type Store = StoreFor<{ readonly evidence: typeof CIRCUIT_BREAKER_EVIDENCE }>;

/**
 * Counts a new containment, or holds it back where it would be one too many.
 *
 * Every containment of a cluster takes the next free number with a conditional write, and number `n`
 * may be taken only when number `n - targets` is older than `minutes`. So the limit is exact in every
 * stretch of that length, however many ask at once: two cannot take one number, and none can be
 * skipped (ADR 0020). A case that asks again has its number already.
 */
export async function circuitBreaker(
  begun: Omit<Begun, "number">,
  ports: {
    readonly store: Store;
    readonly limit: CircuitBreakerSettings;
    readonly stage: string;
    readonly now: () => Date;
    /** True when the case may have a number: only then all of them are read for it. */
    readonly again: boolean;
  },
): Promise<Brake | null> {
  const { store, limit, stage, now, again } = ports;
  const { cluster } = begun.target;
  const newest = await store.list(begunPrefix(cluster), limit.targets);
  const [last] = newest;
  const head = last ? numberOf(last.key) : 0;
  // S3 tells whole seconds, so one that seems to be just old enough may not be.
  const oldEnough = now().getTime() - limit.minutes * 60_000 - 1_000;
  const recent = newest.filter(({ storedAt }) => Date.parse(storedAt) > oldEnough);
  if (again && (await hasNumber(begun.case, recent, store))) return null;
  for (let number = head + 1; number <= head + limit.targets - recent.length; number++) {
    const stored = await store.putOnce<Begun>(begunKey(cluster, number), { number, ...begun });
    if (stored.created || stored.document.case.id === begun.case.id) return null;
  }
  return {
    brake: "circuitBreaker",
    withheld: EVERY_WRITE,
    why: `${limit.targets} new targets were contained in ${cluster} within ${limit.minutes} minutes, as many as the stage contains without a person`,
    lift: `look, then contain it by hand: ${byHand(begun.target, stage)}`,
  };
}

/** How many containments the breaker still lets begin now, by the newest that a listing has. */
export function roomIn(
  newest: readonly ListedKey[],
  { targets, minutes }: CircuitBreakerSettings,
  now: Date,
): number {
  const since = now.getTime() - minutes * 60_000;
  return targets - newest.filter(({ storedAt }) => Date.parse(storedAt) > since).length;
}

async function hasNumber(
  { id }: CaseRef,
  recent: readonly ListedKey[],
  store: Store,
): Promise<boolean> {
  const kept = await Promise.all(recent.map(({ key }) => store.read<Begun>(key)));
  return kept.some((begun) => begun?.document.case.id === id);
}

/** What a person types to contain a target that the product left alone. */
export function byHand(target: Target, stage: string): string {
  const what = target.kind === "pod" ? `${target.namespace}/${target.name}` : target.name;
  const uid = target.uid === null ? "" : ` --uid ${target.uid}`;
  return `npx containment contain ${what}${uid} --reason "..." --stage ${stage}`;
}

const LARGEST = 9_999_999_999;

/** Keys of later numbers sort first, so that the newest are what a listing begins with. */
export function begunPrefix(cluster: string): `brakes/${string}` {
  return `brakes/${cluster}/`;
}

function begunKey(cluster: string, number: number): string {
  return `${begunPrefix(cluster)}${String(LARGEST - number).padStart(10, "0")}.json`;
}

function numberOf(key: string): number {
  return LARGEST - Number(key.slice(key.lastIndexOf("/") + 1, -".json".length));
}

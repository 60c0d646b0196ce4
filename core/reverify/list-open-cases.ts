import { isProvenKey } from "../case/markers.ts";
import type { ClusterAccess, Clusters } from "../cluster/authenticate.ts";
import { OPEN_CASES_PREFIX } from "../evidence/keys.ts";
import type { Needs, StoreFor } from "../needs.ts";

export const LIST_OPEN_CASES_NEEDS = {
  evidence: { lists: ["open/*"] },
  clusters: ["describe"],
} as const satisfies Needs;

/**
 * Markers that one page holds. A key has at most 400 bytes or so: a page is a sixth of what a state
 * may hand on (256 KiB).
 */
export const CASES_A_PAGE = 100;

/**
 * Cases that one execution looks at: each leaves about ten events, and a history ends at 25,000.
 * More than these are not looked at, which an alarm says.
 */
export const CASES_AT_MOST = 2_000;

/** How far the execution has come; the workflow carries it from page to page. */
export interface Pass {
  /** The last marker that was looked at; null at the beginning. */
  readonly after: string | null;
  /** Cases of the pages before. */
  readonly listed: number;
  /** Those of them that could not be looked at. */
  readonly notVerified: number;
}

export interface Page {
  /** Keys of markers; empty at the end. */
  readonly markers: readonly string[];
  readonly pass: Pass;
  /** Where the cluster is; null when there is nothing to look at. */
  readonly cluster: ClusterAccess | null;
  /** True when there are more cases than one execution may look at. */
  readonly tooMany: boolean;
}

/**
 * The next page of the cases that are open, or those that were asked for by hand. Where the cluster
 * is, is found out once for all of them.
 *
 * Errors: `ClusterNotFound` and those of AWS.
 */
export async function listOpenCases(
  input: { readonly pass: Pass; readonly only: readonly string[] | null },
  ports: {
    readonly store: StoreFor<typeof LIST_OPEN_CASES_NEEDS>;
    readonly clusters: Clusters;
    /** The cluster of the stage. */
    readonly clusterName: string;
  },
): Promise<Page> {
  const { pass } = input;
  const listed = input.only ?? (await nextMarkers(pass, ports.store));
  // Those that were asked for are one page.
  const next = input.only && pass.after !== null ? [] : listed;
  const tooMany = pass.listed >= CASES_AT_MOST && next.length > 0;
  const markers = tooMany ? [] : next;
  return {
    markers,
    pass: {
      after: markers.at(-1) ?? pass.after,
      listed: pass.listed + markers.length,
      notVerified: pass.notVerified,
    },
    cluster: markers.length > 0 ? await ports.clusters.describe(ports.clusterName) : null,
    tooMany,
  };
}

/** A case has several markers, of which the proven one is there once, and only when there is something
 * to look at. */
async function nextMarkers(
  { after }: Pass,
  store: StoreFor<typeof LIST_OPEN_CASES_NEEDS>,
): Promise<readonly string[]> {
  const proven: string[] = [];
  for (let last = after ?? undefined; ; ) {
    const keys = (await store.list(OPEN_CASES_PREFIX, CASES_A_PAGE, last)).map(({ key }) => key);
    proven.push(...keys.filter(isProvenKey));
    if (proven.length >= CASES_A_PAGE || keys.length < CASES_A_PAGE) break;
    last = keys.at(-1);
  }
  return proven.slice(0, CASES_A_PAGE);
}

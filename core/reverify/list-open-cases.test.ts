import { describe, expect, test } from "vitest";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { CASES_A_PAGE, CASES_AT_MOST, listOpenCases, type Pass } from "./list-open-cases.ts";

const CLUSTER = {
  ...{ name: "prod-eks-1", endpoint: "https://x", certificateAuthority: "Y2E=" },
  ipFamily: "ipv4",
} as const;

const BEGIN: Pass = { after: null, listed: 0, notVerified: 0 };

async function openCases(count: number) {
  const store = memoryStore();
  for (let number = 0; number < count; number++) {
    const name = `${"n".repeat(240)}-${String(number).padStart(5, "0")}`;
    const named = `open/prod-eks-1/${"s".repeat(63)}/pod/${name}`;
    for (const beside of ["", "@at.20261122T1745", `@proven.${"u".repeat(36)}`]) {
      await store.putOnce(`${named}${beside}.json`, {});
    }
  }
  await store.putOnce("cases/c-1/case.json", {});
  let asked = 0;
  const clusters = {
    describe: async () => {
      asked += 1;
      return CLUSTER;
    },
  };
  const ports = { store, clusters, clusterName: "prod-eks-1" };
  return { ports, asked: () => asked };
}

/** All pages of one execution. */
async function pagesOf({ ports }: Awaited<ReturnType<typeof openCases>>) {
  const pages = [];
  let pass = BEGIN;
  for (;;) {
    const page = await listOpenCases({ pass, only: null }, ports);
    pages.push(page);
    if (page.markers.length === 0) return pages;
    pass = page.pass;
  }
}

describe("the open cases", () => {
  test("come a page at a time, each once, and a page is a fraction of what a state may hold", async () => {
    const pages = await pagesOf(await openCases(250));

    const markers = pages.flatMap((page) => page.markers);
    expect(new Set(markers).size).toBe(250);
    expect(pages.map((page) => page.markers.length)).toEqual([100, 100, 50, 0]);
    for (const page of pages) {
      expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan((256 * 1024) / 4);
    }
    expect(pages.at(-1)).toMatchObject({ tooMany: false, pass: { listed: 250 } });
  });

  test("that are none ask nothing of the cluster", async () => {
    const none = await openCases(0);

    const [page] = await pagesOf(none);

    expect(page).toEqual({ markers: [], pass: BEGIN, cluster: null, tooMany: false });
    expect(none.asked()).toBe(0);
  });

  test("beyond what one execution may look at are told of", async () => {
    const pages = await pagesOf(await openCases(CASES_AT_MOST + 1));

    expect(pages.at(-1)).toMatchObject({ tooMany: true, pass: { listed: CASES_AT_MOST } });
    expect(pages).toHaveLength(CASES_AT_MOST / CASES_A_PAGE + 1);
  });

  test("are those that were asked for, where some were", async () => {
    const { ports } = await openCases(3);
    const only = ["open/prod-eks-1/payments/pod/checkout-1.json"];

    const first = await listOpenCases({ pass: BEGIN, only }, ports);
    const second = await listOpenCases({ pass: first.pass, only }, ports);

    expect(first).toMatchObject({ markers: only, cluster: CLUSTER });
    expect(second.markers).toEqual([]);
  });
});

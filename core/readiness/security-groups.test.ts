import { expect, test } from "vitest";
import type { GroupRule } from "./account.ts";
import { lets, letsOutTo } from "./security-groups.ts";

const rule = (change: Partial<GroupRule>): GroupRule => ({
  ...{ protocol: "tcp", ports: { from: 443, to: 443 } },
  ...{ groupIds: [], ranges: [], prefixListIds: [] },
  ...change,
});
const peer = { groupIds: ["sg-f"], ranges: ["10.9.1.0/24", "10.9.2.0/24"] };

test.each<[what: string, rules: readonly GroupRule[], answer: "yes" | "no" | "unknown"]>([
  ["no rule", [], "no"],
  ["the peer's group on 443", [rule({ groupIds: ["sg-f"] })], "yes"],
  ["all protocols", [rule({ protocol: "-1", ports: null, groupIds: ["sg-f"] })], "yes"],
  ["TCP by number, all ports", [rule({ protocol: "6", ports: null, groupIds: ["sg-f"] })], "yes"],
  ["a span of ports", [rule({ ports: { from: 400, to: 500 }, groupIds: ["sg-f"] })], "yes"],
  ["another port", [rule({ ports: { from: 22, to: 22 }, groupIds: ["sg-f"] })], "no"],
  ["UDP", [rule({ protocol: "udp", groupIds: ["sg-f"] })], "no"],
  ["another group", [rule({ groupIds: ["sg-x"] })], "no"],
  ["a range around all addresses", [rule({ ranges: ["10.9.0.0/16"] })], "yes"],
  [
    "a range for each",
    [rule({ ranges: ["10.9.1.0/24"] }), rule({ ranges: ["10.9.2.0/24"] })],
    "yes",
  ],
  ["a range around some", [rule({ ranges: ["10.9.1.0/24"] })], "no"],
  ["a range beside", [rule({ ranges: ["10.8.0.0/16"] })], "no"],
  ["a prefix list", [rule({ prefixListIds: ["pl-1"] })], "unknown"],
])("%s: %s", (_what, rules, answer) => {
  expect(lets(rules, peer)).toBe(answer);
});

test("ranges tell nothing about a peer whose addresses are not known, unless they hold all", () => {
  const unplaced = { groupIds: ["sg-f"], ranges: [] };

  expect(lets([rule({ ranges: ["10.9.0.0/16"] })], unplaced)).toBe("unknown");
  expect(lets([rule({ ranges: ["0.0.0.0/0"] })], unplaced)).toBe("yes");
});

test("S3 is reached by its prefix list or by every address", () => {
  expect(letsOutTo([rule({ prefixListIds: ["pl-s3"] })], "pl-s3")).toBe(true);
  expect(letsOutTo([rule({ ranges: ["0.0.0.0/0"] })], "pl-s3")).toBe(true);
  expect(letsOutTo([rule({ prefixListIds: ["pl-1"], ranges: ["10.0.0.0/8"] })], "pl-s3")).toBe(
    false,
  );
});

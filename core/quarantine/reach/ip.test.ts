import * as fc from "fast-check";
import { expect, test } from "vitest";
import { contains, parseAddress, parseBlock } from "./ip.ts";

test.each<[string, number, bigint]>([
  ["0.0.0.0", 4, 0n],
  ["255.255.255.255", 4, 0xffffffffn],
  ["10.1.2.3", 4, 0x0a010203n],
  ["::", 6, 0n],
  ["::1", 6, 1n],
  ["1::", 6, 1n << 112n],
  ["2001:DB8::a", 6, (0x20010db8n << 96n) + 10n],
  ["1:2:3:4:5:6:7:8", 6, 0x00010002000300040005000600070008n],
  ["64:ff9b::10.0.0.1", 6, (0x0064ff9bn << 96n) + 0x0a000001n],
  ["::ffff:10.1.2.3", 4, 0x0a010203n],
])("%s is an address", (text, family, value) => {
  expect(parseAddress(text)).toEqual({ family, value });
});

test.each([
  "",
  "10.0.0",
  "10.0.0.256",
  "010.0.0.1",
  "1.2.3.4.5",
  "10.0.0.1 ",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8",
  "12345::",
  "g::",
  "1.2.3.4::",
  "fe80::1%eth0",
])("%j is no address", (text) => {
  expect(parseAddress(text)).toBeNull();
});

test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "/8", "10.0.0.0/8/8", "10/8", "x"])(
  "%j is no block",
  (text) => {
    expect(parseBlock(text)).toBeNull();
  },
);

test.each([
  ["10.0.0.0/8", "10.255.255.255", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["10.9.9.9/8", "10.0.0.0", true],
  ["10.0.0.1", "10.0.0.1", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "10.0.0.1", false],
  ["::ffff:10.0.0.0/104", "10.1.1.1", true],
  ["2001:db8::/32", "2001:db8:ffff::", true],
  ["2001:db8::/32", "2001:db9::", false],
])("%s and %s: %s", (block, address, inside) => {
  const range = parseBlock(block);
  const value = parseAddress(address);

  expect(range && value && contains(range, value)).toBe(inside);
});

test("an IPv4 block holds exactly the addresses that share its prefix", () => {
  const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const write = (value: number) => [24, 16, 8, 0].map((bits) => (value >>> bits) & 255).join(".");
  fc.assert(
    fc.property(number, number, fc.integer({ min: 1, max: 32 }), (base, other, prefix) => {
      const block = parseBlock(`${write(base)}/${prefix}`);
      const address = parseAddress(write(other));
      const same = base >>> (32 - prefix) === other >>> (32 - prefix);
      return block !== null && address !== null && contains(block, address) === same;
    }),
  );
});

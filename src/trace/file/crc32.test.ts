// tier: quick
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { crc32 } from "./crc32.js";

test("agrees with the check value that the CRC catalogues give", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
});

test("agrees with Python's zlib at every length up to 40 bytes", () => {
  const script = "import zlib\nfor n in range(41): print(zlib.crc32(bytes((i * 37 + n * 11) & 255 for i in range(n))))";
  const expected = execFileSync("python3", ["-c", script], { encoding: "utf8" }).trim().split("\n").map(Number);
  const ours = expected.map((_, n) => crc32(Uint8Array.from({ length: n }, (_unused, i) => (i * 37 + n * 11) & 255)));
  expect(ours).toEqual(expected);
});

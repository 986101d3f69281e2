// tier: quick
// Modules' files are packed in the way of their originals, and so that the kernel can unpack them.
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { FormatError } from "../base/errors.js";
import { compressLike, decompress } from "./decompress.js";

const content = Buffer.concat([Buffer.alloc(50_000, "module"), randomBytes(50_000)]);

test.each([
  // the last byte says CRC32, the only checksum that the kernel knows
  [".xz", "fd377a585a000001"],
  [".gz", "1f8b08"],
  [".zst", "28b52ffd"],
])("a module that ends with %s", (ending, beginning) => {
  const file = `card.ko${ending}`;
  const packed = compressLike(file, content);
  expect(packed.toString("hex", 0, beginning.length / 2)).toBe(beginning);
  expect(packed.length).toBeLessThan(60_000);
  expect(decompress(file, packed).equals(content)).toBe(true);
});

test("a module that isn't packed stays as it is, and what isn't packed can't be unpacked", () => {
  expect(compressLike("card.ko", content)).toBe(content);
  expect(() => decompress("card.ko.xz", content)).toThrow(FormatError);
});

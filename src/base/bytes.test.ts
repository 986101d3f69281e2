// tier: quick
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, findLatin1, isLatin1, latin1, latin1Bytes, startsWithLatin1, utf8Bytes } from "./bytes.js";

const anyBytes = fc.uint8Array({ maxLength: 40 });

test("latin1 is Node's, for every byte and any length", () => {
  for (const length of [0, 1, 256, 4096, 4097, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => index);
    expect(latin1(bytes)).toBe(Buffer.from(bytes).toString("latin1"));
    expect(latin1Bytes(latin1(bytes))).toEqual(bytes);
  }
  fc.assert(
    fc.property(anyBytes, fc.nat(40), fc.nat(40), (bytes, from, length) => {
      expect(latin1(bytes, from, from + length)).toBe(Buffer.from(bytes).toString("latin1", from, from + length));
    }),
  );
});

test("concatBytes and utf8Bytes are Buffer's", () => {
  fc.assert(
    fc.property(fc.array(anyBytes), fc.string({ unit: "binary" }), (parts, text) => {
      expect(concatBytes(parts)).toEqual(new Uint8Array(Buffer.concat(parts)));
      expect(utf8Bytes(text)).toEqual(new Uint8Array(Buffer.from(text)));
    }),
  );
});

test("texts are found in bytes as in a string, within their bounds", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
  const some = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(letters, some, fc.nat(12), fc.nat(12), (text, part, from, length) => {
      const bytes = latin1Bytes(text);
      const end = Math.min(text.length, from + length);
      const within = text.slice(from, end);
      const found = within.indexOf(part);
      expect(findLatin1(bytes, from, end, part)).toBe(found < 0 ? -1 : from + found);
      if (from <= end) {
        expect(startsWithLatin1(bytes, from, end, part)).toBe(within.startsWith(part));
        expect(isLatin1(bytes, from, end, part)).toBe(within === part);
      }
    }),
  );
});

// tier: quick
// Unpacking of gzip in members, at all boundaries of the chunks that it comes in, whole, cut, damaged, and with something behind.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "../file/crc32.js";
import { gunzipped } from "./gunzip.js";

const packedPiece_bytes = 16 << 10;

async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function unpack(bytes: Uint8Array, ...sizes: number[]): Promise<{ content: string; gaps: string[] }> {
  const parts: Uint8Array[] = [];
  const gaps: string[] = [];
  for await (const part of gunzipped(inChunks(bytes, sizes.length === 0 ? [1 << 20] : sizes), (_gap, what) =>
    gaps.push(what),
  ))
    parts.push(Buffer.from(part));
  return { content: Buffer.concat(parts).toString("latin1"), gaps };
}

/** Makes a member whose packed bytes are so many; `text` is in it. */
function memberOf(length_bytes: number, text: string): Buffer {
  const plain = gzipSync(text);
  const name_bytes = length_bytes - plain.length - 1;
  const name = Buffer.alloc(name_bytes + 1, "n");
  name[name_bytes] = 0;
  const member = Buffer.concat([plain.subarray(0, 10), name, plain.subarray(10)]);
  member[3] = 8;
  return member;
}

const cut = "the packed file is cut: what is behind its last whole part is missing";
const lines = "R 4 1.000000 1 0xd0000000 0x1 0x0 0\n".repeat(50);

describe("members", () => {
  test("follow each other, at any boundary of chunks and pieces", async () => {
    for (const length of [packedPiece_bytes - 1, packedPiece_bytes, packedPiece_bytes + 1, 2 * packedPiece_bytes]) {
      const bytes = Buffer.concat([memberOf(length, "one\n"), memberOf(length, "two\n"), gzipSync("three\n")]);
      for (const size of [1, 7, packedPiece_bytes, length, length - 1, length + 1, 1 << 20]) {
        expect(await unpack(bytes, size), `${length} in ${size}`).toEqual({ content: "one\ntwo\nthree\n", gaps: [] });
      }
    }
  });

  test("may be empty, and zeros may follow the last one", async () => {
    const bytes = Buffer.concat([gzipSync(""), gzipSync("a"), gzipSync("")]);
    expect(await unpack(bytes)).toEqual({ content: "a", gaps: [] });
    expect(await unpack(Buffer.concat([bytes, Buffer.alloc(40_000)]), 100)).toEqual({ content: "a", gaps: [] });
  });

  test("may have all fields in their heads", async () => {
    const plain = gzipSync(lines);
    const extra = Buffer.from([3, 0, 1, 2, 3]);
    const head = Buffer.from(plain.subarray(0, 10));
    head[3] = 2 | 4 | 8 | 16;
    const fields = Buffer.concat([extra, Buffer.from("name\0comment\0"), Buffer.from([0, 0])]);
    const bytes = Buffer.concat([head, fields, plain.subarray(10)]);
    for (const size of [1, 3, 1 << 20]) expect(await unpack(bytes, size)).toEqual({ content: lines, gaps: [] });
    for (let length = 1; length < 10 + fields.length; length += 1) {
      expect(await unpack(bytes.subarray(0, length), 4)).toEqual({ content: "", gaps: [cut] });
    }
  });
});

describe("what isn't whole", () => {
  test("is given as far as it goes, and told, wherever it is cut", async () => {
    const bytes = Buffer.concat([gzipSync("one\n"), gzipSync(lines)]);
    const first_bytes = gzipSync("one\n").length;
    for (let length = 1; length < bytes.length; length += 1) {
      const { content, gaps } = await unpack(bytes.subarray(0, length), 50);
      expect(`one\n${lines}`.startsWith(content)).toBe(true);
      if (length >= first_bytes) expect(content.length).toBeGreaterThanOrEqual(4);
      // one byte of the next member's head may be anything
      const behind = "1 byte behind the packed file's end isn't packed with gzip, and isn't read";
      expect(gaps).toEqual(length === first_bytes ? [] : [length === first_bytes + 1 ? behind : cut]);
    }
  });

  test("is told where other bytes are behind its end", async () => {
    const bytes = gzipSync(lines);
    for (const [rest, words] of [
      ["x", "1 byte behind the packed file's end isn't"],
      ["words", "5 bytes behind the packed file's end aren't"],
      ["\u0000\u0000\u001fx", "2 bytes behind the packed file's end aren't"],
    ] as const) {
      for (const size of [1, bytes.length, 1 << 20]) {
        const { content, gaps } = await unpack(Buffer.concat([bytes, Buffer.from(rest, "latin1")]), size);
        expect([content, gaps]).toEqual([lines, [expect.stringContaining(words)]]);
      }
    }
  });

  test("is an error where it is damaged", async () => {
    const bytes = gzipSync(lines);
    const spoilt = (at: number) => {
      const other = Buffer.from(bytes);
      other[at]! ^= 0x10;
      return unpack(other, 64);
    };
    await expect(spoilt(bytes.length - 8)).rejects.toThrow("incorrect data check");
    await expect(spoilt(bytes.length - 4)).rejects.toThrow("incorrect length check");
    await expect(spoilt(2)).rejects.toThrow("unknown compression method");
    await expect(spoilt(12)).rejects.toMatchObject({ code: expect.stringMatching(/^Z_/) });
  });
});

test("a checksum goes on from that of the bytes before", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 50 }), (first, second) => {
      expect(crc32(second, crc32(first))).toBe(crc32(Buffer.concat([first, second])));
    }),
  );
});

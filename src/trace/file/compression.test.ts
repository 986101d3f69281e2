// tier: quick
// The platform's streams and Node's zlib undo each other's compression.
import { describe, expect, test } from "vitest";
import { nodeCodec } from "../node/codec.js";
import { streamCodec } from "./compression.js";

const codecs = { streamCodec, nodeCodec };
const contents: Uint8Array[] = [
  new Uint8Array(),
  Uint8Array.of(7),
  new Uint8Array(300_000).map((_, at) => (at * at) >> 3),
  new Uint8Array(100_000),
];

describe.each(["streamCodec", "nodeCodec"] as const)("what %s deflates", (name) => {
  test.each(["streamCodec", "nodeCodec"] as const)("is inflated by %s", async (other) => {
    for (const content of contents) {
      for (const effort of ["small", "fast", "entropy"] as const) {
        const packed = await codecs[name].deflate(content, effort);
        const again = await codecs[other].inflate(packed, content.length);
        expect(again.length).toBe(content.length);
        expect(Buffer.compare(again, content)).toBe(0);
        // more room than needed is no fault
        expect((await codecs[other].inflate(packed, content.length + 100)).length).toBe(content.length);
        expect(codecs[name].crc32(content)).toBe(codecs[other].crc32(content));
      }
    }
  });

  test("is refused where it is longer than announced, or damaged", async () => {
    const content = contents[2]!;
    const packed = await codecs[name].deflate(content, "fast");
    for (const codec of Object.values(codecs)) {
      await expect((async () => codec.inflate(packed, content.length - 1))()).rejects.toThrow();
      await expect((async () => codec.inflate(packed.subarray(0, -10), content.length))()).rejects.toThrow();
    }
    await expect((async () => streamCodec.inflate(packed, 10))()).rejects.toThrow(
      "more than the 10 bytes that were announced",
    );
  });
});

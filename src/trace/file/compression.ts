// What reader and writer need of compression and checksums, given from outside, so that the same code runs in Node
// (node-codec.ts) and in a browser (DecompressionStream).
import { crc32 } from "./crc32.js";

export interface Codec {
  /** Undoes raw deflate. Must fail rather than give more than `raw_bytes` bytes. */
  inflate(bytes: Uint8Array, raw_bytes: number): Uint8Array | Promise<Uint8Array>;
  crc32(bytes: Uint8Array): number;
}

/**
 * How much effort goes into deflating: `small` searches longest, `fast` a little, `entropy` not at all: it codes likely bytes
 * with fewer bits and looks for no repetitions.
 */
export type Effort = "small" | "fast" | "entropy";

/** Raw deflate; `small` unless told otherwise. */
export type Deflate = (bytes: Uint8Array, effort?: Effort) => Uint8Array;

/** Compression as the platform's streams offer it: browsers, and Node too. */
export const streamCodec: Codec = {
  crc32,
  async inflate(bytes, raw_bytes) {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    const out = new Uint8Array(raw_bytes);
    let length = 0;
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return out.subarray(0, length);
      if (length + value.length > raw_bytes) {
        await reader.cancel();
        throw new Error(`more than the ${raw_bytes} bytes that were announced`);
      }
      out.set(value, length);
      length += value.length;
    }
  },
};

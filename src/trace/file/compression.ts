// Compression and checksums for reader and writer. Their callers give them, so that the same code runs in Node
// (trace/node/codec.ts) and in a browser (streamCodec).
import { crc32 } from "./crc32.js";

export interface Codec {
  /** Undoes raw deflate. Must fail if the result has more than `raw_bytes` bytes. */
  inflate(bytes: Uint8Array, raw_bytes: number): Uint8Array | Promise<Uint8Array>;
  /** Compresses with raw deflate. */
  deflate(bytes: Uint8Array, effort: Effort): Uint8Array | Promise<Uint8Array>;
  crc32(bytes: Uint8Array): number;
}

/**
 * Effort of deflating: `small` searches longest, `fast` a little, `entropy` not at all: it codes likely bytes with fewer bits and
 * looks for no repetitions.
 */
export type Effort = "small" | "fast" | "entropy";

/** Compression by the platform's streams, in browsers and in Node. Deflates with the platform's own effort. */
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
  async deflate(bytes) {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new CompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  },
};

// Compression and checksums through Node's zlib: several times faster than the portable ones of compression.ts.
import * as zlib from "node:zlib";
import type { Codec } from "./compression.js";
import { crc32 } from "./crc32.js";

/** Node has had a CRC-32 of its own since 20.15. */
const native: ((bytes: Uint8Array) => number) | undefined = (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32;

export const checksum: (bytes: Uint8Array) => number = native ?? crc32;

export const nodeCodec: Codec = {
  crc32: checksum,
  inflate: (bytes, raw_bytes) => {
    const raw = zlib.inflateRawSync(bytes, { maxOutputLength: Math.max(raw_bytes, 1) });
    // A plain array: a Buffer's slice() is no copy.
    return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  },
};

/** Raw deflate. */
export function deflate(bytes: Uint8Array, level = 6): Uint8Array {
  return zlib.deflateRawSync(bytes, { level, memLevel: 9 });
}

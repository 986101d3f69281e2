// Compression and checksums by Node's zlib: several times faster than the portable ones of compression.ts.
import * as zlib from "node:zlib";
import type { Codec, Effort } from "../file/compression.js";
import { crc32 } from "../file/crc32.js";

/** Node's own CRC-32, which exists since 20.15. */
const native: ((bytes: Uint8Array) => number) | undefined = (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32;

/** Least size of zlib's pieces. */
const pieceMin_bytes = 64;

const efforts: Record<Effort, zlib.ZlibOptions> = {
  small: { level: 9 },
  fast: { level: 4 },
  entropy: { strategy: zlib.constants.Z_HUFFMAN_ONLY },
};

export const nodeCodec: Codec = {
  crc32: native ?? crc32,
  inflate: (bytes, raw_bytes) => {
    // One piece with spare room: zlib stops at its end instead of asking for another piece.
    const chunkSize = Math.max(raw_bytes + 1, pieceMin_bytes);
    const raw = zlib.inflateRawSync(bytes, { maxOutputLength: Math.max(raw_bytes, 1), chunkSize });
    // A plain array: a Buffer's slice() makes no copy.
    return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  },
  deflate: (bytes, effort) => {
    const chunkSize = Math.max(bytes.length + 1, pieceMin_bytes);
    return zlib.deflateRawSync(bytes, { memLevel: 9, chunkSize, ...efforts[effort] });
  },
};

const gzipLevel = 4;

/** The compression of Parquet's pages. */
export function gzip(bytes: Uint8Array): Uint8Array {
  return zlib.gzipSync(bytes, { level: gzipLevel });
}

// The core's decoder, called from Node: core/decode.c behind harness/decode-batch.c, many strings a call.
import { assert } from "../../src/base/assert.js";
import { loadNativeLibrary, type NativeLibrary } from "./native.js";

/** sizeof(struct mms_decode_result). */
const resultBytes = 48;

/** enum mms_memory of core/decode.h. */
export const MemoryPlace = {
  none: 0,
  modrm: 1,
  vector: 2,
  offset: 3,
  rsi: 4,
  rdi: 5,
  rdiRsi: 6,
  rsiRdi: 7,
  xlat: 8,
} as const;

/** enum mms_encoding of core/decode.h. */
export const Encoding = { legacy: 0, vex: 1, evex: 2, xop: 3, d3now: 4 } as const;

/** enum mms_prefix of core/decode.h. */
export const Prefix = { lock: 1, rep: 2, repne: 4, p66: 8, p67: 16, rex: 32 } as const;

/** Register numbers of core/decode.h that aren't an encoding's. */
export const ripRegister = 16;
export const noRegister = 0xff;

/**
 * The results of one call, columns over the C structs: `bytes[n * 48 + Field.x]`, and so on.
 * A string that holds no valid instruction has length 0, and zero everywhere else.
 */
export class DecodeResults {
  readonly count: number;
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;

  constructor(count: number) {
    this.count = count;
    this.buffer = new ArrayBuffer(count * resultBytes);
    this.bytes = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.i64 = new BigInt64Array(this.buffer);
  }

  byte(n: number, field: number): number {
    return this.bytes[n * resultBytes + field]!;
  }
  immediate(n: number): bigint {
    return this.i64[n * 6]!;
  }
  displacement(n: number): bigint {
    return this.i64[n * 6 + 1]!;
  }
  code(n: number): number {
    return this.u16[n * 24 + 8]!;
  }
  memoryBytes(n: number): number {
    return this.u16[n * 24 + 9]!;
  }
}

/** Byte offsets into struct mms_decode_result, for DecodeResults.byte(). */
export const Field = {
  length: 20,
  encoding: 21,
  prefixes: 22,
  rex: 23,
  operandBytes: 24,
  addressBytes: 25,
  vectorLength: 26,
  modrm: 27,
  reg: 28,
  rm: 29,
  vvvv: 30,
  opmask: 31,
  immediate2: 32,
  zeroing: 33,
  broadcast: 34,
  memory: 35,
  base: 36,
  index: 37,
  scale: 38,
  segment: 39,
  access: 40,
} as const;

/** The decoder in its own shared library. */
export class CoreDecoder {
  readonly #batch: (
    bytes: Uint8Array,
    offsets: Uint32Array,
    limits: Uint8Array,
    count: number,
    results: Uint8Array,
  ) => void;
  readonly #stream: (bytes: Uint8Array, count: number, rounds: number) => number | bigint;
  readonly #starts: (bytes: Uint8Array, count: number, starts: Uint32Array, startsMax: number) => number;

  /** Builds the library unless it is built already. Tests of the tests give other sources than core/'s. */
  constructor(options: Partial<NativeLibrary> = {}) {
    const library = loadNativeLibrary({
      name: "decode-batch",
      sources: ["decode.c", "harness/decode-batch.c"],
      ...options,
    });
    this.#batch = library.func(
      "void mms_decode_batch(const uint8_t *bytes, const uint32_t *offsets, const uint8_t *limits, uint32_t count, _Out_ uint8_t *results)",
    );
    this.#stream = library.func("uint64_t mms_decode_stream(const uint8_t *bytes, size_t count, uint32_t rounds)");
    this.#starts = library.func(
      "uint32_t mms_decode_starts(const uint8_t *bytes, uint32_t count, _Out_ uint32_t *starts, uint32_t starts_max)",
    );
  }

  /**
   * Decodes `count` strings: the n-th begins at `bytes[offsets[n]]`, and `limits[n]` bytes of it may be read (at most
   * 15 count). Results go into `results`.
   */
  batch(bytes: Uint8Array, offsets: Uint32Array, limits: Uint8Array, count: number, results: DecodeResults): void {
    assert(count <= results.count && count <= offsets.length && count <= limits.length, "every string has its place");
    this.#batch(bytes, offsets, limits, count, results.bytes);
  }

  /** Decodes all of `bytes` from end to end, `rounds` times. Returns the number of instructions decoded. */
  stream(bytes: Uint8Array, rounds: number): number {
    return Number(this.#stream(bytes, bytes.length, rounds));
  }

  /** Decodes `bytes` from end to end; returns the offsets of the instructions. A byte that begins none is skipped. */
  starts(bytes: Uint8Array): Uint32Array {
    const starts = new Uint32Array(bytes.length);
    return starts.subarray(0, this.#starts(bytes, bytes.length, starts, starts.length));
  }
}

let shared: CoreDecoder | undefined;

/** The decoder of core/, loaded once. */
export function coreDecoder(): CoreDecoder {
  shared ??= new CoreDecoder();
  return shared;
}

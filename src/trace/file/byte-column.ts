// A column of bytes for a block's encoder, with the numbers of docs/trace-format.md: varints and zigzags.

const two32 = 2 ** 32;

/** A byte column that grows up to a limit. */
export class ByteColumn {
  readonly bytes: Uint8Array;
  length = 0;

  constructor(max_bytes: number) {
    this.bytes = new Uint8Array(max_bytes);
  }

  /** Writes a number from 0 to 2^53, seven bits a byte, least significant first. */
  varint(value: number): void {
    const bytes = this.bytes;
    let at = this.length;
    while (value >= two32) {
      bytes[at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    while (value > 127) {
      bytes[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.length = at;
  }

  /** Writes a positive or negative number below 2^52 in size, in the order 0, -1, 1, -2, … */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Writes the difference of two 64-bit numbers likewise. */
  zigzag64(value: bigint): void {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; rest > 127n; rest >>= 7n) this.bytes[this.length++] = Number(rest & 127n) | 128;
    this.bytes[this.length++] = Number(rest);
  }

  get used(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

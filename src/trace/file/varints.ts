// Reads the numbers of docs/trace-format.md from a column. Trusts nothing.
import { BlockError } from "./block-error.js";

/** A reader of varints that refuses to run past its end. */
export class Varints {
  private readonly bytes: Uint8Array;
  private readonly name: string;
  at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.name = name;
  }

  /** Reads a number below 2^53. */
  next(): number {
    const bytes = this.bytes;
    const first = bytes[this.at++];
    if (first === undefined) throw new BlockError(`column ${this.name} ends too soon`);
    if (first < 128) return first;
    let value = first & 127;
    for (let scale = 128; ; scale *= 128) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw new BlockError(`column ${this.name} ends too soon`);
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new BlockError(`column ${this.name} holds too large a number`);
      if (byte < 128) return value;
    }
  }

  /** Reads a number below `limit`. */
  below(limit: number): number {
    const value = this.next();
    if (value >= limit) throw new BlockError(`column ${this.name} holds ${value}, which should be below ${limit}`);
    return value;
  }

  zigzag(): number {
    const value = this.next();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Reads a difference of 64-bit numbers. */
  zigzag64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || shift > 63n) throw new BlockError(`column ${this.name} holds a broken number`);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    return (value >> 1n) ^ -(value & 1n);
  }

  end(): void {
    if (this.at !== this.bytes.length) {
      throw new BlockError(`column ${this.name} has ${this.bytes.length - this.at} bytes too many`);
    }
  }
}

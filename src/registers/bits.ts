// Bits of values of up to 64 bits, handled as numbers: many times faster than bigint, which only the widest values need.
import { hexDigits } from "../base/hex.js";

/** An integer of up to 64 bits: a number if that is exact, else a bigint, so that equal integers are identical. */
export type Wide = number | bigint;

/** A value of up to 64 bits as two unsigned 32-bit numbers. */
export interface Halves {
  readonly low: number;
  readonly high: number;
}

export function normalize(value: bigint): Wide {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

export function halvesOf(value: bigint): Halves {
  if (value <= 0xffff_ffffn) return { low: Number(value), high: 0 };
  return { low: Number(value & 0xffff_ffffn), high: Number((value >> 32n) & 0xffff_ffffn) };
}

export function wholeOf(value: Halves): bigint {
  return (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
}

/** Masks with the lowest `index` bits set; all 32 for a higher index. */
const onesTable = Uint32Array.from({ length: 65 }, (_, count) => (count >= 32 ? 0xffff_ffff : 2 ** count - 1));
const ones = (count: number): number => onesTable[count] as number;

/** Makes a mask of bits `low` to `high`, both included. */
export function maskBetween(low: number, high: number): Halves {
  const upTo = (bit: number): Halves => ({ low: ones(bit), high: bit > 32 ? ones(bit - 32) : 0 });
  const above = upTo(high + 1);
  const below = upTo(low);
  return { low: above.low - below.low, high: above.high - below.high };
}

export function bitAt(value: Halves, bit: number): boolean {
  return ((bit < 32 ? value.low >>> bit : value.high >>> (bit - 32)) & 1) === 1;
}

/** Returns bits `low` to `high`, both included, moved down to bit 0. */
export function bitsOf(value: Halves, low: number, high: number): Wide {
  if (high < 32) return ((value.low >>> low) & ones(high - low + 1)) >>> 0;
  if (low >= 32) return ((value.high >>> (low - 32)) & ones(high - low + 1)) >>> 0;
  return normalize(BigInt.asUintN(high - low + 1, wholeOf(value) >> BigInt(low)));
}

/** Formats a number as C's `%#x` does: zero has no prefix. */
export function hexText(value: Wide): string {
  return value === 0
    ? "0"
    : `0x${typeof value === "number" && value <= 0xffff_ffff ? hexDigits(value) : value.toString(16)}`;
}

// Bits of values of up to 64 bits, worked on as numbers: many times faster than bigint, which only the widest need.
import { hexDigits } from "../base/hex.js";

/** An integer of up to 64 bits: a number where that is exact, else a bigint, so that equal ones are the same. */
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

/** So many bits set, from bit 0 on; 32 for any more. */
const onesTable = Uint32Array.from({ length: 65 }, (_, count) => (count >= 32 ? 0xffff_ffff : 2 ** count - 1));
const ones = (count: number): number => onesTable[count] as number;

/** Bits `low` to `high`, both included, set. */
export function maskBetween(low: number, high: number): Halves {
  const upTo = (bit: number): Halves => ({ low: ones(bit), high: bit > 32 ? ones(bit - 32) : 0 });
  const above = upTo(high + 1);
  const below = upTo(low);
  return { low: above.low - below.low, high: above.high - below.high };
}

export function bitAt(value: Halves, bit: number): boolean {
  return ((bit < 32 ? value.low >>> bit : value.high >>> (bit - 32)) & 1) === 1;
}

/** Bits `low` to `high`, both included, moved down to bit 0. */
export function bitsOf(value: Halves, low: number, high: number): Wide {
  if (high < 32) return ((value.low >>> low) & ones(high - low + 1)) >>> 0;
  if (low >= 32) return ((value.high >>> (low - 32)) & ones(high - low + 1)) >>> 0;
  return normalize(BigInt.asUintN(high - low + 1, wholeOf(value) >> BigInt(low)));
}

/** As C's `%#x` prints it: zero has no prefix. */
export function hexText(value: Wide): string {
  return value === 0
    ? "0"
    : `0x${typeof value === "number" && value <= 0xffff_ffff ? hexDigits(value) : value.toString(16)}`;
}

// Describes a register's or field's number by its type: hexadecimal, decimal, an enum's name, ….
import { assertUnreachable } from "../base/assert.js";
import { type Halves, halvesOf, hexText, normalize, type Wide, wholeOf } from "./bits.js";
import type { DescribeStyle, ValueType } from "./value-type.js";

/** Names the register at an offset in a domain, for values that are such offsets. */
export type NameOffset = (domain: string, offset: number) => string | undefined;

/** Describes the stored `bits`; the brief style tells if they break the type's limits. */
export function describeNumber(type: ValueType, bits: Wide, style: DescribeStyle, nameOffset: NameOffset): string {
  const text = numberText(type, bits, style, nameOffset);
  if (style === "full" || !type.limited) return text;
  const value = BigInt(realValue(type, bits));
  if (type.min !== undefined && value < type.min) return `${text} (below the minimum ${type.min})`;
  if (type.max !== undefined && value > type.max) return `${text} (above the maximum ${type.max})`;
  if (type.align !== undefined && type.align > 0n && value % type.align !== 0n) {
    return `${text} (not a multiple of 0x${type.align.toString(16)})`;
  }
  return text;
}

function numberText(type: ValueType, bits: Wide, style: DescribeStyle, nameOffset: NameOffset): string {
  const value = realValue(type, bits);
  switch (type.kind) {
    case "hex":
    case "bitset":
      return hexText(value);
    case "enum":
      return type.names.get(value) ?? hexText(value);
    case "boolean":
      return value === 0 ? "FALSE" : value === 1 ? "TRUE" : hexText(value);
    case "uint":
      return value.toString();
    case "int": {
      const signed = (BigInt.asIntN(type.width_bits, BigInt(bits)) << BigInt(type.shr)) + type.add;
      return signed.toString();
    }
    case "fixed":
    case "ufixed": {
      const raw = type.kind === "fixed" ? BigInt.asIntN(type.width_bits, BigInt(value)) : BigInt(value);
      const real = Number(raw) / 2 ** type.radix;
      return style === "full" ? `${real.toFixed(6)} (${value.toString(16).padStart(8, "0")})` : real.toString();
    }
    case "float": {
      const real = floatOf(type.width_bits, BigInt(value));
      if (real === undefined) return hexText(value);
      return style === "full" ? fixedPoint(real) : real.toString();
    }
    case "offset": {
      const name = nameOffset(type.domain as string, Number(value));
      return name ?? hexText(value);
    }
    default:
      return assertUnreachable(type.kind);
  }
}

/** Converts the stored bits to the real value. */
function realValue(type: ValueType, bits: Wide): Wide {
  if (type.shr === 0 && type.add === 0n) return bits;
  if (typeof bits === "number" && type.add === 0n && type.width_bits + type.shr <= 53) return bits * 2 ** type.shr;
  return normalize(BigInt.asUintN(64, (BigInt(bits) << BigInt(type.shr)) + type.add));
}

/** The same for a whole bitset. */
export function moved(type: ValueType, value: Halves): Halves {
  return halvesOf(BigInt.asUintN(64, (wholeOf(value) << BigInt(type.shr)) + type.add));
}

/** Converts IEEE 754 binary16, binary32 or binary64; undefined for other widths. */
function floatOf(width_bits: number, bits: bigint): number | undefined {
  const view = new DataView(new ArrayBuffer(8));
  if (width_bits === 64) {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  if (width_bits === 32) {
    view.setUint32(0, Number(BigInt.asUintN(32, bits)));
    return view.getFloat32(0);
  }
  if (width_bits !== 16) return undefined;
  const half = Number(bits);
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = (half & 0x3ff) / 1024;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

/** Formats a number as C's `%f` does. */
function fixedPoint(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`;
  return Object.is(value, -0) ? "-0.000000" : value.toFixed(6);
}

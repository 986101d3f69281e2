// Puts a register's value into words: names of set flags, fields with their values, bits that no field covers.
import { assertUnreachable } from "../base/assert.js";
import { bitAt, bitsOf, type Halves, halvesOf, hexText, maskBetween, normalize, type Wide, wholeOf } from "./bits.js";
import type { Field, ValueType } from "./types.js";

/**
 * `brief`: `FD | SLU | SPEED=1000MB_S`; fields that are plainly zero are left out.
 * `full`: every field that isn't a cleared flag, and braces, as envytools prints it: `{ FD | SLU | SPEED = 1000MB_S }`.
 */
export type DescribeStyle = "brief" | "full";

/** Names the register at an offset in a domain, for values that are such offsets. */
export type NameOffset = (domain: string, offset: number) => string | undefined;

/**
 * `value` in words, or undefined when words add nothing to its hexadecimal form.
 *
 * `seen` has the bits that the access covered; where it doesn't cover a field whole, the field is printed with the
 * numbers of its bits that it does cover.
 */
export function describeValue(
  type: ValueType,
  value: Halves,
  seen: Halves,
  style: DescribeStyle,
  nameOffset: NameOffset,
): string | undefined {
  if (type.kind === "bitset") return describeFields(type, value, seen, style, nameOffset);
  if (type.kind === "hex" && type.shr === 0 && type.add === 0n) return undefined;
  const whole = maskBetween(0, type.width_bits - 1);
  if (((seen.low & whole.low) ^ whole.low) !== 0 || ((seen.high & whole.high) ^ whole.high) !== 0) return undefined;
  return describeNumber(type, bitsOf(value, 0, type.width_bits - 1), style, nameOffset);
}

function describeFields(
  type: ValueType,
  stored: Halves,
  seen: Halves,
  style: DescribeStyle,
  nameOffset: NameOffset,
): string {
  const value = type.shr === 0 && type.add === 0n ? stored : moved(type, stored);
  let restLow = value.low;
  let restHigh = value.high;
  let text = "";
  for (const field of type.fields) {
    const { low, high } = field.mask;
    restLow &= ~low;
    restHigh &= ~high;
    // Most fields of most values are cleared flags.
    if (field.type.kind === "boolean" && (value.low & low) === 0 && (value.high & high) === 0) continue;
    const words = describeField(field, value, seen, style, nameOffset);
    if (words !== undefined) text = text === "" ? words : `${text} | ${words}`;
  }
  if (restLow !== 0 || restHigh !== 0) {
    const rest = wholeOf({ low: restLow, high: restHigh }).toString(16);
    const words = style === "full" ? `0x${rest}` : `unknown=0x${rest}`;
    text = text === "" ? words : `${text} | ${words}`;
  }
  if (text === "") text = "0";
  return style === "full" ? `{ ${text} }` : text;
}

/** Fields of up to so many bits have their words remembered: most are, and drivers use few of their values. */
const narrow_bits = 6;

function describeField(
  field: Field,
  value: Halves,
  seen: Halves,
  style: DescribeStyle,
  nameOffset: NameOffset,
): string | undefined {
  const { low, high, mask, name, type } = field;
  const unseenLow = ~seen.low & mask.low;
  const unseenHigh = ~seen.high & mask.high;
  const equals = style === "full" ? " = " : "=";
  if ((unseenLow | unseenHigh) !== 0) {
    const anySeen = (seen.low & mask.low) !== 0 || (seen.high & mask.high) !== 0;
    return anySeen ? partialField(field, value, seen, equals) : undefined;
  }
  const bits = bitsOf(value, low, high);
  if (type.kind === "boolean" && bits === 1) return name;
  if (high - low >= narrow_bits) return fieldWords(field, bits, style, nameOffset);
  field.words[style] ??= [];
  const known = field.words[style];
  let words = known[bits as number];
  if (words === undefined) {
    words = fieldWords(field, bits, style, nameOffset) ?? null;
    known[bits as number] = words;
  }
  return words ?? undefined;
}

/** What a field's whole value is in words, with its name. */
function fieldWords(field: Field, bits: Wide, style: DescribeStyle, nameOffset: NameOffset): string | undefined {
  const { low, high, name, type } = field;
  const equals = style === "full" ? " = " : "=";
  if (type.kind === "bitset") {
    const inner = halvesOf(BigInt(bits));
    const text = describeFields(type, inner, maskBetween(0, high - low), style, nameOffset);
    if (style === "full") return `${name} = ${text}`;
    return text === "0" ? undefined : `${name}={ ${text} }`;
  }
  if (style === "brief" && bits === 0 && type.add === 0n && !(type.kind === "enum" && type.names.has(0))) {
    return undefined;
  }
  return `${name}${equals}${describeNumber(type, bits, style, nameOffset)}`;
}

/** A field of which the access covered only some bits. */
function partialField(field: Field, value: Halves, seen: Halves, equals: string): string | undefined {
  let first = field.low;
  while (!bitAt(seen, first)) first++;
  let last = first;
  while (last < field.high && bitAt(seen, last + 1)) last++;
  const bits = bitsOf(value, first, last);
  if (bits === 0) return undefined;
  return `${field.name}[${last - field.low}:${first - field.low}]${equals}0x${bits.toString(16)}`;
}

function describeNumber(type: ValueType, bits: Wide, style: DescribeStyle, nameOffset: NameOffset): string {
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

/** What the stored bits stand for. */
function realValue(type: ValueType, bits: Wide): Wide {
  if (type.shr === 0 && type.add === 0n) return bits;
  return normalize(BigInt.asUintN(64, (BigInt(bits) << BigInt(type.shr)) + type.add));
}

function moved(type: ValueType, value: Halves): Halves {
  return halvesOf(BigInt.asUintN(64, (wholeOf(value) << BigInt(type.shr)) + type.add));
}

/** IEEE 754 binary16, binary32 or binary64; undefined for other widths. */
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

/** As C's `%f` prints it. */
function fixedPoint(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`;
  return Object.is(value, -0) ? "-0.000000" : value.toFixed(6);
}

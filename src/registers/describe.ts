// Puts a register's value into words: names of set flags, fields with their values, bits that no field covers.
import { flatText } from "../base/flat-text.js";
import { bitAt, bitsOf, type Halves, halvesOf, hexText, maskBetween, type Wide, wholeOf } from "./bits.js";
import { describeNumber, moved, type NameOffset } from "./number-words.js";
import type { DescribeStyle, Field, Piece, ValueType } from "./value-type.js";

/**
 * Describes `value` in words; undefined if words add nothing to its hexadecimal form.
 *
 * `seen` has the bits that the access covered; a field that it covers only in part is printed with the numbers of its
 * covered bits.
 */
export function describeValue(
  type: ValueType,
  value: Halves,
  seen: Halves,
  style: DescribeStyle,
  nameOffset: NameOffset,
): string | undefined {
  if (type.kind === "bitset") return describeFields(type, value, seen, style, nameOffset);
  if (isWordless(type)) return undefined;
  const whole = maskBetween(0, type.width_bits - 1);
  if (((seen.low & whole.low) ^ whole.low) !== 0 || ((seen.high & whole.high) ^ whole.high) !== 0) return undefined;
  return describeNumber(type, bitsOf(value, 0, type.width_bits - 1), style, nameOffset);
}

/** Returns true if words would add nothing to any value of the type. */
export function isWordless({ kind, shr, add }: ValueType): boolean {
  return kind === "hex" && shr === 0 && add === 0n;
}

function describeFields(
  type: ValueType,
  stored: Halves,
  seen: Halves,
  style: DescribeStyle,
  nameOffset: NameOffset,
): string {
  const value = type.shr === 0 && type.add === 0n ? stored : moved(type, stored);
  const pieces = piecesOf(type);
  let text = "";
  let restLow = value.low;
  let restHigh = value.high;
  for (const piece of pieces) {
    const { mask } = piece;
    restLow &= ~mask.low;
    restHigh &= ~mask.high;
    const words = pieceWords(piece, value, seen, style, nameOffset);
    if (words !== "") text = text === "" ? words : `${text} | ${words}`;
  }
  if (restLow !== 0 || restHigh !== 0) {
    const rest = restHigh === 0 ? hexText(restLow >>> 0) : hexText(wholeOf({ low: restLow, high: restHigh }));
    const words = style === "full" ? rest : `unknown=${rest}`;
    text = text === "" ? words : `${text} | ${words}`;
  }
  if (text === "") text = "0";
  return style === "full" ? `{ ${text} }` : text;
}

const rememberedSpan_bits = 8;

function piecesOf(type: ValueType): readonly Piece[] {
  type.pieces ??= cut(type.fields);
  return type.pieces;
}

function cut(fields: readonly Field[]): Piece[] {
  const pieces: Piece[] = [];
  for (let first = 0; first < fields.length; ) {
    let { low, high } = fields[first] as Field;
    let end = first + 1;
    for (; end < fields.length; end += 1) {
      const next = fields[end] as Field;
      const [lower, higher] = [Math.min(low, next.low), Math.max(high, next.high)];
      if (higher - lower >= rememberedSpan_bits) break;
      [low, high] = [lower, higher];
    }
    const some = fields.slice(first, end);
    const mask = { low: 0, high: 0 };
    for (const field of some) {
      mask.low |= field.mask.low;
      mask.high |= field.mask.high;
    }
    const span_bits = high - low + 1;
    const remembered = span_bits <= rememberedSpan_bits ? { brief: [], full: [] } : undefined;
    pieces.push({ fields: some, mask, low, span_bits, remembered });
    first = end;
  }
  return pieces;
}

/** Joins the fields' words; empty if there are none. */
function pieceWords(piece: Piece, value: Halves, seen: Halves, style: DescribeStyle, nameOffset: NameOffset): string {
  const { mask, low, span_bits, remembered } = piece;
  const whole = ((~seen.low & mask.low) | (~seen.high & mask.high)) === 0;
  if (!whole || remembered === undefined) return fieldsWords(piece.fields, value, seen, style, nameOffset);
  const bits = bitsOf(value, low, low + span_bits - 1) as number;
  const known = remembered[style];
  let words = known[bits];
  if (words === undefined) {
    words = flatText(fieldsWords(piece.fields, value, seen, style, nameOffset));
    known[bits] = words;
  }
  return words;
}

function fieldsWords(
  fields: readonly Field[],
  value: Halves,
  seen: Halves,
  style: DescribeStyle,
  nameOffset: NameOffset,
): string {
  let text = "";
  for (const field of fields) {
    const { low, high } = field.mask;
    // Most fields of most values are cleared flags.
    if (field.type.kind === "boolean" && (value.low & low) === 0 && (value.high & high) === 0) continue;
    const words = describeField(field, value, seen, style, nameOffset);
    if (words !== undefined) text = text === "" ? words : `${text} | ${words}`;
  }
  return text;
}

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
  if ((unseenLow | unseenHigh) !== 0) {
    const anySeen = (seen.low & mask.low) !== 0 || (seen.high & mask.high) !== 0;
    return anySeen ? partialField(field, value, seen, style === "full" ? " = " : "=") : undefined;
  }
  const bits = bitsOf(value, low, high);
  return type.kind === "boolean" && bits === 1 ? name : fieldWords(field, bits, style, nameOffset);
}

/** Describes a field's whole value, with its name. */
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

/** Describes a field of which the access covered only some bits. */
function partialField(field: Field, value: Halves, seen: Halves, equals: string): string | undefined {
  let first = field.low;
  while (!bitAt(seen, first)) first++;
  let last = first;
  while (last < field.high && bitAt(seen, last + 1)) last++;
  const bits = bitsOf(value, first, last);
  if (bits === 0) return undefined;
  return `${field.name}[${last - field.low}:${first - field.low}]${equals}0x${bits.toString(16)}`;
}

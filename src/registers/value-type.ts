// The type of a value as the model has it, resolved: types.ts makes it, describe.ts and number-words.ts read values with it.
import type { Halves, Wide } from "./bits.js";

/**
 * `brief`: `FD | SLU | SPEED=1000MB_S`; without fields that are plainly zero.
 * `full`: all fields except cleared flags, in braces, as envytools prints them: `{ FD | SLU | SPEED = 1000MB_S }`.
 */
export type DescribeStyle = "brief" | "full";

export interface Field {
  name: string;
  low: number;
  high: number;
  /** The field's bits, in place. */
  mask: Halves;
  type: ValueType;
  brief: string | undefined;
}

export interface ValueType {
  kind: "hex" | "uint" | "int" | "float" | "boolean" | "fixed" | "ufixed" | "enum" | "bitset" | "offset";
  width_bits: number;
  shr: number;
  add: bigint;
  min: bigint | undefined;
  max: bigint | undefined;
  align: bigint | undefined;
  /** It has min, max or align. */
  limited: boolean;
  radix: number;
  /** `enum`: names by value. */
  names: Map<Wide, string>;
  /** `bitset`. */
  fields: Field[];
  /** The fields in describe.ts's form; made on first use. */
  pieces?: readonly Piece[];
  /** `offset`: the domain that the value is an offset in. */
  domain: string | undefined;
}

/**
 * Consecutive fields, so close together that the words of all of them can be remembered by the value of their bits: most
 * fields of a register are flags and small numbers. A wider field is its own piece.
 */
export interface Piece {
  readonly fields: readonly Field[];
  /** All of the fields' bits. */
  readonly mask: Halves;
  /** The first of the bits, and the number of bits up to the last. */
  readonly low: number;
  readonly span_bits: number;
  /** Words by style and by the value of the bits, filled in on demand; undefined if there would be too many. */
  readonly remembered: Record<DescribeStyle, (string | undefined)[]> | undefined;
}

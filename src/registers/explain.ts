// Explains one look-up in detail, for people: the register, its fields, the meaning of a value in them.

import type { Direction, RegisterDatabase } from "./database.js";
import type { DescribeStyle, ValueType } from "./value-type.js";

export interface ExplainedField {
  name: string;
  low: number;
  high: number;
  brief: string | undefined;
  values: { value: string; name: string }[];
}

export interface ExplainedPart {
  name: string;
  width_bits: number | undefined;
  access: string | undefined;
  brief: string | undefined;
  /** The part of the access's value that falls into this register. */
  value: bigint | undefined;
  meaning: string | undefined;
  fields: ExplainedField[];
}

export interface Explanation {
  name: string;
  /** The explained access's width: the one asked for, or the register's own. */
  width_bytes: number;
  parts: ExplainedPart[];
}

export interface ExplainOptions {
  /** The access's width; default: the register's own. */
  width_bytes: number | undefined;
  value: bigint | undefined;
  direction: Direction | undefined;
  style: DescribeStyle;
}

/** Explains the registers at `offset` of `bar`; undefined if the database has nothing there. */
export function explain(
  database: RegisterDatabase,
  bar: number,
  offset: number,
  options: ExplainOptions,
): Explanation | undefined {
  const { value, style } = options;
  const one = database.lookup(bar, offset, 1, options.direction)?.parts[0];
  const own_bytes = one?.register === undefined ? 4 : one.register.width_bits / 8 - one.registerOffset_bytes;
  const width_bytes = options.width_bytes ?? own_bytes;
  const match = database.lookup(bar, offset, width_bytes, options.direction);
  const domain = database.segmentAt(bar, offset)?.domain;
  if (match === undefined || domain === undefined) return undefined;
  const parts = match.parts.map((part): ExplainedPart => {
    const type = part.register === undefined ? undefined : database.view(domain).typeOf(part.register);
    const at = offset + part.accessOffset_bytes;
    const bits =
      value === undefined
        ? undefined
        : BigInt.asUintN(part.width_bytes * 8, value >> BigInt(part.accessOffset_bytes * 8));
    const direction = options.direction === undefined ? {} : { direction: options.direction };
    return {
      name: part.name,
      width_bits: part.register?.width_bits,
      access: part.register?.access,
      brief: part.register?.definition.brief,
      value: bits,
      meaning:
        bits === undefined ? undefined : database.describe(bar, at, part.width_bytes, bits, { style, ...direction }),
      fields: type === undefined ? [] : fieldsOf(type),
    };
  });
  return { name: match.name, width_bytes, parts };
}

function fieldsOf(type: ValueType): ExplainedField[] {
  if (type.kind === "enum") {
    const high = type.width_bits - 1;
    return [{ name: "value", low: 0, high, brief: undefined, values: valuesOf(type) }];
  }
  return type.fields.map((field) => ({
    ...{ name: field.name, low: field.low, high: field.high, brief: field.brief },
    values: field.type.kind === "enum" ? valuesOf(field.type) : [],
  }));
}

function valuesOf(type: ValueType): { value: string; name: string }[] {
  return [...type.names].map(([value, name]) => ({ value: value.toString(), name }));
}

// A register's value taken apart: each bit field with its number, and the words for it where the database has any.
import { bitsOf, halvesOf } from "./bits.js";
import { describeValue } from "./describe.js";
import { inRegister, type RegisterMatch, type RegisterPart, type Remembered } from "./match.js";
import { moved, type NameOffset } from "./number-words.js";
import type { DescribeStyle, Field, ValueType } from "./value-type.js";

/** A bit field, or a whole register that has none, with its value. */
export interface FieldValue {
  /** `CTRL` */
  readonly register: string;
  /** `SPEED`; the register's own name where the database knows no fields of it. */
  readonly name: string;
  /** First and last bit in the register, both included. */
  readonly low: number;
  readonly high: number;
  /** Moved down to bit 0, unsigned. */
  readonly value: bigint;
  /** `1000MB_S`, or null where words have nothing to add to the number. */
  readonly meaning: string | null;
}

const style: DescribeStyle = "full";

/** The fields that an access covers whole, register by register, the lowest first. */
export function fieldValues(match: RegisterMatch, value: bigint, nameOffset: NameOffset): FieldValue[] {
  const { parts, types } = match as Remembered;
  return parts.flatMap((part, index) => partFields(part, types[index], value, nameOffset));
}

function partFields(
  part: RegisterPart,
  type: ValueType | undefined,
  value: bigint,
  nameOffset: NameOffset,
): FieldValue[] {
  const stored = halvesOf(inRegister(value, part));
  const isWhole = part.registerOffset_bytes === 0 && part.width_bytes * 8 === part.register?.width_bits;
  if (type?.kind !== "bitset" || type.fields.length === 0) {
    if (!isWhole) return [];
    const high = part.width_bytes * 8 - 1;
    const meaning = type === undefined ? undefined : describeValue(type, stored, part.seen, style, nameOffset);
    return [
      {
        register: part.name,
        name: part.name,
        low: 0,
        high,
        value: BigInt(bitsOf(stored, 0, high)),
        meaning: meaning ?? null,
      },
    ];
  }
  const bits = type.shr === 0 && type.add === 0n ? stored : moved(type, stored);
  const isCovered = ({ mask }: Field) =>
    ((mask.low & part.seen.low) ^ mask.low) === 0 && ((mask.high & part.seen.high) ^ mask.high) === 0;
  const covered = type.fields.filter(isCovered).sort((a, b) => a.low - b.low);
  return covered.map(({ name, low, high, type: fieldType }) => {
    const own = bitsOf(bits, low, high);
    const seen = { low: 0xffff_ffff, high: 0xffff_ffff };
    const isFlag = fieldType.kind === "boolean";
    const meaning = isFlag ? undefined : describeValue(fieldType, halvesOf(BigInt(own)), seen, style, nameOffset);
    return { register: registerName(part), name, low, high, value: BigInt(own), meaning: meaning ?? null };
  });
}

/** The register's name without the part's offset in it: fields have their bits' numbers in the register. */
function registerName({ name }: RegisterPart): string {
  return name.replace(/\+0x[0-9a-f]+$/, "");
}

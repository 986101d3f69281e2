// Takes the inserted code out of a rewritten section, and compares the rest with the original, instruction by instruction.
import type { InsertedRange } from "../../../src/rewrite/rewrite-module.js";
import type { ReadCode } from "./read-module.js";

/** A section's original code beside its code in the new file. */
export interface PairedCode {
  old: ReadCode;
  new: ReadCode;
  /** The number of the original instruction that begins at an offset, -1 elsewhere; the last is the end. */
  oldNumber: Int32Array;
  /** Each original instruction: where a jump to it has to go, which is the inserted code in front of it. The last is the end. */
  destinations: Int32Array;
}

/** Finds what a mistake is about. */
export type Complain = (section: string, offset: number, what: string) => void;

/**
 * Pairs the instructions of a section. Complains about each instruction that isn't the original one, ranges that don't lie between
 * two instructions, and padding that is anything but `nop`.
 */
export function pairCode(
  old: ReadCode,
  after: ReadCode,
  ranges: readonly InsertedRange[],
  complain: Complain,
): PairedCode | undefined {
  const { name } = old.section;
  if (old.starts.length !== after.starts.length) {
    complain(name, 0, `${after.starts.length - 1} instructions, not ${old.starts.length - 1} as in the original`);
    return undefined;
  }
  const count = old.starts.length - 1;
  const oldNumber = new Int32Array(old.bytes.length + 1).fill(-1);
  for (let number = 0; number <= count; number += 1) oldNumber[old.starts[number]!] = number;
  // the end of the instructions, in front of the tail
  after.starts[count] = endOfCode(after, ranges);
  for (let number = 0; number < count; number += 1) compareInstruction(old, after, number, complain);
  return { old, new: after, oldNumber, destinations: findDestinations(after, count, ranges, complain) };
}

function endOfCode(after: ReadCode, ranges: readonly InsertedRange[]): number {
  return ranges.find(({ kind }) => kind === "tail")?.offset ?? after.bytes.length;
}

/** Compares the bytes of one instruction, but for a distance, and for a short jump that became a long one. */
function compareInstruction(old: ReadCode, after: ReadCode, number: number, complain: Complain): void {
  const [from, to] = [old.starts[number]!, after.starts[number]!];
  const length = old.starts[number + 1]! - from;
  const field = old.distanceFields[number]!;
  const newField = after.distanceFields[number]!;
  const width = old.isBranch[number] === 1 ? length - field : 4;
  let isSame = false;
  if (field === newField) {
    isSame = true;
    for (let at = 0; at < length; at += 1) {
      const isDistance = field > 0 && at >= field && at < field + width;
      if (!isDistance && old.bytes[from + at] !== after.bytes[to + at]) isSame = false;
    }
  }
  if (!isSame) isSame = isLengthened(old, after, number);
  if (!isSame) complain(old.section.name, to, `not the original's instruction at 0x${from.toString(16)}`);
}

/** Compares a short form with its long one: jmp, conditional jumps, perhaps with a hint, and the empty instruction of a jump label. */
function isLengthened(old: ReadCode, after: ReadCode, number: number): boolean {
  const [from, to] = [old.starts[number]!, after.starts[number]!];
  const length = old.starts[number + 1]! - from;
  if (length === 3) {
    const [hint, short] = old.bytes.subarray(from, from + 2);
    const isHinted = (hint === 0x2e || hint === 0x3e) && short! >= 0x70 && short! <= 0x7f;
    const [sameHint, second, opcode] = after.bytes.subarray(to, to + 3);
    return isHinted && sameHint === hint && second === 0x0f && opcode === short! + 0x10;
  }
  if (length !== 2) return false;
  const [first, second] = [old.bytes[from]!, old.bytes[from + 1]!];
  const long = Array.from(after.bytes.subarray(to, to + 5));
  if (first === 0xeb) return long[0] === 0xe9;
  if (first >= 0x70 && first <= 0x7f) return long[0] === 0x0f && long[1] === first + 0x10;
  return first === 0x66 && second === 0x90 && Buffer.from(long).toString("hex") === "0f1f440000";
}

function findDestinations(
  after: ReadCode,
  count: number,
  ranges: readonly InsertedRange[],
  complain: Complain,
): Int32Array {
  const destinations = Int32Array.from(after.starts.slice(0, count + 1));
  const numberAt = new Int32Array(after.bytes.length + 1).fill(-1);
  for (let number = 0; number <= count; number += 1) numberAt[after.starts[number]!] = number;
  const before = new Map(ranges.filter(({ kind }) => kind === "before").map((range) => [range.offset, range]));
  for (const { kind, section, offset, length_bytes } of ranges) {
    const end = offset + length_bytes;
    if (kind === "tail") continue;
    const next = kind === "padding" ? (before.get(end)?.offset ?? end) : end;
    if (kind === "padding") {
      if (length_bytes > 15 || after.bytes.subarray(offset, end).some((byte) => byte !== 0x90)) {
        complain(section, offset, "padding that isn't less than 16 bytes of nop");
      }
      if (next % 16 !== 0) complain(section, offset, "padding that aligns nothing");
    } else {
      const number = numberAt[end] ?? -1;
      if (number < 0) complain(section, offset, "inserted code that isn't in front of an instruction");
      else destinations[number] = offset;
    }
  }
  return destinations;
}

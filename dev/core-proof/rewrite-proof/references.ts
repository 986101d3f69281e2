// Compares all that refers to code: each reference of the new file must mean the instruction that the original's means.
import type { InsertedRange } from "../../../src/rewrite/rewrite-module.js";
import type { Complain, PairedCode } from "./pair-code.js";
import type { ReadCode, ReadModule, ReadRelocation } from "./read-module.js";

/** All that the comparisons share. */
export interface Comparison {
  old: ReadModule;
  new: ReadModule;
  paired: Map<number, PairedCode>;
  /** Ranges that the kernel replaces as a whole, by section: offset → end. */
  replaced: Map<number, Map<number, number>>;
  complain: Complain;
}

/** Sections whose references mean an instruction itself and not what is put in front of it; the last element: at which remainder. */
const ofInstructions: Record<string, [entry_bytes: number, remainder: number][]> = {
  ...Object.fromEntries(
    [
      ...[".return_sites", ".retpoline_sites", ".call_sites", ".smp_locks", ".ibt_endbr_seal", ".static_call_sites"],
      ...["__mcount_loc", "__patchable_function_entries", "__bug_table", ".altinstructions", ".parainstructions"],
    ].map((name) => [name, [[1, 0]]]),
  ),
  __jump_table: [[16, 0]],
  __ex_table: [[12, 0]],
};

/** Finds the new offset of an original one; undefined where it is in an instruction's middle. */
export function expectedOffset(
  comparison: Comparison,
  section: number,
  offset: number,
  isInstruction: boolean,
): number | undefined {
  const paired = comparison.paired.get(section)!;
  const number = paired.oldNumber[offset] ?? -1;
  if (number >= 0) return isInstruction ? paired.new.starts[number]! : paired.destinations[number]!;
  for (const [start, end] of comparison.replaced.get(section) ?? []) {
    if (start < offset && offset < end) return paired.new.starts[paired.oldNumber[start]!]! + offset - start;
  }
  return undefined;
}

/** Compares the relocations of all sections that the kernel loads. */
export function compareRelocations(comparison: Comparison, inserted: readonly InsertedRange[]): void {
  const { old, new: after, complain } = comparison;
  for (const [target, before] of old.relocations) {
    const section = old.elf.sections[target]!;
    const now = after.relocations.get(target) ?? [];
    if ((section.flags & 2n) === 0n && now.length === 0) continue;
    before.forEach((entry, place) => {
      const other = now[place];
      if (other === undefined) complain(section.name, entry.offset, "a relocation is missing");
      else compareRelocation(comparison, target, entry, other);
    });
    const tail = inserted.find((range) => range.section === section.name && range.kind === "tail");
    const isInserted = (at: number) => tail !== undefined && tail.offset <= at && at < tail.offset + tail.length_bytes;
    now.slice(before.length).forEach(({ offset, type }, place) => {
      // the unwinder's new places stand behind the old ones, without a gap
      const isNewEntry = section.name === ".orc_unwind_ip" && type === 2 && offset === section.size_bytes + 4 * place;
      if (!isNewEntry && !isInserted(offset)) complain(section.name, offset, "a relocation too many");
    });
  }
}

function compareRelocation(comparison: Comparison, target: number, old: ReadRelocation, after: ReadRelocation): void {
  const { complain } = comparison;
  const { name } = comparison.old.elf.sections[target]!;
  const wrong = (what: string) => complain(name, after.offset, `a relocation ${what}`);
  const host = comparison.paired.get(target);
  let counted_bytes = 0;
  if (host !== undefined) {
    const number = numberAround(host, old.offset);
    const start = host.old.starts[number]!;
    if (after.offset !== host.new.starts[number]! + old.offset - start) wrong("at another place in the instruction");
    counted_bytes = host.old.starts[number + 1]! - old.offset;
  } else if (after.offset !== old.offset) wrong("of another place");
  if (old.type !== after.type || old.symbol !== after.symbol) {
    wrong("of another type or symbol");
    return;
  }
  const [before, now] = [comparison.old.symbols[old.symbol]!, comparison.new.symbols[after.symbol]!];
  const section = before.section?.index ?? 0;
  if (!comparison.paired.has(section) || old.type === 0) {
    if (old.addend !== after.addend) wrong("with another addend");
    return;
  }
  const isRelative = old.type === 2 || old.type === 4;
  const added_bytes = host !== undefined && isRelative ? counted_bytes : 0;
  const rows = host === undefined ? (ofInstructions[name] ?? []) : [];
  const isInstruction = rows.some(([entry_bytes, remainder]) => old.offset % entry_bytes === remainder);
  const meant = Number(before.value) + old.addend + added_bytes;
  const expected = expectedOffset(comparison, section, meant, isInstruction);
  if (expected === undefined) wrong("into the middle of an instruction");
  else if (Number(now.value) + after.addend + added_bytes !== expected) wrong("to another place in the code");
}

function numberAround({ oldNumber }: PairedCode, offset: number): number {
  let start = offset;
  while (oldNumber[start]! < 0) start -= 1;
  return oldNumber[start]!;
}

/** Compares the distances within a section that no relocation makes. */
export function compareDistances(comparison: Comparison): void {
  for (const [section, { old, new: after }] of comparison.paired) {
    const relocated = new Set(comparison.old.relocations.get(section)?.map(({ offset }) => offset));
    const relocatedNow = new Set(comparison.new.relocations.get(section)?.map(({ offset }) => offset));
    for (let number = 0; number < old.starts.length - 1; number += 1) {
      const field = old.distanceFields[number]!;
      if (field === 0) continue;
      const from = old.starts[number]! + field;
      const to = after.starts[number]! + after.distanceFields[number]!;
      const isRelocated = relocated.has(from);
      if (isRelocated !== relocatedNow.has(to))
        comparison.complain(old.section.name, to, "relocated in one file alone");
      const end = old.starts[number]! + old.lengths[number]!;
      if (isRelocated) {
        const isKept = distanceAt(old, number, from, end) === distanceAt(after, number, to, to + 4);
        if (!isKept) comparison.complain(old.section.name, to, "other bytes where a relocation is added to them");
        continue;
      }
      const target = end + distanceAt(old, number, from, end);
      const newEnd = after.starts[number]! + after.lengths[number]!;
      const newTarget = newEnd + distanceAt(after, number, to, newEnd);
      if (expectedOffset(comparison, section, target, false) !== newTarget) {
        comparison.complain(old.section.name, to, `doesn't refer to the original's 0x${target.toString(16)}`);
      }
    }
  }
}

/** Reads the distance at `offset` of an instruction that ends at `end`: a branch may have one byte at its end, all others have four. */
function distanceAt({ bytes, isBranch }: ReadCode, number: number, offset: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isBranch[number] === 1 && end - offset === 1 ? view.getInt8(offset) : view.getInt32(offset, true);
}

// All that refers to code, in terms of the new places: relocations of code and of data, symbols, and distances within a section.
import type { ElfSymbol } from "../elf/elf-file.js";
import { RelocationType, SectionFlag } from "../elf/layout.js";
import type { Relocations } from "../elf/relocations.js";
import { type ReferenceRole, referenceRole } from "./code-tables.js";
import { destinationOf, type SectionLayout } from "./layout.js";
import {
  type CodeSection,
  codeReference,
  instructionAround,
  type ModuleCode,
  type RelocationTable,
} from "./module-code.js";
import { RewriteRefusal } from "./refusal.js";

/** The new places of all sections of code, by number. */
export type Layouts = (SectionLayout | undefined)[];

/** A place where something refers to code, for errors. */
interface Referrer {
  section: string;
  offset: number;
}

/** Returns the new offset of a place in code. Throws RewriteRefusal in the name of `from`. */
function newOffset(
  { elf }: ModuleCode,
  layouts: Layouts,
  place: { code: CodeSection; offset: number },
  role: ReferenceRole,
  from: Referrer,
): number {
  const { code, offset } = place;
  const layout = layouts[code.section.index]!;
  if (offset < 0 || offset > code.content.length) {
    throw new RewriteRefusal(
      elf.file,
      from.section,
      from.offset,
      `a reference to what lies outside of ${code.section.name}`,
    );
  }
  const number = code.instructionAt[offset]!;
  if (number >= 0) return role === "instruction" ? layout.starts[number]! : destinationOf(layout, number);
  // replaced code is kept as it is, byte by byte, and some tables describe what may stand there
  const around = instructionAround(code, offset);
  if (code.isReplaced[around] !== 1) {
    const where = `${code.section.name}+0x${offset.toString(16)}`;
    throw new RewriteRefusal(
      elf.file,
      from.section,
      from.offset,
      `a reference into the middle of the instruction at ${where}`,
    );
  }
  return layout.starts[around]! + offset - code.sweep.starts[around]!;
}

/** Returns a symbol's new value and size, for a symbol of code. */
export function newSymbol(module: ModuleCode, layouts: Layouts, symbol: ElfSymbol, index: number) {
  const code = module.code[symbol.section!.index]!;
  const value = Number(symbol.value);
  const from = { section: ".symtab", offset: index };
  const start = newOffset(module, layouts, { code, offset: value }, "destination", from);
  const place = { code, offset: value + symbol.size_bytes };
  const end = symbol.size_bytes === 0 ? start : newOffset(module, layouts, place, "destination", from);
  return { value: start, size_bytes: end - start };
}

/** Returns a section's relocations with their new places and addends. `values` are the symbols' new values. */
export function newRelocations(
  module: ModuleCode,
  layouts: Layouts,
  table: RelocationTable,
  values: Float64Array,
): Relocations {
  const { entries, target } = table;
  const inCode = module.code[target.index];
  const offsets = entries.offsets.slice();
  const addends = entries.addends.slice();
  for (let entry = 0; entry < offsets.length; entry += 1) {
    const from = { section: target.name, offset: entries.offsets[entry]! };
    let behind_bytes = 0;
    if (inCode !== undefined) {
      const layout = layouts[target.index]!;
      const number = changedInstruction(module, inCode, from, entries.types[entry]!);
      const start = inCode.sweep.starts[number]!;
      offsets[entry] = layout.starts[number]! + from.offset - start;
      behind_bytes = start + inCode.sweep.lengths[number]! - from.offset;
    }
    const place = codeReference(module, entries, entry);
    if (place === undefined) continue;
    const counted_bytes = countedBytes(module, entries.types[entry]!, behind_bytes, from);
    const role = inCode !== undefined ? "destination" : referenceRole(target.name, from.offset);
    if (role === undefined) {
      throw new RewriteRefusal(
        module.elf.file,
        from.section,
        from.offset,
        "a reference to code in a section that isn't known",
      );
    }
    const old = { code: place.code, offset: place.offset + counted_bytes };
    const to = newOffset(module, layouts, old, role, from);
    addends[entry] = to - counted_bytes - values[entries.symbols[entry]!]!;
  }
  return { ...entries, offsets, addends };
}

/** Finds the instruction that a relocation changes. Its field must lie in it as a whole. */
function changedInstruction(
  { elf }: ModuleCode,
  code: CodeSection,
  { section, offset }: Referrer,
  type: number,
): number {
  if (offset < code.content.length) {
    const number = instructionAround(code, offset);
    const end = code.sweep.starts[number]! + code.sweep.lengths[number]!;
    const isWide = type === RelocationType.absolute64 || type === RelocationType.relative64;
    const size_bytes = type === RelocationType.none ? 0 : isWide ? 8 : 4;
    if (offset > code.sweep.starts[number]! && offset + size_bytes <= end) return number;
    if (type === RelocationType.none) return number;
  }
  throw new RewriteRefusal(elf.file, section, offset, "a relocation of what isn't part of one instruction");
}

/** Returns the distance from a field to the place that its value counts from: an instruction's end for fields in code. */
function countedBytes({ elf }: ModuleCode, type: number, behind_bytes: number, { section, offset }: Referrer): number {
  switch (type) {
    case RelocationType.relative32:
    case RelocationType.call32:
      return behind_bytes;
    case RelocationType.absolute64:
    case RelocationType.absolute32:
    case RelocationType.absolute32Signed:
      return 0;
    default:
      throw new RewriteRefusal(elf.file, section, offset, `a reference to code by a relocation of type ${type}`);
  }
}

/** True for a section that the kernel doesn't load, though it refers to code, as debugging information does. */
export function isUnloadedWithCode(module: ModuleCode, table: RelocationTable): boolean {
  if ((table.target.flags & SectionFlag.allocated) !== 0n) return false;
  return table.entries.offsets.some((_, entry) => codeReference(module, table.entries, entry) !== undefined);
}

// A module's file with code put into it: all code laid out anew, and everything that refers to code kept right.
import { concatBytes } from "../base/bytes.js";
import { ElfFile } from "../elf/elf-file.js";
import { type NewSection, sectionsToWrite, writeRelocatable } from "../elf/elf-writer.js";
import { relocationEntry, SectionFlag, SectionType, SymbolType, symbolEntry } from "../elf/layout.js";
import { joinRelocations, type Relocations, relocationBytes } from "../elf/relocations.js";
import { type Rewriting, rewritingSection } from "../machine/rewritten-module.js";
import { emitSection } from "./emit.js";
import type { InsertedCode, Instrumentation } from "./instrumentation.js";
import { layOut } from "./layout.js";
import { type ModuleCode, readModuleCode, sectionSymbol } from "./module-code.js";
import { orcAdditions } from "./orc.js";
import { isUnloadedWithCode, type Layouts, newRelocations, newSymbol } from "./references.js";
import { RewriteRefusal } from "./refusal.js";
import { movedFunctions, rewritingBytes } from "./rewriting.js";
import { AddedSymbols, addVersions } from "./symbols.js";

/** A range of the new file's code that wasn't in the old one. */
export interface InsertedRange {
  /** Padding in front of a function, code in front of an instruction, or code at the section's end. */
  kind: "padding" | "before" | "tail";
  section: string;
  /** In bytes from the new section's start. */
  offset: number;
  length_bytes: number;
}

export interface RewrittenModule {
  bytes: Uint8Array<ArrayBuffer>;
  /** Sorted by section and offset. */
  inserted: InsertedRange[];
}

/**
 * Rewrites a module's file, decompressed; `file` is its name in errors. The signature is left out, because it no longer fits, and so is
 * debugging information about code. Throws RewriteRefusal for what isn't understood, FormatError for a broken file.
 */
export function rewriteModule(file: string, bytes: Uint8Array, instrumentation: Instrumentation): RewrittenModule {
  const module = readModuleCode(new ElfFile(file, bytes));
  const sections = sectionsToWrite(module.elf);
  const rooms = instrumentation.chooseRoom(module);
  const layouts: Layouts = module.code.map((code, index) =>
    code === undefined ? undefined : layOut(module, code, rooms[index]),
  );
  const added = addedSymbols(module, instrumentation, layouts);
  const values = moveSymbols(module, layouts, sections);
  const insertions = new Map<number, InsertedCode>();
  let dataOffset = 0;
  for (const code of module.code) {
    if (code === undefined) continue;
    const layout = layouts[code.section.index]!;
    const content = emitSection(module, code, layout);
    const symbolOf = (name: string) => added.numberOf(name);
    const inserted = instrumentation.fill({ module, code, layout, content, symbolOf, dataOffset });
    insertions.set(code.section.index, inserted);
    dataOffset += inserted.data?.content.length ?? 0;
    sections[code.section.index]!.content = content;
  }
  const relocations = moveRelocations(module, layouts, values, sections);
  for (const [index, { relocations: more }] of insertions) {
    if (more === undefined) continue;
    const own = relocations.get(index);
    if (own === undefined) throw new RewriteRefusal(file, sections[index]!.name, 0, "code without any relocation");
    relocations.set(index, joinRelocations([own, more]));
  }
  addOrcEntries(module, insertions, sections, relocations);
  for (const [index, entries] of relocations) {
    sections[module.relocations[index]!.table.index]!.content = relocationBytes(entries);
  }
  added.write(sections);
  addVersions(module, sections, instrumentation.imports);
  if (instrumentation.data !== undefined) addData(module, instrumentation.data.section, insertions, sections);
  const portsLeft = [...insertions.values()].reduce((sum, inserted) => sum + inserted.portsLeft, 0);
  addRewriting({ portsLeft, functions: movedFunctions(module, layouts, values) }, sections);
  return { bytes: writeRelocatable(module.elf, sections), inserted: insertedRanges(module, layouts) };
}

/** Collects the symbols that inserted code brings. */
function addedSymbols(
  module: ModuleCode,
  { imports, data, tailSymbol }: Instrumentation,
  layouts: Layouts,
): AddedSymbols {
  const added = new AddedSymbols(module);
  for (const { name } of imports) added.addImport(name);
  if (data !== undefined) {
    const section = module.elf.sections.length;
    added.addOwn({ name: data.symbol, type: SymbolType.object, section, value: 0, size_bytes: 0 });
  }
  for (const code of module.code) {
    if (code === undefined || tailSymbol === undefined) continue;
    const { tail, size_bytes } = layouts[code.section.index]!;
    if (size_bytes === tail) continue;
    const name = tailSymbol(code.section.name);
    const own = { section: code.section.index, value: tail, size_bytes: size_bytes - tail };
    added.addOwn({ name, type: SymbolType.function, ...own });
  }
  return added;
}

/** The header of a new section, behind all others in the file. */
const newSection = {
  ...{ address: 0n, offset: Number.MAX_SAFE_INTEGER, size_bytes: 0 },
  ...{ link: 0, info: 0, alignment: 8, entry_bytes: 0 },
};

function addRewriting(rewriting: Rewriting, sections: NewSection[]): void {
  const header = { ...newSection, index: sections.length, name: rewritingSection, alignment: 1 };
  sections.push({ ...header, type: SectionType.bits, flags: 0n, content: rewritingBytes(rewriting) });
}

/** Adds the section of the inserted code's data, and that of its relocations. */
function addData(
  { symbolTable }: ModuleCode,
  name: string,
  insertions: ReadonlyMap<number, InsertedCode>,
  sections: NewSection[],
): void {
  const parts = [...insertions.values()].flatMap(({ data }) => (data === undefined ? [] : [data]));
  const all: Relocations[] = [];
  let start = 0;
  for (const { content, relocations } of parts) {
    const begin = start;
    all.push({ ...relocations, offsets: relocations.offsets.map((offset) => offset + begin) });
    start += content.length;
  }
  const index = sections.length;
  const flags = SectionFlag.allocated | SectionFlag.write;
  const content = concatBytes(parts.map((part) => part.content));
  sections.push({ ...newSection, index, name, type: SectionType.bits, flags, content });
  sections.push({
    ...newSection,
    ...{ index: index + 1, name: `.rela${name}`, type: SectionType.relocations, flags: SectionFlag.linkedByInfo },
    ...{ link: symbolTable!.index, info: index, entry_bytes: relocationEntry.size_bytes },
    content: relocationBytes(joinRelocations(all)),
  });
}

/** Moves the symbols of code. Returns all symbols' values. */
function moveSymbols(module: ModuleCode, layouts: Layouts, sections: NewSection[]): Float64Array {
  const values = Float64Array.from(module.symbols, ({ value }) => Number(value));
  const table = sections.find(({ index }) => index === module.symbolTable?.index);
  if (table === undefined) return values;
  // a Buffer's slice() would share its memory
  const content = new Uint8Array(table.content);
  const view = new DataView(content.buffer);
  module.symbols.forEach((symbol, index) => {
    if (symbol.section === undefined || module.code[symbol.section.index] === undefined) return;
    const { value, size_bytes } = newSymbol(module, layouts, symbol, index);
    values[index] = value;
    const start = index * symbolEntry.size_bytes;
    view.setBigUint64(start + symbolEntry.at.value, BigInt(value), true);
    view.setBigUint64(start + symbolEntry.at.size_bytes, BigInt(size_bytes), true);
  });
  table.content = content;
  return values;
}

/** Moves the relocations of all sections that the kernel loads, and empties the others that refer to code. */
function moveRelocations(
  module: ModuleCode,
  layouts: Layouts,
  values: Float64Array,
  sections: NewSection[],
): Map<number, Relocations> {
  const moved = new Map<number, Relocations>();
  for (const table of module.relocations) {
    if (table === undefined) continue;
    if (isUnloadedWithCode(module, table)) {
      sections[table.table.index]!.content = new Uint8Array(0);
      sections[table.target.index]!.content = new Uint8Array(0);
    } else {
      moved.set(table.target.index, newRelocations(module, layouts, table, values));
    }
  }
  return moved;
}

/** Appends the states of the stack in inserted code at the sections' ends. */
function addOrcEntries(
  module: ModuleCode,
  insertions: Map<number, InsertedCode>,
  sections: NewSection[],
  relocations: Map<number, Relocations>,
): void {
  const ips = module.elf.section(".orc_unwind_ip");
  const entries = module.elf.section(".orc_unwind");
  if (ips === undefined || entries === undefined) return;
  const wanted = [...insertions].map(([index, { states }]) => {
    const code = module.code[index]!;
    return { code, states, symbol: states.length === 0 ? 0 : sectionSymbol(module, code) };
  });
  const added = orcAdditions(module, wanted, ips.size_bytes);
  if (added.entries.length === 0) return;
  sections[entries.index]!.content = concatBytes([sections[entries.index]!.content, added.entries]);
  const places = new Uint8Array(4 * added.relocations.offsets.length);
  sections[ips.index]!.content = concatBytes([sections[ips.index]!.content, places]);
  relocations.set(ips.index, joinRelocations([relocations.get(ips.index)!, added.relocations]));
}

function insertedRanges(module: ModuleCode, layouts: Layouts): InsertedRange[] {
  const ranges: InsertedRange[] = [];
  for (const code of module.code) {
    if (code === undefined) continue;
    const { starts, before_bytes, lengths, tail, size_bytes } = layouts[code.section.index]!;
    const section = code.section.name;
    let end = 0;
    for (let number = 0; number < lengths.length; number += 1) {
      const offset = starts[number]! - before_bytes[number]!;
      if (offset > end) ranges.push({ kind: "padding", section, offset: end, length_bytes: offset - end });
      if (before_bytes[number]! > 0)
        ranges.push({ kind: "before", section, offset, length_bytes: before_bytes[number]! });
      end = starts[number]! + lengths[number]!;
    }
    if (size_bytes > tail) ranges.push({ kind: "tail", section, offset: tail, length_bytes: size_bytes - tail });
  }
  return ranges;
}

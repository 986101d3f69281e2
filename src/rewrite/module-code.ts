// A module's code as the rewriter sees it: its sections, decoded, with their relocations, and the ranges that the kernel replaces.
import type { ElfFile, ElfSection, ElfSymbol } from "../elf/elf-file.js";
import { RelocationType, SectionFlag, SectionType, SymbolType } from "../elf/layout.js";
import { type Relocations, readRelocations } from "../elf/relocations.js";
import { type Sweep, sweepCode } from "../x86/sweep.js";
import { fixedCodeSections } from "./code-tables.js";
import { RewriteRefusal } from "./refusal.js";

export interface CodeSection {
  section: ElfSection;
  content: Uint8Array;
  sweep: Sweep;
  /** The number of the instruction that begins at an offset, -1 elsewhere; the number of instructions at the end's offset. */
  instructionAt: Int32Array;
  /** Each instruction: 1 if the kernel replaces it by others of the same length, alone or with its neighbours. */
  isReplaced: Uint8Array;
  /** Each instruction: 1 if it must stay just behind the one before it, because the kernel replaces both as one. */
  isGlued: Uint8Array;
  /** True where nothing may be inserted or lengthened. */
  isFixed: boolean;
}

/** A section's relocations, and the section that holds them. */
export interface RelocationTable {
  table: ElfSection;
  target: ElfSection;
  entries: Relocations;
}

export interface ModuleCode {
  elf: ElfFile;
  symbols: ElfSymbol[];
  symbolTable: ElfSection | undefined;
  /** By the section's number; undefined for those that hold no code. */
  code: (CodeSection | undefined)[];
  /** By the number of the section that is changed. */
  relocations: (RelocationTable | undefined)[];
}

/** Reads and decodes a module's code. Throws RewriteRefusal, or FormatError for a broken file. */
export function readModuleCode(elf: ElfFile): ModuleCode {
  const symbols = elf.symbols();
  const relocations: ModuleCode["relocations"] = [];
  for (const table of elf.sections) {
    if (table.type === SectionType.relocationsWithoutAddends) {
      throw new RewriteRefusal(elf.file, table.name, 0, "relocations without addends, which x86-64 doesn't have");
    }
    if (table.type !== SectionType.relocations) continue;
    const target = elf.sections[table.info];
    if (target === undefined || relocations[target.index] !== undefined) {
      throw new RewriteRefusal(elf.file, table.name, 0, "relocations for no section, or the second ones for a section");
    }
    const entries = readRelocations(elf, table);
    const wrong = entries.symbols.findIndex((symbol) => symbol >= symbols.length);
    if (wrong >= 0) throw new RewriteRefusal(elf.file, table.name, 24 * wrong, "a relocation with no symbol");
    relocations[target.index] = { table, target, entries };
  }
  const code = elf.sections.map((section) => (isCode(section) ? readSection(elf, section) : undefined));
  const symbolTable = elf.sectionOfType(SectionType.symbols);
  const found = { elf, symbols, symbolTable, code, relocations };
  glueReplacedRanges(found);
  return found;
}

function isCode({ type, flags, size_bytes }: ElfSection): boolean {
  const wanted = SectionFlag.allocated | SectionFlag.executable;
  return type === SectionType.bits && (flags & wanted) === wanted && size_bytes > 0;
}

function readSection(elf: ElfFile, section: ElfSection): CodeSection {
  const content = elf.content(section);
  const sweep = sweepCode(content);
  if ("failedAt" in sweep) {
    throw new RewriteRefusal(elf.file, section.name, sweep.failedAt, "no instruction, or one that isn't known here");
  }
  const instructionAt = new Int32Array(content.length + 1).fill(-1);
  for (let number = 0; number < sweep.count; number += 1) instructionAt[sweep.starts[number]!] = number;
  instructionAt[content.length] = sweep.count;
  const isFixed = fixedCodeSections.has(section.name);
  const columns = { isReplaced: new Uint8Array(sweep.count), isGlued: new Uint8Array(sweep.count) };
  return { section, content, sweep, instructionAt, ...columns, isFixed };
}

/** Finds the number of the instruction that holds the byte at `offset`. */
export function instructionAround({ instructionAt }: CodeSection, offset: number): number {
  let start = offset;
  while (instructionAt[start]! < 0) start -= 1;
  return instructionAt[start]!;
}

/** Finds the number of a section's own symbol. */
export function sectionSymbol({ elf, symbols }: ModuleCode, { section }: CodeSection): number {
  const found = symbols.findIndex((symbol) => symbol.section === section && symbol.type === SymbolType.section);
  if (found < 0) throw new RewriteRefusal(elf.file, section.name, 0, "a section without a symbol of its own");
  return found;
}

/** The place in code that a relocation refers to, as `symbol + addend`; undefined where it refers to something else. */
export function codeReference(
  { symbols, code }: ModuleCode,
  entries: Relocations,
  entry: number,
): { code: CodeSection; offset: number } | undefined {
  const symbol = symbols[entries.symbols[entry]!]!;
  const found = symbol.section === undefined ? undefined : code[symbol.section.index];
  if (found === undefined || entries.types[entry] === RelocationType.none) return undefined;
  return { code: found, offset: Number(symbol.value) + entries.addends[entry]! };
}

/** Marks the instructions of each range that the kernel replaces as a whole. */
function glueReplacedRanges(module: ModuleCode): void {
  const { elf, relocations } = module;
  for (const name of [".altinstructions", ".parainstructions"]) {
    const section = elf.section(name);
    const table = section === undefined ? undefined : relocations[section.index];
    if (section === undefined || table === undefined) continue;
    const content = elf.content(section);
    const { offsets } = table.entries;
    const inOrder = Array.from(offsets, (offset, entry) => ({ offset, entry })).sort((a, b) => a.offset - b.offset);
    const perEntry = name === ".altinstructions" ? 2 : 1;
    for (let at = 0; at < inOrder.length; at += perEntry) {
      const { offset, entry } = inOrder[at]!;
      const next = inOrder[at + perEntry]?.offset ?? content.length;
      const refuse = (reason: string) => new RewriteRefusal(elf.file, name, offset, reason);
      const place = codeReference(module, table.entries, entry);
      if (place === undefined) throw refuse("an entry for no code");
      const length_bytes =
        name === ".altinstructions" ? alternativeBytes(content, offset, next, refuse) : content[offset + 9]!;
      glue(place.code, place.offset, length_bytes, refuse);
    }
  }
}

/**
 * Returns the length of the original instructions of an alternative, after two references of four bytes:
 *
 *     u16 feature, u8 originalLength, u8 replacementLength               12 bytes: 6.1
 *     the same, u8 padding                                                13 bytes: 5.10
 *     u32 feature and flags, u8 originalLength, u8 replacementLength      14 bytes: 6.12
 *
 * The distance to the next entry tells the form.
 */
function alternativeBytes(
  content: Uint8Array,
  offset: number,
  next: number,
  refuse: (reason: string) => Error,
): number {
  switch (next - offset) {
    case 12:
    case 13:
      return content[offset + 10]!;
    case 14:
      return content[offset + 12]!;
    default:
      throw refuse(`an entry of ${next - offset} bytes`);
  }
}

function glue(code: CodeSection, offset: number, length_bytes: number, refuse: (reason: string) => Error): void {
  const first = code.instructionAt[offset] ?? -1;
  const end = code.instructionAt[offset + length_bytes] ?? -1;
  if (first < 0 || end < 0) throw refuse("replaced code that doesn't begin or end with an instruction");
  code.isReplaced.fill(1, first, end);
  code.isGlued.fill(1, first + 1, end);
}

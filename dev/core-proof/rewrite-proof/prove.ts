// The structural proof of a rewritten module: taking out what was put in gives the original, instruction by instruction, relocation
// by relocation, table by table. Shares no code with the rewriter but the reading of ELF headers, which is tested against readelf.
import type { ElfFile, ElfSection } from "../../../src/elf/elf-file.js";
import type { InsertedRange, RewrittenModule } from "../../../src/rewrite/rewrite-module.js";
import { type Complain, pairCode } from "./pair-code.js";
import { type ReadModule, readModule } from "./read-module.js";
import { type Comparison, compareDistances, compareRelocations, expectedOffset } from "./references.js";
import { compareUnwinding } from "./unwinding.js";

/** The facts for the recorder: src/machine/rewritten-module.ts. */
const rewritingSection = ".mms_rewriting";

/** Most mistakes that are told of one module. */
const mistakesMax = 20;

/** Sections that may grow at their end, with what is imported and unwound. */
const growing = new Set([".symtab", ".strtab", ".shstrtab", "__versions", ".orc_unwind", ".orc_unwind_ip"]);

/** Looks at what was put in: the proof's caller knows what it may be. */
export interface InsertedCodeProof {
  /** The names of the sections behind the original's, and before the list of moved functions. */
  newSections: readonly string[];
  /** Looks at the inserted code, at new sections and at new symbols. */
  prove(comparison: Comparison, inserted: readonly InsertedRange[]): void;
}

/** Proves a rewritten module against the original. Returns the mistakes, at most mistakesMax, none where all is right. */
export function proveRewriting(
  file: string,
  original: Uint8Array,
  rewritten: RewrittenModule,
  proof: InsertedCodeProof,
): string[] {
  const mistakes: string[] = [];
  const complain: Complain = (section, offset, what) => {
    if (mistakes.length < mistakesMax) mistakes.push(`${file}: ${section}+0x${offset.toString(16)}: ${what}`);
  };
  const skip = new Map<string, Map<number, number>>();
  for (const { section, offset, length_bytes } of rewritten.inserted) {
    const ranges = skip.get(section) ?? new Map<number, number>();
    ranges.set(offset, length_bytes);
    skip.set(section, ranges);
  }
  const old = readModule(file, original, new Map());
  const after = readModule(file, rewritten.bytes, skip);
  compareSections(old, after, proof.newSections, complain);
  if (mistakes.length > 0) return mistakes;
  const comparison: Comparison = { old, new: after, paired: new Map(), replaced: replacedRanges(old), complain };
  for (const [index, code] of old.code) {
    const name = code.section.name;
    const ranges = rewritten.inserted.filter(({ section }) => section === name);
    const paired = pairCode(code, after.code.get(index)!, ranges, complain);
    if (paired === undefined) return mistakes;
    comparison.paired.set(index, paired);
  }
  compareSymbols(comparison);
  compareRelocations(comparison, rewritten.inserted);
  compareDistances(comparison);
  compareUnwinding(comparison);
  compareReplaced(comparison);
  compareJumpLabels(comparison);
  compareMoved(comparison);
  proof.prove(comparison, rewritten.inserted);
  return mistakes;
}

/** Compares the sections' headers, and the contents of those that hold neither code nor what is compared by its meaning. */
function compareSections(old: ReadModule, after: ReadModule, newSections: readonly string[], complain: Complain): void {
  const added = after.elf.sections.slice(old.elf.sections.length).map(({ name }) => name);
  if (added.join() !== [...newSections, rewritingSection].join())
    complain("headers", 0, `new sections ${added.join(", ")}`);
  old.elf.sections.forEach((section, index) => {
    const now = after.elf.sections[index];
    const same: (keyof ElfSection)[] = ["name", "type", "flags", "address", "link", "info", "alignment", "entry_bytes"];
    if (now === undefined || same.some((key) => section[key] !== now[key])) {
      complain(section.name, 0, "another header");
      return;
    }
    if (old.code.has(index) || section.type === 4) return;
    if (section.type === 8) {
      if (section.size_bytes !== now.size_bytes) complain(section.name, 0, "another size");
      return;
    }
    compareContent(old.elf, after.elf, section, complain);
  });
}

function compareContent(old: ElfFile, after: ElfFile, section: ElfSection, complain: Complain): void {
  const before = Buffer.from(old.content(section));
  const now = Buffer.from(after.content(after.sections[section.index]!));
  const isUnloaded = (section.flags & 2n) === 0n && now.length === 0;
  if (section.name === ".symtab" || isUnloaded) return;
  const isSameLength = growing.has(section.name) ? now.length >= before.length : now.length === before.length;
  if (!isSameLength) complain(section.name, now.length, "another size");
  else if (!now.subarray(0, before.length).equals(before)) complain(section.name, 0, "other bytes");
  // the loader wants zeros where it puts a place
  const added = now.subarray(before.length);
  if (section.name === ".orc_unwind_ip" && added.some((byte) => byte !== 0))
    complain(section.name, before.length, "no zeros");
}

function compareSymbols(comparison: Comparison): void {
  const { old, new: after, complain } = comparison;
  old.symbols.forEach((symbol, index) => {
    const now = after.symbols[index];
    const same = ["name", "binding", "type", "sectionNumber"] as const;
    if (now === undefined || same.some((key) => symbol[key] !== now[key])) {
      complain(".symtab", index, `symbol ${symbol.name} is another one`);
      return;
    }
    const section = symbol.section?.index ?? 0;
    if (!comparison.paired.has(section)) {
      const isSame = symbol.value === now.value && symbol.size_bytes === now.size_bytes;
      if (!isSame) complain(".symtab", index, `symbol ${symbol.name} of data has moved`);
      return;
    }
    const start = expectedOffset(comparison, section, Number(symbol.value), false);
    const end = expectedOffset(comparison, section, Number(symbol.value) + symbol.size_bytes, false);
    if (start !== Number(now.value)) complain(".symtab", index, `symbol ${symbol.name} is at another place`);
    const size_bytes = symbol.size_bytes === 0 ? 0 : end! - start!;
    if (size_bytes !== now.size_bytes) complain(".symtab", index, `symbol ${symbol.name} has another size`);
    if (symbol.type === 2 && Number(symbol.value) % 16 === 0 && Number(now.value) % 16 !== 0) {
      complain(".symtab", index, `function ${symbol.name} has lost its alignment`);
    }
  });
}

interface Moved {
  name: string;
  new_bytes: number;
  old_bytes: number;
  steps: number[];
}

/** Looks if the list of moved functions tells the old place of each instruction of each function. */
function compareMoved({ old, new: after, paired, complain }: Comparison): void {
  const section = after.elf.section(rewritingSection)!;
  const isKept = section.flags === 0n && section.type === 1;
  let listed: Moved[] = [];
  try {
    listed = (JSON.parse(Buffer.from(after.elf.content(section)).toString("latin1")) as { functions: Moved[] })
      .functions;
  } catch {
    complain(rewritingSection, 0, "no list of functions");
  }
  const expected: Moved[] = [];
  for (const [section, code] of paired) {
    const own = old.symbols.map((symbol, index) => ({ symbol, now: after.symbols[index]! }));
    const named = own.filter(({ symbol }) => symbol.section?.index === section && symbol.name !== "");
    const ends = [code.old.bytes.length, Number(code.new.starts.at(-1))];
    const tail = after.symbols.find(({ name }) => name === `mms_stubs${code.old.section.name}`);
    if (tail !== undefined) ends[1] = Number(tail.value);
    const [oldNext, newNext] = [
      nextAmong(
        named.map(({ symbol }) => Number(symbol.value)),
        ends[0]!,
      ),
      nextAmong(
        named.map(({ now }) => Number(now.value)),
        ends[1]!,
      ),
    ];
    for (const { symbol, now } of named) {
      if (symbol.type !== 2) continue;
      const [from, to] = [Number(symbol.value), Number(now.value)];
      const [old_bytes, new_bytes] = [oldNext(from) - from, newNext(to) - to];
      const steps: number[] = [];
      let last = 0;
      const first = code.oldNumber[from] ?? -1;
      for (let number = first; first >= 0 && number < code.old.starts.length - 1; number += 1) {
        const before = code.old.starts[number]! - from;
        if (before >= symbol.size_bytes) break;
        const behind = code.new.starts[number]! - to;
        if (behind - before !== last) steps.push(behind, behind - before);
        last = behind - before;
      }
      const { name } = symbol;
      if (old_bytes !== new_bytes || steps.length > 0) expected.push({ name, new_bytes, old_bytes, steps });
    }
  }
  const wrong = expected.findIndex((one, place) => JSON.stringify(one) !== JSON.stringify(listed[place]));
  if (wrong >= 0) complain(rewritingSection, wrong, `not how ${expected[wrong]!.name} has moved`);
  if (expected.length !== listed.length || !isKept) complain(rewritingSection, 0, "another list of functions");
}

/** Returns a function that finds the least of some values above one, at most an end. */
function nextAmong(values: readonly number[], end: number): (value: number) => number {
  const sorted = Float64Array.from(values).sort();
  return (value) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! > value) high = middle;
      else low = middle + 1;
    }
    return Math.min(end, sorted[low] ?? end);
  };
}

/** Finds the ranges of code that the kernel replaces: those of alternatives, and of calls to the hypervisor's operations. */
function replacedRanges(module: ReadModule): Comparison["replaced"] {
  const found: Comparison["replaced"] = new Map();
  for (const [name, references, lengthFromEnd] of [
    [".altinstructions", 2, 2],
    [".parainstructions", 1, 0],
  ] as const) {
    const section = module.elf.section(name);
    if (section === undefined) continue;
    const content = module.elf.content(section);
    const sorted = [...(module.relocations.get(section.index) ?? [])].sort((a, b) => a.offset - b.offset);
    sorted.forEach(({ offset, symbol, addend }, place) => {
      if (place % references !== 0) return;
      const next = sorted[place + references]?.offset ?? content.length;
      // the lengths stand at the entry's end, with one more byte behind them in an entry of 13 bytes
      const at = lengthFromEnd === 0 ? offset + 9 : next - (next - offset === 13 ? 3 : lengthFromEnd);
      const { section: code, value } = module.symbols[symbol]!;
      const ranges = found.get(code!.index) ?? new Map<number, number>();
      const start = Number(value) + addend;
      ranges.set(start, Math.max(ranges.get(start) ?? 0, start + content[at]!));
      found.set(code!.index, ranges);
    });
  }
  return found;
}

/** Looks if nothing was put into replaced ranges. */
function compareReplaced(comparison: Comparison): void {
  for (const [section, ranges] of comparison.replaced) {
    const paired = comparison.paired.get(section)!;
    for (const [start, end] of ranges) {
      const from = paired.new.starts[paired.oldNumber[start]!]!;
      const last = paired.oldNumber[end]! - 1;
      const to = paired.new.starts[last]! + paired.new.lengths[last]!;
      if (end > start && to - from !== end - start) {
        comparison.complain(paired.old.section.name, from, "code that the kernel replaces has another length");
      }
    }
  }
}

/** Looks if each jump label of two bytes reaches its target with one byte. */
function compareJumpLabels({ new: after, paired, complain }: Comparison): void {
  const section = after.elf.section("__jump_table");
  const entries = new Map(after.relocations.get(section?.index ?? -1)?.map((one) => [one.offset, one]));
  const placeOf = ({ symbol, addend }: { symbol: number; addend: number }) => ({
    section: after.symbols[symbol]!.section!.index,
    offset: Number(after.symbols[symbol]!.value) + addend,
  });
  for (const [offset, entry] of entries) {
    if (offset % 16 !== 0) continue;
    const site = placeOf(entry);
    const target = placeOf(entries.get(offset + 4)!);
    const bytes = paired.get(site.section)!.new.bytes;
    const isShort = bytes[site.offset] === 0xeb || (bytes[site.offset] === 0x66 && bytes[site.offset + 1] === 0x90);
    const distance = target.offset - site.offset - 2;
    const isReached = site.section === target.section && distance >= -128 && distance <= 127;
    if (isShort && !isReached) complain("__jump_table", offset, "a short jump label that doesn't reach its target");
  }
}

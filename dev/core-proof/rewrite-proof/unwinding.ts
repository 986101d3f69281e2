// Compares the unwinder's states (ORC): each instruction, and what is put in front of it, must have the state of the original's.

import type { ReadModule } from "./read-module.js";
import { type Comparison, expectedOffset } from "./references.js";

/** The states of one section of code, sorted by offset. */
interface States {
  offsets: number[];
  entries: string[];
}

function statesBySection(module: ReadModule): Map<number, States> {
  const found = new Map<number, { offset: number; entry: string }[]>();
  const [ips, section] = [module.elf.section(".orc_unwind_ip"), module.elf.section(".orc_unwind")];
  if (ips === undefined || section === undefined) return new Map();
  const content = Buffer.from(module.elf.content(section));
  for (const { offset, symbol, addend } of module.relocations.get(ips.index) ?? []) {
    const { section: code, value } = module.symbols[symbol]!;
    const entry = content.toString("hex", (offset / 4) * 6, (offset / 4) * 6 + 6);
    const list = found.get(code?.index ?? 0) ?? [];
    list.push({ offset: Number(value) + addend, entry });
    found.set(code?.index ?? 0, list);
  }
  return new Map(
    [...found].map(([index, list]) => {
      list.sort((a, b) => a.offset - b.offset);
      return [index, { offsets: list.map(({ offset }) => offset), entries: list.map(({ entry }) => entry) }];
    }),
  );
}

function stateAt({ offsets, entries }: States, offset: number): string | undefined {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}

/** Compares the states at all instructions and at all inserted code in front of them. */
export function compareUnwinding(comparison: Comparison): void {
  const none: States = { offsets: [], entries: [] };
  const [before, now] = [statesBySection(comparison.old), statesBySection(comparison.new)];
  for (const [section, { old, new: after, destinations }] of comparison.paired) {
    const [ours, theirs] = [now.get(section) ?? none, before.get(section) ?? none];
    for (let number = 0; number < old.starts.length - 1; number += 1) {
      const expected = stateAt(theirs, old.starts[number]!);
      for (const offset of [destinations[number]!, after.starts[number]!]) {
        if (stateAt(ours, offset) !== expected) {
          comparison.complain(old.section.name, offset, "another state of the stack than in the original");
        }
      }
    }
    compareInReplaced(comparison, section, theirs, ours);
  }
}

/** Compares the states within code that the kernel replaces, which hold for what may stand there. */
function compareInReplaced(comparison: Comparison, section: number, theirs: States, ours: States): void {
  for (const [start, end] of comparison.replaced.get(section) ?? []) {
    for (let offset = start; offset < end; offset += 1) {
      const place = expectedOffset(comparison, section, offset, true);
      if (place !== undefined && stateAt(ours, place) !== stateAt(theirs, offset)) {
        comparison.complain(comparison.paired.get(section)!.old.section.name, place, "another state of replaced code");
      }
    }
  }
}

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
  const sizeOf = (name: string) => comparison.new.elf.section(name)?.size_bytes ?? 0;
  const places = comparison.new.relocations.count(comparison.new.elf.section(".orc_unwind_ip")?.index ?? -1);
  if (sizeOf(".orc_unwind_ip") !== 4 * places || sizeOf(".orc_unwind") !== 6 * places) {
    comparison.complain(".orc_unwind_ip", 0, "not one state for each place");
  }
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

/** An instruction at a section's end that serves one of the driver's, with its words on the stack. */
export interface TailInstruction {
  section: number;
  offset: number;
  /** The offset of the instruction that is served. */
  serves: number;
  pushed_bytes: number;
}

/** Compares the states in the tail: that of the instruction served, with what was pushed. */
export function compareTail(comparison: Comparison, instructions: readonly TailInstruction[]): void {
  const now = statesBySection(comparison.new);
  for (const { section, offset, serves, pushed_bytes } of instructions) {
    const states = now.get(section) ?? { offsets: [], entries: [] };
    const base = stateAt(states, serves);
    if (base !== undefined && stateAt(states, offset) !== withPushed(base, pushed_bytes)) {
      const { name } = comparison.paired.get(section)!.new.section;
      comparison.complain(name, offset, "a wrong state of the stack in inserted code");
    }
  }
}

/** The state with more on the stack, where it is counted from the stack pointer: register 5 or 9 in the low bits of byte 4. */
function withPushed(entry: string, pushed_bytes: number): string {
  const bytes = Buffer.from(entry, "hex");
  const register = bytes[4]! & 0xf;
  if (register === 5 || register === 9) bytes.writeInt16LE(bytes.readInt16LE(0) + pushed_bytes, 0);
  return bytes.toString("hex");
}

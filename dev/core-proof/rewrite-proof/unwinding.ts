// Compares the unwinder's states (ORC): each instruction, and what is put in front of it, must have the state of the original's.

import type { ReadModule } from "./read-module.js";
import { stableOrder } from "./read-relocations.js";
import { type Comparison, expectedOffset } from "./references.js";

const entry_bytes = 6;

/** The states of one section of code, sorted by offset. */
interface States {
  offsets: Float64Array;
  /** The entries' six bytes, each as one number. */
  entries: Float64Array;
}

const noStates: States = { offsets: new Float64Array(0), entries: new Float64Array(0) };

function statesBySection(module: ReadModule): Map<number, States> {
  const [ips, section] = [module.elf.section(".orc_unwind_ip"), module.elf.section(".orc_unwind")];
  if (ips === undefined || section === undefined) return new Map();
  const content = Buffer.from(module.elf.content(section));
  const places = module.relocations.get(ips.index) ?? [];
  const codeOf = (symbol: number) => module.symbols[symbol]!.section?.index ?? 0;
  const counts = new Map<number, number>();
  for (const { symbol } of places) counts.set(codeOf(symbol), (counts.get(codeOf(symbol)) ?? 0) + 1);
  const columns = () =>
    new Map([...counts].map(([index, count]) => [index, { next: 0, values: new Float64Array(count) }]));
  const [offsets, entries] = [columns(), columns()];
  for (const { offset, symbol, addend } of places) {
    const [ours, theirs] = [offsets.get(codeOf(symbol))!, entries.get(codeOf(symbol))!];
    const at = (offset / 4) * entry_bytes;
    ours.values[ours.next++] = Number(module.symbols[symbol]!.value) + addend;
    const isThere = Number.isInteger(at) && at + entry_bytes <= content.length;
    theirs.values[theirs.next++] = isThere ? content.readUIntLE(at, entry_bytes) : Number.NaN;
  }
  return new Map(
    [...counts.keys()].map((index) => [index, inOrder(offsets.get(index)!.values, entries.get(index)!.values)]),
  );
}

function inOrder(offsets: Float64Array, entries: Float64Array): States {
  const order = stableOrder(offsets);
  return {
    offsets: Float64Array.from(order, (place) => offsets[place]!),
    entries: Float64Array.from(order, (place) => entries[place]!),
  };
}

function stateAt({ offsets, entries }: States, offset: number): number | undefined {
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
  const [before, now] = [statesBySection(comparison.old), statesBySection(comparison.new)];
  const sizeOf = (name: string) => comparison.new.elf.section(name)?.size_bytes ?? 0;
  const places = comparison.new.relocations.get(comparison.new.elf.section(".orc_unwind_ip")?.index ?? -1)?.length ?? 0;
  if (sizeOf(".orc_unwind_ip") !== 4 * places || sizeOf(".orc_unwind") !== 6 * places) {
    comparison.complain(".orc_unwind_ip", 0, "not one state for each place");
  }
  for (const [section, { old, new: after, destinations }] of comparison.paired) {
    const [ours, theirs] = [now.get(section) ?? noStates, before.get(section) ?? noStates];
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

/** Returns a comparison of a state in the tail: it must be that of the instruction served, with what was pushed. */
export function tailComparison(comparison: Comparison): (instruction: TailInstruction) => void {
  const now = statesBySection(comparison.new);
  return ({ section, offset, serves, pushed_bytes }) => {
    const states = now.get(section) ?? noStates;
    const base = stateAt(states, serves);
    if (base === undefined || stateAt(states, offset) === withPushed(base, pushed_bytes)) return;
    const { name } = comparison.paired.get(section)!.new.section;
    comparison.complain(name, offset, "a wrong state of the stack in inserted code");
  };
}

/** The state with more on the stack, where it is counted from the stack pointer: register 5 or 9 in the low bits of byte 4. */
function withPushed(entry: number, pushed_bytes: number): number {
  const register = Math.floor(entry / 2 ** 32) & 0xf;
  if (register !== 5 && register !== 9) return entry;
  const distance = entry & 0xffff;
  return entry - distance + ((distance + pushed_bytes) & 0xffff);
}

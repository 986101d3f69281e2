// Looks from an instruction forward, along all ways, if a status flag is read before it is written. The rewriter's own dataflow goes
// the other way.
import { FlowControl } from "iced-x86";
import type { ReadModule } from "./read-module.js";
import type { Comparison } from "./references.js";

const allFlags = 0x3f;

/** One instruction of the original, and the flags that are still those of the begin. */
interface Step {
  section: number;
  number: number;
  flags: number;
}

/** Answers for the original's instructions. Remembers what it has found to be dead. */
export class DeadFlags {
  readonly #comparison: Comparison;
  readonly #unknown: Map<number, Set<number>>;
  readonly #branches = new Map<number, Map<number, { section: number; offset: number } | "thunk" | "outside">>();
  readonly #dead = new Map<number, Uint8Array>();

  constructor(comparison: Comparison) {
    this.#comparison = comparison;
    this.#unknown = unknownPlaces(comparison);
    for (const [section, { old }] of comparison.paired) this.#dead.set(section, new Uint8Array(old.starts.length));
  }

  /** True if no flag is read on any way from the instruction on, itself included. */
  isDead(section: number, number: number): boolean {
    const seen = new Set<string>();
    const waiting: Step[] = [{ section, number, flags: allFlags }];
    for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
      if (this.#dead.get(step.section)![step.number] === 1) continue;
      const key = `${step.section} ${step.number} ${step.flags}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const next = this.#follow(step);
      if (next === undefined) return false;
      waiting.push(...next);
    }
    this.#dead.get(section)![number] = 1;
    return true;
  }

  /** The steps after one; undefined where a flag is read, or the way isn't known. */
  #follow({ section, number, flags }: Step): Step[] | undefined {
    const { old } = this.#comparison.paired.get(section)!;
    if (number >= old.starts.length - 1) return undefined;
    if (this.#unknown.get(section)?.has(old.starts[number]!) || (old.flagsRead[number]! & flags) !== 0)
      return undefined;
    const flow = old.flows[number]!;
    const ends: number[] = [FlowControl.Call, FlowControl.IndirectCall, FlowControl.Return];
    if (ends.includes(flow)) return [];
    const left = flags & ~old.flagsWritten[number]!;
    if (left === 0) return [];
    const next = { section, number: number + 1, flags: left };
    if (flow === FlowControl.Next || flow === FlowControl.Exception) return [next];
    const isConditional = flow === FlowControl.ConditionalBranch;
    if (!isConditional && flow !== FlowControl.UnconditionalBranch) return undefined;
    const target = this.#target(section, number);
    if (target === "outside") return isConditional ? undefined : [];
    if (target === "thunk") return undefined;
    const found = this.#comparison.paired.get(target.section)?.oldNumber[target.offset] ?? -1;
    if (found < 0) return undefined;
    const jump = { section: target.section, number: found, flags: left };
    return isConditional ? [next, jump] : [jump];
  }

  #target(section: number, number: number): { section: number; offset: number } | "thunk" | "outside" {
    const { old } = this.#comparison.paired.get(section)!;
    let branches = this.#branches.get(section);
    if (branches === undefined) {
      branches = relocatedBranches(this.#comparison.old, section);
      this.#branches.set(section, branches);
    }
    const field = old.starts[number]! + old.distanceFields[number]!;
    const relocated = branches.get(field);
    if (relocated !== undefined) return relocated;
    const end = old.starts[number]! + old.lengths[number]!;
    const view = new DataView(old.bytes.buffer, old.bytes.byteOffset, old.bytes.byteLength);
    return { section, offset: end + (end - field === 1 ? view.getInt8(field) : view.getInt32(field, true)) };
  }
}

/** The targets of relocations, as those of branches, by the place of the distance. */
function relocatedBranches(module: ReadModule, section: number) {
  const found = new Map<number, { section: number; offset: number } | "thunk" | "outside">();
  for (const { offset, symbol, addend } of module.relocations.get(section) ?? []) {
    const { section: code, value, name } = module.symbols[symbol]!;
    if (code === undefined) found.set(offset, name.startsWith("__x86_indirect") ? "thunk" : "outside");
    else found.set(offset, { section: code.index, offset: Number(value) + addend + 4 });
  }
  return found;
}

/** The places where the bytes don't tell: replaced code, jump labels, and instructions that continue elsewhere after a fault. */
function unknownPlaces({ old, paired, replaced }: Comparison): Map<number, Set<number>> {
  const found = new Map([...paired.keys()].map((section) => [section, new Set<number>()]));
  for (const [section, ranges] of replaced) {
    for (const [start, end] of ranges) for (let at = start; at < end; at += 1) found.get(section)?.add(at);
  }
  for (const [name, entry_bytes] of [
    ["__jump_table", 16],
    ["__ex_table", 12],
  ] as const) {
    for (const { offset, symbol, addend } of old.relocations.get(old.elf.section(name)?.index ?? -1) ?? []) {
      const { section, value } = old.symbols[symbol]!;
      if (offset % entry_bytes === 0) found.get(section?.index ?? -1)?.add(Number(value) + addend);
    }
  }
  return found;
}

// The unwinder's table (ORC): entries for inserted code at a section's end. Entries for what stands in front of an instruction are
// the instruction's own, whose place moved to the inserted code.
import { concatBytes } from "../base/bytes.js";
import { RelocationType } from "../elf/layout.js";
import type { Relocations } from "../elf/relocations.js";
import { orcEntry } from "./code-tables.js";
import type { TailState } from "./instrumentation.js";
import { type CodeSection, codeReference, type ModuleCode } from "./module-code.js";
import { RewriteRefusal } from "./refusal.js";

/** arch/x86/include/asm/orc_types.h: ORC_REG_SP and ORC_REG_SP_INDIRECT, by which a frame is found from the stack pointer. */
const stackPointer = 5;
const stackPointerIndirect = 9;

/** The table's entries for one section of code, sorted by their places. */
interface SectionStates {
  offsets: Float64Array;
  entries: Uint8Array[];
}

export interface OrcAdditions {
  entries: Uint8Array;
  relocations: Relocations;
}

/** Makes entries for `states`, by section. `symbols` are numbers of the sections' symbols. `ip_bytes` is the table's old length. */
export function orcAdditions(
  module: ModuleCode,
  states: { code: CodeSection; states: readonly TailState[]; symbol: number }[],
  ip_bytes: number,
): OrcAdditions {
  const entries: Uint8Array[] = [];
  const places: { symbol: number; offset: number }[] = [];
  for (const { code, states: wanted, symbol } of states) {
    if (wanted.length === 0) continue;
    const known = statesOf(module, code);
    let last: Uint8Array | undefined;
    for (const { offset, instruction, pushed_bytes } of wanted) {
      const entry = stateAt(known, code.sweep.starts[instruction]!);
      if (entry === undefined) continue;
      const state = pushed_bytes === 0 ? entry : withPushed(module, entry, pushed_bytes);
      // an entry holds until the next one
      if (last !== undefined && state.every((byte, at) => byte === last?.[at])) continue;
      last = state;
      entries.push(state);
      places.push({ symbol, offset });
    }
  }
  return {
    entries: concatBytes(entries),
    relocations: {
      offsets: Uint32Array.from(places, (_, place) => ip_bytes + 4 * place),
      types: new Uint32Array(places.length).fill(RelocationType.relative32),
      symbols: Uint32Array.from(places, ({ symbol }) => symbol),
      addends: Float64Array.from(places, ({ offset }) => offset),
    },
  };
}

function statesOf(module: ModuleCode, code: CodeSection): SectionStates {
  const ips = module.elf.section(".orc_unwind_ip");
  const section = module.elf.section(".orc_unwind");
  const table = ips === undefined ? undefined : module.relocations[ips.index];
  if (section === undefined || table === undefined) return { offsets: new Float64Array(0), entries: [] };
  const content = module.elf.content(section);
  if ((content.length / orcEntry.size_bytes) * 4 !== ips!.size_bytes) {
    throw new RewriteRefusal(module.elf.file, section.name, 0, "not as many states as .orc_unwind_ip has places");
  }
  const found: { offset: number; entry: Uint8Array }[] = [];
  for (let entry = 0; entry < table.entries.offsets.length; entry += 1) {
    const place = codeReference(module, table.entries, entry);
    if (place?.code !== code) continue;
    const start = (table.entries.offsets[entry]! / 4) * orcEntry.size_bytes;
    found.push({ offset: place.offset, entry: content.subarray(start, start + orcEntry.size_bytes) });
  }
  found.sort((a, b) => a.offset - b.offset);
  return { offsets: Float64Array.from(found, ({ offset }) => offset), entries: found.map(({ entry }) => entry) };
}

/** Finds the last entry at or before `offset`. */
function stateAt({ offsets, entries }: SectionStates, offset: number): Uint8Array | undefined {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}

/** Returns the state with more on the stack. */
function withPushed({ elf }: ModuleCode, entry: Uint8Array, pushed_bytes: number): Uint8Array {
  const bytes = new Uint8Array(entry);
  const register = bytes[4]! & 0xf;
  // kernels differ in what is added to what
  if (register === stackPointerIndirect)
    throw new RewriteRefusal(elf.file, ".orc_unwind", 0, "a stack that lies at an address on the stack");
  if (register !== stackPointer) return bytes;
  const view = new DataView(bytes.buffer);
  const offset = view.getInt16(0, true) + pushed_bytes;
  if (offset > 0x7fff)
    throw new RewriteRefusal(elf.file, ".orc_unwind", 0, "a stack frame too large for one more word");
  view.setInt16(0, offset, true);
  return bytes;
}

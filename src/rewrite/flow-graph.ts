// A module's code as the dataflow of src/x86 wants it: where each branch leads, over sections, and what can't be told.
import { FlowControl } from "iced-x86";
import { RelocationType } from "../elf/layout.js";
import type { FlowGraph } from "../x86/flag-liveness.js";
import { InstructionKind } from "../x86/sweep.js";
import { jumpEntry } from "./code-tables.js";
import { type CodeSection, codeReference, instructionAround, type ModuleCode } from "./module-code.js";

/** Jumps to these go wherever a register says; calls of them come back. */
const indirectJump = /^__x86_indirect_/;

/** Makes the graph of all code that isn't fixed: one part for each section, by the section's number. */
export function flowGraph(module: ModuleCode): Map<number, FlowGraph> {
  const parts = new Map<number, FlowGraph>();
  let first = 0;
  for (const code of module.code) {
    if (code === undefined || code.isFixed) continue;
    const { sweep, isReplaced, section } = code;
    const targets = new Int32Array(sweep.count).fill(-1);
    const keepsRegisters = new Uint8Array(sweep.count);
    parts.set(section.index, { sweep, first, targets, isOpaque: Uint8Array.from(isReplaced), keepsRegisters });
    first += sweep.count;
  }
  for (const code of module.code) {
    const part = code === undefined ? undefined : parts.get(code.section.index);
    if (code === undefined || part === undefined) continue;
    addOwnTargets(code, part);
    addRelocatedTargets(module, code, part, parts);
  }
  markSites(module, parts);
  return parts;
}

/** Fills in the targets that the instructions' own distances tell. */
function addOwnTargets({ sweep, content, instructionAt }: CodeSection, { targets, first }: FlowGraph): void {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (let number = 0; number < sweep.count; number += 1) {
    const kind = sweep.kinds[number]!;
    if (kind === InstructionKind.plain || kind === InstructionKind.ipRelative) continue;
    const end = sweep.starts[number]! + sweep.lengths[number]!;
    const distance = kind === InstructionKind.near ? view.getInt32(end - 4, true) : view.getInt8(end - 1);
    const target = instructionAt[end + distance] ?? -1;
    if (target >= 0 && target < sweep.count) targets[number] = first + target;
  }
}

/** Corrects the targets that relocations tell. */
function addRelocatedTargets(
  module: ModuleCode,
  code: CodeSection,
  { targets, isOpaque, keepsRegisters }: FlowGraph,
  parts: Map<number, FlowGraph>,
): void {
  const entries = module.relocations[code.section.index]?.entries;
  if (entries === undefined) return;
  for (let entry = 0; entry < entries.offsets.length; entry += 1) {
    const offset = entries.offsets[entry]!;
    if (entries.types[entry] === RelocationType.none || offset >= code.content.length) continue;
    const number = instructionAround(code, offset);
    if (code.sweep.kinds[number] !== InstructionKind.near) continue;
    targets[number] = -1;
    const place = codeReference(module, entries, entry);
    if (place === undefined) {
      const isCall = code.sweep.flows[number] === FlowControl.Call;
      const { name } = module.symbols[entries.symbols[entry]!]!;
      if (!isCall && indirectJump.test(name)) isOpaque[number] = 1;
      if (name === "__fentry__") keepsRegisters[number] = 1;
      continue;
    }
    // a branch's distance ends it, four bytes behind its begin
    const target = place.code.instructionAt[place.offset + 4] ?? -1;
    const part = parts.get(place.code.section.index);
    if (part === undefined || target < 0 || target >= part.sweep.count) isOpaque[number] = 1;
    else targets[number] = part.first + target;
  }
}

/** Marks the instructions that may become jumps, or continue elsewhere after a fault. */
function markSites(module: ModuleCode, parts: Map<number, FlowGraph>): void {
  for (const [name, entry_bytes] of [
    ["__jump_table", jumpEntry.size_bytes],
    ["__ex_table", 12],
  ] as const) {
    const section = module.elf.section(name);
    const entries = section === undefined ? undefined : module.relocations[section.index]?.entries;
    if (entries === undefined) continue;
    for (let entry = 0; entry < entries.offsets.length; entry += 1) {
      if (entries.offsets[entry]! % entry_bytes !== 0) continue;
      const place = codeReference(module, entries, entry);
      const part = place === undefined ? undefined : parts.get(place.code.section.index);
      const number = place?.code.instructionAt[place.offset] ?? -1;
      if (part !== undefined && number >= 0 && number < part.sweep.count) part.isOpaque[number] = 1;
    }
  }
}

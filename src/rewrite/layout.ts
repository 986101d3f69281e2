// The place of each instruction in the new section: after what is put in front of it, and after short jumps whose targets moved out
// of reach became long ones. Functions keep their alignment.
import { InstructionKind } from "../x86/sweep.js";
import { jumpEntry } from "./code-tables.js";
import { type CodeSection, codeReference, type ModuleCode } from "./module-code.js";
import { RewriteRefusal } from "./refusal.js";

/** Alignment of functions: GCC's -falign-functions=16 on x86-64, on which call thunks and patchable entries rely. */
const functionAlignment_bytes = 16;

/** The room that is wanted in one section of code. */
export interface InsertedRoom {
  /** Each instruction: bytes to be put in front of it, 0 for none. A jump to the instruction then goes to them. */
  before_bytes: Uint8Array;
  /** Bytes at the section's end, reached only from the inserted code. */
  tail_bytes: number;
}

/**
 * The new places of one section's instructions.
 *
 *     | … | padding | inserted | instruction | inserted | instruction | … | tail |
 *                   ^          ^
 *            destination     starts[n]
 */
export interface SectionLayout {
  /** New offset of each instruction's first byte; one more for the end of the last. */
  starts: Uint32Array;
  before_bytes: Uint8Array;
  lengths: Uint8Array;
  /** Offset of the tail. */
  tail: number;
  size_bytes: number;
}

/** Returns the place that a jump to an instruction goes to: what is put in front of it. */
export function destinationOf({ starts, before_bytes }: SectionLayout, instruction: number): number {
  return starts[instruction]! - (before_bytes[instruction] ?? 0);
}

/** The prefixes in front of a conditional jump that tell the processor which way it mostly goes. */
const branchHints: readonly number[] = [0x2e, 0x3e];

/** A two-byte instruction that the kernel turns into a jump and back: jump labels, arch/x86/kernel/jump_label.c. */
interface ShortJumpLabel {
  instruction: number;
  target: number;
}

/** Lays one section out. Throws RewriteRefusal for a short jump that can't become a long one. */
export function layOut(module: ModuleCode, code: CodeSection, room: InsertedRoom | undefined): SectionLayout {
  const { sweep } = code;
  const lengths = sweep.lengths.slice(0, sweep.count);
  const before_bytes = room?.before_bytes ?? new Uint8Array(sweep.count);
  const starts = new Uint32Array(sweep.count + 1);
  const aligned = alignedInstructions(module, code);
  const labels = shortJumpLabels(module, code);
  const jumps = shortJumps(module, code);
  const layout = { starts, before_bytes, lengths, tail: 0, size_bytes: 0 };
  do {
    layout.tail = place(layout, aligned);
  } while (widen(module, code, layout, jumps, labels));
  layout.size_bytes = layout.tail + (room?.tail_bytes ?? 0);
  return layout;
}

/** Computes the starts from the lengths. Returns the end. */
function place({ starts, before_bytes, lengths }: SectionLayout, aligned: Uint8Array): number {
  let at = 0;
  for (let number = 0; number < lengths.length; number += 1) {
    if (aligned[number] === 1) at = (at + functionAlignment_bytes - 1) & -functionAlignment_bytes;
    at += before_bytes[number]!;
    starts[number] = at;
    at += lengths[number]!;
  }
  starts[lengths.length] = at;
  return at;
}

/** Lengthens what doesn't reach its target. Returns true if there was any. */
function widen(
  module: ModuleCode,
  code: CodeSection,
  layout: SectionLayout,
  jumps: readonly ShortJumpLabel[],
  labels: readonly ShortJumpLabel[],
): boolean {
  const { sweep, isReplaced, isFixed, section } = code;
  let isChanged = false;
  for (const list of [jumps, labels]) {
    for (const { instruction, target } of list) {
      if (layout.lengths[instruction] !== sweep.lengths[instruction]) continue;
      const end = layout.starts[instruction]! + sweep.lengths[instruction]!;
      const distance = destinationOf(layout, target) - end;
      if (distance >= -128 && distance <= 127) continue;
      const offset = sweep.starts[instruction]!;
      if (isReplaced[instruction] === 1 || isFixed || !hasLongForm(code, instruction)) {
        const reason = "a short jump that can't be lengthened, and its target moves out of reach";
        throw new RewriteRefusal(module.elf.file, section.name, offset, reason);
      }
      layout.lengths[instruction] = widenedLength(module, code, instruction);
      isChanged = true;
    }
  }
  return isChanged;
}

/** True for the two bytes of a short jump, and for a conditional one with a hint for the processor, which stays in front. */
function hasLongForm({ sweep, content }: CodeSection, instruction: number): boolean {
  const length = sweep.lengths[instruction];
  if (length === 2) return true;
  const isConditional = sweep.kinds[instruction] === InstructionKind.shortConditional;
  return length === 3 && isConditional && branchHints.includes(content[sweep.starts[instruction]!]!);
}

function widenedLength({ elf }: ModuleCode, { sweep, section }: CodeSection, instruction: number): number {
  switch (sweep.kinds[instruction]) {
    case InstructionKind.shortConditional:
      return sweep.lengths[instruction]! + 4;
    case InstructionKind.shortJump:
    // a jump label's empty instruction
    case InstructionKind.plain:
      return 5;
    default: {
      const reason = "a loop or jump on rcx, which has no long form, and its target moves out of reach";
      throw new RewriteRefusal(elf.file, section.name, sweep.starts[instruction]!, reason);
    }
  }
}

/** The instructions whose alignment is kept: functions, and what is counted back from them. */
function alignedInstructions(module: ModuleCode, code: CodeSection): Uint8Array {
  const aligned = new Uint8Array(code.sweep.count);
  const mark = (offset: number) => {
    const number = code.instructionAt[offset] ?? -1;
    if (offset % functionAlignment_bytes === 0 && number >= 0 && number < aligned.length) aligned[number] = 1;
  };
  for (const { section, value } of module.symbols) if (section === code.section) mark(Number(value));
  const entries = module.elf.section("__patchable_function_entries");
  const table = entries === undefined ? undefined : module.relocations[entries.index];
  for (let entry = 0; entry < (table?.entries.offsets.length ?? 0); entry += 1) {
    const place = codeReference(module, table!.entries, entry);
    if (place?.code === code) mark(place.offset);
  }
  return aligned;
}

/** The section's own short jumps. */
function shortJumps({ elf }: ModuleCode, code: CodeSection): ShortJumpLabel[] {
  const { sweep, content, instructionAt, section } = code;
  const found: ShortJumpLabel[] = [];
  for (let number = 0; number < sweep.count; number += 1) {
    const kind = sweep.kinds[number]!;
    if (kind < InstructionKind.shortConditional || kind > InstructionKind.shortLoop) continue;
    const end = sweep.starts[number]! + sweep.lengths[number]!;
    const target = instructionAt[end + ((content[end - 1]! << 24) >> 24)] ?? -1;
    if (target < 0) {
      throw new RewriteRefusal(elf.file, section.name, sweep.starts[number]!, "a jump into an instruction's middle");
    }
    found.push({ instruction: number, target });
  }
  return found;
}

/** The jump labels of two bytes whose instruction is none now: their target is in the table alone. */
function shortJumpLabels(module: ModuleCode, code: CodeSection): ShortJumpLabel[] {
  const section = module.elf.section("__jump_table");
  const table = section === undefined ? undefined : module.relocations[section.index];
  if (table === undefined) return [];
  const found: ShortJumpLabel[] = [];
  const sites = new Map<number, { instruction: number; target: number | undefined }>();
  const { entries } = table;
  for (let entry = 0; entry < entries.offsets.length; entry += 1) {
    const place = codeReference(module, entries, entry);
    if (place?.code !== code) continue;
    const offset = entries.offsets[entry]!;
    const start = offset - (offset % jumpEntry.size_bytes);
    const site = sites.get(start) ?? { instruction: -1, target: undefined };
    const number = code.instructionAt[place.offset] ?? -1;
    if (offset - start === jumpEntry.code) site.instruction = number;
    else if (offset - start === jumpEntry.target) site.target = number;
    sites.set(start, site);
  }
  for (const { instruction, target } of sites.values()) {
    const isShort = instruction >= 0 && code.sweep.lengths[instruction] === 2;
    if (!isShort || code.sweep.kinds[instruction] !== InstructionKind.plain) continue;
    if (target === undefined || target < 0) {
      const offset = code.sweep.starts[instruction]!;
      throw new RewriteRefusal(module.elf.file, code.section.name, offset, "a short jump label to another section");
    }
    found.push({ instruction, target });
  }
  return found;
}

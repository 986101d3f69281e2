// The bytes of a section of code in its new layout: instructions, whose distances within the section are made anew, and padding.
import { InstructionKind } from "../x86/sweep.js";
import { destinationOf, type SectionLayout } from "./layout.js";
import { type CodeSection, instructionAround, type ModuleCode } from "./module-code.js";
import { RewriteRefusal } from "./refusal.js";

/** Padding: `nop`. It may be executed where code runs on into the next function, as assembly code does. */
const nop = 0x90;

/** Writes the section's own instructions in their new places; the room for inserted code holds no useful bytes yet. */
export function emitSection(module: ModuleCode, code: CodeSection, layout: SectionLayout): Uint8Array<ArrayBuffer> {
  const { sweep, content } = code;
  const bytes = new Uint8Array(layout.size_bytes).fill(nop);
  const view = new DataView(bytes.buffer);
  const relocated = relocatedFields(module, code);
  for (let number = 0; number < sweep.count; number += 1) {
    const from = sweep.starts[number]!;
    const to = layout.starts[number]!;
    const length = sweep.lengths[number]!;
    if (layout.lengths[number] === length) {
      for (let at = 0; at < length; at += 1) bytes[to + at] = content[from + at]!;
    }
    const kind = sweep.kinds[number]!;
    if (kind === InstructionKind.near || kind === InstructionKind.ipRelative) {
      if (relocated[number] === 1) continue;
      const field = sweep.fields[number]!;
      const distance = content[from + field]! | (content[from + field + 1]! << 8) | (content[from + field + 2]! << 16);
      const target = from + length + (distance | (content[from + field + 3]! << 24));
      const end = to + length;
      view.setInt32(to + field, destination(module, code, layout, number, target) - end, true);
    } else if (kind !== InstructionKind.plain) {
      const target = from + length + ((content[from + length - 1]! << 24) >> 24);
      emitShort(view, code, layout, number, destination(module, code, layout, number, target));
    } else if (layout.lengths[number] !== length) {
      // the empty instruction of a jump label: nopl 0(%rax,%rax,1)
      bytes.set([0x0f, 0x1f, 0x44, 0x00, 0x00], to);
    }
  }
  return bytes;
}

/** Writes a short jump, or the long one that took its place. */
function emitShort(view: DataView, code: CodeSection, layout: SectionLayout, number: number, target: number): void {
  const to = layout.starts[number]!;
  const length = layout.lengths[number]!;
  const distance = target - (to + length);
  if (length === code.sweep.lengths[number]) {
    view.setInt8(to + length - 1, distance);
    return;
  }
  const from = code.sweep.starts[number]!;
  const opcodeAt = code.sweep.lengths[number]! - 2;
  // a hint for the processor
  if (opcodeAt === 1) view.setUint8(to, code.content[from]!);
  if (code.sweep.kinds[number] === InstructionKind.shortJump) {
    view.setUint8(to, 0xe9);
  } else {
    // 0x70 + condition becomes 0x0f 0x80 + condition
    view.setUint8(to + opcodeAt, 0x0f);
    view.setUint8(to + opcodeAt + 1, code.content[from + opcodeAt]! + 0x10);
  }
  view.setInt32(to + length - 4, distance, true);
}

/** Finds the new place of an offset that an instruction refers to by a distance. */
function destination(
  { elf }: ModuleCode,
  code: CodeSection,
  layout: SectionLayout,
  number: number,
  target: number,
): number {
  const found = code.instructionAt[target] ?? -1;
  if (found >= 0) return destinationOf(layout, found);
  const reason = "it refers to what is no instruction's begin in its own section";
  throw new RewriteRefusal(elf.file, code.section.name, code.sweep.starts[number]!, reason);
}

/** Marks the instructions whose distance is a relocation's. */
function relocatedFields(module: ModuleCode, code: CodeSection): Uint8Array {
  const relocated = new Uint8Array(code.sweep.count);
  const table = module.relocations[code.section.index];
  for (const offset of table?.entries.offsets ?? []) {
    if (offset >= code.content.length) continue;
    const number = instructionAround(code, offset);
    if (offset - code.sweep.starts[number]! === code.sweep.fields[number]) relocated[number] = 1;
  }
  return relocated;
}

// The table of sites in a rewritten module: the description of each instruction that leads to the core, decoded ahead of time.
import { Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register } from "iced-x86";
import { assert } from "../base/assert.js";
import { RelocationType } from "../elf/layout.js";
import type { Relocations } from "../elf/relocations.js";
import type { CodeSection } from "./module-code.js";

/** The section that holds the table, and the symbol at its begin. */
export const siteSection = ".mms_sites";
export const siteSymbol = "mms_sites";

/** core/rewritten-site.h: struct mms_rewritten_site. */
export const site_bytes = 40;
export const siteOffset = {
  instruction: 0,
  kind: 4,
  length: 5,
  bytes: 6,
  base: 7,
  displacement: 8,
  immediate: 12,
  index: 16,
  scale: 17,
  reg: 18,
  regBytes: 19,
  regShift: 20,
  jump: 21,
  function: 36,
} as const;

/** core/move.h: enum mms_move_kind; core/rewritten-site.h: enum mms_rewritten_kind. */
export const SiteKind = {
  moveLoad: 1,
  moveLoadSigned: 2,
  moveStoreRegister: 3,
  moveStoreImmediate: 4,
  rewrittenIn: 16,
  rewrittenOut: 17,
  rewrittenInString: 18,
  rewrittenOutString: 19,
  rewrittenCallLoad: 32,
  rewrittenCallLoadSwapped: 33,
  rewrittenCallStore: 34,
  rewrittenCallStoreSwapped: 35,
  rewrittenCallLoads: 36,
  rewrittenCallStores: 37,
  rewrittenCallCopyFrom: 38,
  rewrittenCallCopyTo: 39,
} as const;

/** core/decode.h: MMS_NO_REGISTER. */
const noRegister = 0xff;

const kinds = new Map<Code, number>([
  ...codes(SiteKind.moveStoreRegister, Code.Mov_rm8_r8, Code.Mov_rm16_r16, Code.Mov_rm32_r32, Code.Mov_rm64_r64),
  ...codes(SiteKind.moveLoad, Code.Mov_r8_rm8, Code.Mov_r16_rm16, Code.Mov_r32_rm32, Code.Mov_r64_rm64),
  ...codes(SiteKind.moveLoad, Code.Movzx_r16_rm8, Code.Movzx_r32_rm8, Code.Movzx_r64_rm8),
  ...codes(SiteKind.moveLoad, Code.Movzx_r32_rm16, Code.Movzx_r64_rm16),
  ...codes(SiteKind.moveLoadSigned, Code.Movsx_r16_rm8, Code.Movsx_r32_rm8, Code.Movsx_r64_rm8),
  ...codes(SiteKind.moveLoadSigned, Code.Movsx_r32_rm16, Code.Movsx_r64_rm16, Code.Movsxd_r64_rm32),
  ...codes(SiteKind.moveStoreImmediate, Code.Mov_rm8_imm8, Code.Mov_rm16_imm16, Code.Mov_rm32_imm32),
  ...codes(SiteKind.moveStoreImmediate, Code.Mov_rm64_imm32),
  ...codes(SiteKind.rewrittenIn, Code.In_AL_imm8, Code.In_AX_imm8, Code.In_EAX_imm8),
  ...codes(SiteKind.rewrittenIn, Code.In_AL_DX, Code.In_AX_DX, Code.In_EAX_DX),
  ...codes(SiteKind.rewrittenOut, Code.Out_imm8_AL, Code.Out_imm8_AX, Code.Out_imm8_EAX),
  ...codes(SiteKind.rewrittenOut, Code.Out_DX_AL, Code.Out_DX_AX, Code.Out_DX_EAX),
  ...codes(SiteKind.rewrittenInString, Code.Insb_m8_DX, Code.Insw_m16_DX, Code.Insd_m32_DX),
  ...codes(SiteKind.rewrittenOutString, Code.Outsb_DX_m8, Code.Outsw_DX_m16, Code.Outsd_DX_m32),
]);

function codes(value: number, ...all: Code[]): [Code, number][] {
  return all.map((code) => [code, value]);
}

/** Returns of SiteKind, or undefined for an instruction that the table can't describe. */
export function siteKind(code: Code): number | undefined {
  return kinds.get(code);
}

/** True for an instruction that accesses ports. */
export function isPortKind(kind: number): boolean {
  return kind >= SiteKind.rewrittenIn && kind <= SiteKind.rewrittenOutString;
}

/** A function of the kernel's that accesses a device for its caller: called-functions.ts. */
export interface CalledFunction {
  /** Of SiteKind. */
  kind: number;
  /** Of one access; 0 where the device's address tells it. */
  bytes: number;
  /** The register with the device's address. */
  address: number;
  /** The register with the value, or with the address of the values' memory. */
  value: number;
  /** Of the value in the register; 0 for an address. */
  value_bytes: number;
}

/** A call of one of these functions, or a jump to it at another function's end. */
export interface Call {
  function: CalledFunction;
  /** The number of its symbol. */
  symbol: number;
}

/** The table's part for one section of code. */
export interface SiteTable {
  content: Uint8Array;
  /** Offsets count from the part's begin. */
  relocations: Relocations;
}

/** The instructions of one section that are to be described. */
export interface DescribedCode {
  code: CodeSection;
  /** Their numbers, rising. */
  numbers: readonly number[];
  /** Those of them that are calls, by number. */
  calls: ReadonlyMap<number, Call>;
  /** The new offsets of all of the section's instructions. */
  newStarts: Uint32Array;
  /** The number of the section's own symbol. */
  symbol: number;
}

/** Describes instructions. */
export function describeSites(described: DescribedCode): SiteTable {
  const { code, numbers, calls } = described;
  const content = new Uint8Array(numbers.length * site_bytes);
  const view = new DataView(content.buffer);
  const decoder = new Decoder(64, code.content, DecoderOptions.None);
  const instruction = new Instruction();
  try {
    numbers.forEach((number, place) => {
      const call = calls.get(number);
      if (call !== undefined) {
        describeCall(view, place * site_bytes, code, number, call);
        return;
      }
      decoder.position = code.sweep.starts[number]!;
      decoder.decodeOut(instruction);
      describe(view, place * site_bytes, instruction);
    });
  } finally {
    instruction.free();
    decoder.free();
  }
  return { content, relocations: relocationsOf(described) };
}

/** Makes the relocations: one for each instruction, and behind it one for the function that it calls. */
function relocationsOf({ numbers, calls, newStarts, symbol }: DescribedCode): Relocations {
  const places = numbers.flatMap((number, place) => {
    const start = place * site_bytes;
    const own = { offset: start + siteOffset.instruction, symbol, addend: newStarts[number]! };
    const call = calls.get(number);
    return call === undefined ? [own] : [own, { offset: start + siteOffset.function, symbol: call.symbol, addend: 0 }];
  });
  return {
    offsets: Uint32Array.from(places, ({ offset }) => offset),
    types: new Uint32Array(places.length).fill(RelocationType.relative32),
    symbols: Uint32Array.from(places, (place) => place.symbol),
    addends: Float64Array.from(places, ({ addend }) => addend),
  };
}

function describeCall(view: DataView, at: number, { sweep }: CodeSection, number: number, { function: called }: Call) {
  const put = (offset: number, value: number) => view.setUint8(at + offset, value);
  put(siteOffset.kind, called.kind);
  put(siteOffset.length, sweep.lengths[number]!);
  put(siteOffset.bytes, called.bytes);
  put(siteOffset.base, called.address);
  put(siteOffset.index, noRegister);
  put(siteOffset.reg, called.value);
  put(siteOffset.regBytes, called.value_bytes);
  put(siteOffset.jump, Number(sweep.flows[number] === FlowControl.UnconditionalBranch));
}

function describe(view: DataView, at: number, instruction: Instruction): void {
  const kind = kinds.get(instruction.code);
  assert(kind !== undefined, "only instructions of a known kind are described");
  const put = (offset: number, value: number) => view.setUint8(at + offset, value);
  put(siteOffset.kind, kind);
  put(siteOffset.length, instruction.length);
  put(siteOffset.base, noRegister);
  put(siteOffset.index, noRegister);
  if (isPortKind(kind)) {
    describePort(put, kind, instruction);
    if (instruction.op0Kind === OpKind.Immediate8 || instruction.op1Kind === OpKind.Immediate8) {
      view.setInt32(at + siteOffset.immediate, instruction.immediate8, true);
    }
    return;
  }
  put(siteOffset.bytes, memory_bytes(instruction));
  put(siteOffset.base, instruction.memoryBase - Register.RAX);
  if (instruction.memoryIndex !== Register.None) put(siteOffset.index, instruction.memoryIndex - Register.RAX);
  put(siteOffset.scale, instruction.memoryIndexScale);
  view.setInt32(at + siteOffset.displacement, Number(BigInt.asIntN(32, instruction.memoryDisplacement)), true);
  if (kind === SiteKind.moveStoreImmediate) {
    view.setInt32(at + siteOffset.immediate, immediateOf(instruction), true);
    return;
  }
  const { number, width_bytes, shift } = registerParts(
    kind === SiteKind.moveStoreRegister ? instruction.op1Register : instruction.op0Register,
  );
  put(siteOffset.reg, number);
  put(siteOffset.regBytes, width_bytes);
  put(siteOffset.regShift, shift);
}

function describePort(put: (offset: number, value: number) => void, kind: number, instruction: Instruction): void {
  const isIn = kind === SiteKind.rewrittenIn || kind === SiteKind.rewrittenInString;
  const isString = kind === SiteKind.rewrittenInString || kind === SiteKind.rewrittenOutString;
  const dx = isIn ? instruction.op1Register : instruction.op0Register;
  if (dx === Register.DX) put(siteOffset.base, 2);
  if (isString) {
    put(siteOffset.bytes, memory_bytes(instruction));
    put(siteOffset.scale, Number(instruction.hasRepPrefix || instruction.hasRepnePrefix));
    return;
  }
  const { width_bytes } = registerParts(isIn ? instruction.op0Register : instruction.op1Register);
  put(siteOffset.bytes, width_bytes);
  put(siteOffset.regBytes, width_bytes);
}

/** Forms whose operand in memory hasn't four bytes. */
const widths = new Map<Code, number>([
  ...codes(1, Code.Mov_rm8_r8, Code.Mov_r8_rm8, Code.Mov_rm8_imm8, Code.Insb_m8_DX, Code.Outsb_DX_m8),
  ...codes(1, Code.Movzx_r16_rm8, Code.Movzx_r32_rm8, Code.Movzx_r64_rm8),
  ...codes(1, Code.Movsx_r16_rm8, Code.Movsx_r32_rm8, Code.Movsx_r64_rm8),
  ...codes(2, Code.Mov_rm16_r16, Code.Mov_r16_rm16, Code.Mov_rm16_imm16, Code.Insw_m16_DX, Code.Outsw_DX_m16),
  ...codes(2, Code.Movzx_r32_rm16, Code.Movzx_r64_rm16, Code.Movsx_r32_rm16, Code.Movsx_r64_rm16),
  ...codes(8, Code.Mov_rm64_r64, Code.Mov_r64_rm64, Code.Mov_rm64_imm32),
]);

function memory_bytes({ code }: Instruction): number {
  return widths.get(code) ?? 4;
}

function immediateOf(instruction: Instruction): number {
  const kind = instruction.op1Kind;
  if (kind === OpKind.Immediate8) return instruction.immediate8;
  if (kind === OpKind.Immediate16) return instruction.immediate16;
  if (kind === OpKind.Immediate32) return instruction.immediate32 | 0;
  return Number(BigInt.asIntN(32, instruction.immediate32to64));
}

/** Splits a general register of any width into its number in machine code, its width, and the place of its lowest bit. */
function registerParts(register: Register): { number: number; width_bytes: number; shift: number } {
  if (register >= Register.AH && register <= Register.BH)
    return { number: register - Register.AH, width_bytes: 1, shift: 8 };
  // iced has the four high bytes between bl and spl
  if (register >= Register.SPL && register < Register.AX)
    return { number: register - Register.SPL + 4, width_bytes: 1, shift: 0 };
  if (register < Register.AH) return { number: register - Register.AL, width_bytes: 1, shift: 0 };
  if (register < Register.EAX) return { number: register - Register.AX, width_bytes: 2, shift: 0 };
  if (register < Register.RAX) return { number: register - Register.EAX, width_bytes: 4, shift: 0 };
  return { number: register - Register.RAX, width_bytes: 8, shift: 0 };
}

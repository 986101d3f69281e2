// Decodes a section of code from its first byte to its last, instruction after instruction, into columns. Compilers and assemblers
// of the kernel put no data between instructions; where some do, a byte that is no instruction ends the sweep.
import { Code, Decoder, DecoderOptions, Instruction, OpKind, Register } from "iced-x86";

/** The kinds of instructions whose bytes depend on the place where they stand, and all others. */
export const InstructionKind = {
  plain: 0,
  /** Conditional jump with a displacement of one byte. */
  shortConditional: 1,
  /** Unconditional jump with a displacement of one byte. */
  shortJump: 2,
  /** Loop, or a jump on rcx: there is no longer form. */
  shortLoop: 3,
  /** Jump, call or xbegin with a displacement of four bytes at its end. */
  near: 4,
  /** An operand in memory, addressed by a displacement of four bytes from the instruction's end. */
  ipRelative: 5,
} as const;

/**
 * Instructions that may leave all flags as they are, which iced's bits don't say: a shift by CL where that is 0, and a comparison of
 * strings that is repeated 0 times.
 */
const maybeKeepFlags = new Set(
  Object.entries(Code)
    .filter(([name]) => /_CL$|^(?:Cmps|Scas)[bwdq]_[^_]+_m\d+$/.test(name))
    .map(([, code]) => code as Code),
);

/** The instructions of one section in their order: instruction n is in place n of each column. */
export interface Sweep {
  count: number;
  /** Offsets in the section. */
  starts: Uint32Array;
  lengths: Uint8Array;
  /** Of InstructionKind. */
  kinds: Uint8Array;
  /** Offset of the displacement in the instruction, for `near` and `ipRelative`. */
  fields: Uint8Array;
  /** iced's Code. */
  codes: Uint16Array;
  /** iced's Register, the base of the operand in memory; 0 for none. */
  bases: Uint8Array;
  /** iced's Register, the operand's index; 0 for none. */
  indexes: Uint8Array;
  /** 1 where one operand lies in memory and the other is a part of the stack pointer. */
  movesStackPointer: Uint8Array;
  /** iced's Register, a segment that a prefix names; 0 for none. */
  segments: Uint8Array;
  /** iced's RflagsBits that are read. */
  flagsRead: Uint16Array;
  /** iced's RflagsBits that are written, cleared, set or undefined afterwards. */
  flagsModified: Uint16Array;
  /** iced's FlowControl. */
  flows: Uint8Array;
}

/** The place where a sweep found no instruction, instead of columns. */
export interface SweepFailure {
  failedAt: number;
}

/** Decodes all of `bytes`. */
export function sweepCode(bytes: Uint8Array): Sweep | SweepFailure {
  const columns = emptySweep(bytes.length);
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  try {
    let at = 0;
    while (at < bytes.length) {
      decoder.decodeOut(instruction);
      const kind = kindOf(instruction);
      if (kind === undefined) return { failedAt: at };
      const place = columns.count;
      const length = instruction.length;
      columns.starts[place] = at;
      columns.lengths[place] = length;
      columns.kinds[place] = kind;
      columns.fields[place] = fieldOf(decoder, instruction, kind, length);
      columns.codes[place] = instruction.code;
      columns.bases[place] = instruction.memoryBase;
      columns.indexes[place] = instruction.memoryIndex;
      columns.segments[place] = instruction.segmentPrefix;
      if (instruction.memoryBase !== Register.None)
        columns.movesStackPointer[place] = Number(movesStackPointer(instruction));
      columns.flagsRead[place] = instruction.rflagsRead;
      columns.flagsModified[place] = maybeKeepFlags.has(instruction.code) ? 0 : instruction.rflagsModified;
      columns.flows[place] = instruction.flowControl;
      columns.count += 1;
      at += length;
    }
  } finally {
    instruction.free();
    decoder.free();
  }
  return columns;
}

const stackPointers = new Set<Register>([Register.SPL, Register.SP, Register.ESP, Register.RSP]);

function movesStackPointer({ op0Register, op1Register }: Instruction): boolean {
  return stackPointers.has(op0Register) || stackPointers.has(op1Register);
}

/** Makes columns for as many instructions as there can be; memory that is never written costs nothing. */
function emptySweep(countMax: number): Sweep {
  return {
    count: 0,
    starts: new Uint32Array(countMax),
    lengths: new Uint8Array(countMax),
    kinds: new Uint8Array(countMax),
    fields: new Uint8Array(countMax),
    codes: new Uint16Array(countMax),
    bases: new Uint8Array(countMax),
    indexes: new Uint8Array(countMax),
    movesStackPointer: new Uint8Array(countMax),
    segments: new Uint8Array(countMax),
    flagsRead: new Uint16Array(countMax),
    flagsModified: new Uint16Array(countMax),
    flows: new Uint8Array(countMax),
  };
}

/** Returns undefined for bytes that are no instruction, or a branch that no 64-bit code makes. */
function kindOf(instruction: Instruction): number | undefined {
  if (instruction.code === Code.INVALID) return undefined;
  switch (instruction.op0Kind) {
    case OpKind.NearBranch16:
    case OpKind.NearBranch32:
      return undefined;
    case OpKind.NearBranch64:
      if (instruction.isJccShort) return InstructionKind.shortConditional;
      if (instruction.isJmpShort) return InstructionKind.shortJump;
      if (instruction.isJcxShort || instruction.isLoop || instruction.isLoopcc) return InstructionKind.shortLoop;
      return InstructionKind.near;
    default:
      break;
  }
  const base = instruction.memoryBase;
  // a truncated instruction pointer as a base: nobody writes that
  if (base === Register.EIP) return undefined;
  return base === Register.RIP ? InstructionKind.ipRelative : InstructionKind.plain;
}

/** Finds where the displacement stands in an instruction whose displacement counts from its end. */
function fieldOf(decoder: Decoder, instruction: Instruction, kind: number, length: number): number {
  if (kind === InstructionKind.near) return length - 4;
  if (kind !== InstructionKind.ipRelative) return 0;
  const offsets = decoder.getConstantOffsets(instruction);
  const field = offsets.displacementOffset;
  offsets.free();
  return field;
}

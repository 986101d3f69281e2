// A module's file as the proof of the rewriter reads it: from the file's bytes with iced-x86, and with nothing of the rewriter.
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction, OpKind, Register } from "iced-x86";
import { ElfFile, type ElfSection, type ElfSymbol } from "../../../src/elf/elf-file.js";
import { ReadRelocations } from "./read-relocations.js";

/** One section of code, decoded. */
export interface ReadCode {
  section: ElfSection;
  bytes: Uint8Array;
  /** The bytes again, for numbers. */
  view: DataView;
  /** Offsets of the instructions, and of the end. */
  starts: Uint32Array;
  lengths: Uint8Array;
  /** The offset of a distance in each instruction, and whether it is one of a branch; 0 for none. */
  distanceFields: Uint8Array;
  isBranch: Uint8Array;
  /** The base of the operand in memory, the status flags that are read and written, and the flow of control, as iced has them. */
  bases: Uint8Array;
  flagsRead: Uint8Array;
  flagsWritten: Uint8Array;
  flows: Uint8Array;
}

export interface ReadModule {
  elf: ElfFile;
  symbols: ElfSymbol[];
  code: Map<number, ReadCode>;
  /** By number of the section that they change. */
  relocations: Map<number, ReadRelocations>;
}

/** A range of code that isn't to be decoded. */
interface SkippedRange {
  offset: number;
  length_bytes: number;
}

const executable = 0x6n;
const typeBits = 1;
const typeRelocations = 4;

/** Reads a module. `skip` holds the ranges of code that aren't to be decoded, by section name, sorted by offset. */
export function readModule(
  file: string,
  bytes: Uint8Array,
  skip: ReadonlyMap<string, readonly SkippedRange[]>,
): ReadModule {
  const elf = new ElfFile(file, bytes);
  const code = new Map<number, ReadCode>();
  const relocations = new Map<number, ReadRelocations>();
  for (const section of elf.sections) {
    if (section.type === typeBits && (section.flags & executable) === executable && section.size_bytes > 0) {
      code.set(section.index, decode(elf, section, skip.get(section.name) ?? []));
    } else if (section.type === typeRelocations) {
      relocations.set(section.info, new ReadRelocations(elf.content(section)));
    }
  }
  return { elf, symbols: elf.symbols(), code, relocations };
}

/** Decodes a section but for the ranges in `skip`. An undecodable byte is an instruction of one byte. */
function decode(elf: ElfFile, section: ElfSection, skip: readonly SkippedRange[]): ReadCode {
  const bytes = elf.content(section);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const columns = () => new Uint8Array(bytes.length);
  const code: ReadCode = {
    ...{ section, bytes, view, starts: new Uint32Array(bytes.length + 1), lengths: columns() },
    ...{ distanceFields: columns(), isBranch: columns(), bases: columns() },
    ...{ flagsRead: columns(), flagsWritten: columns(), flows: columns() },
  };
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  let [count, range] = [0, 0];
  for (let at = 0; at < bytes.length; ) {
    while ((skip[range]?.offset ?? at) < at) range += 1;
    if (skip[range]?.offset === at) {
      at += skip[range]!.length_bytes;
      range += 1;
      decoder.position = Math.min(at, bytes.length);
      continue;
    }
    decoder.decodeOut(instruction);
    readInstruction(code, count, instruction, decoder);
    code.starts[count] = at;
    count += 1;
    at += instruction.length;
  }
  instruction.free();
  decoder.free();
  code.starts[count] = bytes.length;
  code.starts = code.starts.slice(0, count + 1);
  for (const column of [
    "lengths",
    "distanceFields",
    "isBranch",
    "bases",
    "flagsRead",
    "flagsWritten",
    "flows",
  ] as const)
    code[column] = code[column].slice(0, count);
  return code;
}

function readInstruction(code: ReadCode, number: number, instruction: Instruction, decoder: Decoder): void {
  const length = instruction.length;
  code.lengths[number] = length;
  code.bases[number] = instruction.memoryBase;
  code.flagsRead[number] = instruction.rflagsRead & 0x3f;
  code.flagsWritten[number] = instruction.rflagsModified & 0x3f;
  code.flows[number] = instruction.flowControl;
  if (instruction.op0Kind === OpKind.NearBranch64) {
    code.isBranch[number] = 1;
    const isShort = instruction.isJccShort || instruction.isJmpShort || instruction.isJcxShort;
    code.distanceFields[number] = isShort || instruction.isLoop || instruction.isLoopcc ? length - 1 : length - 4;
  } else if (instruction.memoryBase === Register.RIP) {
    const offsets = decoder.getConstantOffsets(instruction);
    code.distanceFields[number] = offsets.displacementOffset;
    offsets.free();
  }
}

/** Prints instructions of one section. */
export class Disassembler {
  readonly #decoder: Decoder;
  readonly #formatter = new Formatter(FormatterSyntax.Nasm);
  readonly #instruction = new Instruction();

  constructor(bytes: Uint8Array) {
    this.#decoder = new Decoder(64, bytes, DecoderOptions.None);
  }

  /** Formats the bytes between two offsets as instructions, with their distances from the first. */
  lines(from: number, to: number): { offset: number; text: string }[] {
    const found = [];
    this.#decoder.position = from;
    this.#decoder.ip = BigInt(from);
    for (let at = from; at < to; at += this.#instruction.length) {
      this.#decoder.decodeOut(this.#instruction);
      const isCut = at + this.#instruction.length > to;
      found.push({ offset: at - from, text: isCut ? "(cut)" : this.#formatter.format(this.#instruction) });
    }
    return found;
  }

  free(): void {
    this.#decoder.free();
    this.#formatter.free();
    this.#instruction.free();
  }
}

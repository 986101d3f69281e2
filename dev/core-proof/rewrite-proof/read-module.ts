// A module's file as the proof of the rewriter reads it: from the file's bytes with iced-x86, and with nothing of the rewriter.
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction, OpKind, Register } from "iced-x86";
import { ElfFile, type ElfSection, type ElfSymbol } from "../../../src/elf/elf-file.js";

/** One section of code, decoded. */
export interface ReadCode {
  section: ElfSection;
  bytes: Uint8Array;
  /** Offsets of the instructions, and of the end. */
  starts: number[];
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

/** Relocations of one section, by number of the section. */
export interface ReadRelocation {
  offset: number;
  type: number;
  symbol: number;
  addend: number;
}

export interface ReadModule {
  elf: ElfFile;
  symbols: ElfSymbol[];
  code: Map<number, ReadCode>;
  relocations: Relocations;
}

/** The relocations by the number of the section that they change. They are read anew at each use: those of a large module fill memory. */
export class Relocations {
  readonly #contents = new Map<number, Uint8Array>();

  set(section: number, content: Uint8Array): void {
    this.#contents.set(section, content);
  }

  get(section: number): ReadRelocation[] | undefined {
    const content = this.#contents.get(section);
    return content === undefined ? undefined : relocationsIn(content);
  }

  /** Returns the number of a section's relocations. */
  count(section: number): number {
    return (this.#contents.get(section)?.length ?? 0) / relocation_bytes;
  }

  *[Symbol.iterator](): Generator<[number, ReadRelocation[]]> {
    for (const [section, content] of this.#contents) yield [section, relocationsIn(content)];
  }
}

const executable = 0x6n;
const typeBits = 1;
const typeRelocations = 4;
const relocation_bytes = 24;

/** Reads a module. `skip` holds the ranges of code that aren't to be decoded, by section name: offset → length. */
export function readModule(file: string, bytes: Uint8Array, skip: Map<string, Map<number, number>>): ReadModule {
  const elf = new ElfFile(file, bytes);
  const code = new Map<number, ReadCode>();
  const relocations = new Relocations();
  for (const section of elf.sections) {
    if (section.type === typeBits && (section.flags & executable) === executable && section.size_bytes > 0) {
      code.set(section.index, decode(elf, section, skip.get(section.name)));
    } else if (section.type === typeRelocations) {
      relocations.set(section.info, elf.content(section));
    }
  }
  return { elf, symbols: elf.symbols(), code, relocations };
}

function relocationsIn(content: Uint8Array): ReadRelocation[] {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  return Array.from({ length: content.length / relocation_bytes }, (_, entry) => ({
    offset: Number(view.getBigUint64(relocation_bytes * entry, true)),
    type: view.getUint32(relocation_bytes * entry + 8, true),
    symbol: view.getUint32(relocation_bytes * entry + 12, true),
    addend: Number(view.getBigInt64(relocation_bytes * entry + 16, true)),
  }));
}

/** Decodes a section but for the ranges in `skip`. An undecodable byte is an instruction of one byte. */
function decode(elf: ElfFile, section: ElfSection, skip: Map<number, number> | undefined): ReadCode {
  const bytes = elf.content(section);
  const columns = () => new Uint8Array(bytes.length);
  const code: ReadCode = {
    ...{ section, bytes, starts: [], lengths: columns(), distanceFields: columns(), isBranch: columns() },
    ...{ bases: columns(), flagsRead: columns(), flagsWritten: columns(), flows: columns() },
  };
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  for (let at = 0; at < bytes.length; ) {
    const skipped = skip?.get(at);
    if (skipped !== undefined) {
      at += skipped;
      decoder.position = Math.min(at, bytes.length);
      continue;
    }
    decoder.decodeOut(instruction);
    readInstruction(code, code.starts.length, instruction, decoder);
    code.starts.push(at);
    at += instruction.length;
  }
  code.starts.push(bytes.length);
  instruction.free();
  decoder.free();
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

/** Formats some bytes as instructions, with their offsets. Distances are shown as if the bytes began at `base`. */
export function disassemble(bytes: Uint8Array, base: number): { offset: number; text: string }[] {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = BigInt(base);
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const instruction = new Instruction();
  const found = [];
  for (let offset = 0; decoder.canDecode; offset += instruction.length) {
    decoder.decodeOut(instruction);
    found.push({ offset, text: formatter.format(instruction) });
  }
  instruction.free();
  formatter.free();
  decoder.free();
  return found;
}

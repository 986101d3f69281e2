// The structures and numbers of 64-bit ELF files: System V Application Binary Interface (gABI), chapter 4 "Object Files", and its
// chapter 5 for notes. Only what is read or written here.
import { assert } from "../base/assert.js";

/** A structure of a file: each field's offset in bytes, and its whole length. */
interface Structure<Field extends string> {
  readonly size_bytes: number;
  readonly at: Readonly<Record<Field, number>>;
}

/** Makes a structure of its fields' widths in order. They must fill `size_bytes` without padding, each at a multiple of its width. */
function structure<Field extends string>(size_bytes: number, widths: Record<Field, number>): Structure<Field> {
  const at = {} as Record<Field, number>;
  let offset = 0;
  for (const [field, width_bytes] of Object.entries(widths) as [Field, number][]) {
    assert(offset % Math.min(width_bytes, 8) === 0, `the ELF field ${field} is aligned`);
    at[field] = offset;
    offset += width_bytes;
  }
  assert(offset === size_bytes, `an ELF structure has ${size_bytes} bytes, its fields ${offset}`);
  return { size_bytes, at };
}

/** Elf64_Ehdr, at the file's start. Its first 16 bytes are e_ident. */
export const fileHeader = structure(64, {
  magic: 4,
  class: 1,
  encoding: 1,
  identVersion: 1,
  osAbi: 1,
  osAbiVersionAndZeros: 8,
  type: 2,
  machine: 2,
  version: 4,
  entry: 8,
  programHeaders: 8,
  sectionHeaders: 8,
  flags: 4,
  header_bytes: 2,
  programHeader_bytes: 2,
  programHeaderCount: 2,
  sectionHeader_bytes: 2,
  sectionCount: 2,
  namesSection: 2,
});

/** Elf64_Shdr. */
export const sectionHeader = structure(64, {
  name: 4,
  type: 4,
  flags: 8,
  address: 8,
  offset: 8,
  size_bytes: 8,
  link: 4,
  info: 4,
  alignment: 8,
  entry_bytes: 8,
});

/** Elf64_Sym. */
export const symbolEntry = structure(24, { name: 4, info: 1, other: 1, section: 2, value: 8, size_bytes: 8 });

/** Elf64_Rela. The relocation's type is the low half of r_info, its symbol the high one. */
export const relocationEntry = structure(24, { offset: 8, type: 4, symbol: 4, addend: 8 });

/** Elf64_Nhdr; the owner's name and the description follow it. */
export const noteHeader = structure(12, { owner_bytes: 4, description_bytes: 4, type: 4 });

/** `\x7fELF`, read as a little-endian number. */
export const elfMagic = 0x464c457f;
export const class64 = 2;
export const littleEndian = 1;

/** e_type */
export const FileType = { relocatable: 1, executable: 2, shared: 3 } as const;

/** e_machine */
export const Machine = { x86_64: 62 } as const;

/** sh_type */
export const SectionType = {
  unused: 0,
  bits: 1,
  symbols: 2,
  strings: 3,
  /** Relocations with addends. */
  relocations: 4,
  notes: 7,
  noBits: 8,
  /** Relocations without addends, which x86-64 doesn't use. */
  relocationsWithoutAddends: 9,
  dynamicSymbols: 11,
  /** The number of each symbol's section, for numbers that don't fit into the symbol. */
  symbolSections: 18,
} as const;

/** sh_flags */
export const SectionFlag = { write: 0x1n, allocated: 0x2n, executable: 0x4n, linkedByInfo: 0x40n } as const;

/** The types of relocations in kernel modules: System V ABI, AMD64 supplement, 4.4 "Relocation". */
export const RelocationType = {
  none: 0,
  /** 8 bytes, S + A */
  absolute64: 1,
  /** 4 bytes, S + A - P */
  relative32: 2,
  /** 4 bytes; for a symbol without a procedure linkage table, the same as `relative32`. */
  call32: 4,
  /** 4 bytes, S + A, extended with zeros. */
  absolute32: 10,
  /** 4 bytes, S + A, extended with the sign. */
  absolute32Signed: 11,
  /** 8 bytes, S + A - P */
  relative64: 24,
} as const;

/** Section numbers with another meaning. */
export const SpecialSection = {
  undefined: 0,
  /** The first number that isn't a section's. */
  firstReserved: 0xff00,
  absolute: 0xfff1,
  common: 0xfff2,
  /** The number doesn't fit into 16 bits and stands elsewhere. */
  elsewhere: 0xffff,
} as const;

/** The high four bits of st_info */
export const SymbolBinding = { local: 0, global: 1, weak: 2 } as const;

/** The low four bits of st_info */
export const SymbolType = { none: 0, object: 1, function: 2, section: 3, file: 4 } as const;

/** The low two bits of st_other */
export const SymbolVisibility = { normal: 0, hidden: 2 } as const;

/** The note of owner `GNU` that holds the build id: GNU's extensions to the gABI. */
export const noteOfBuildId = 3;

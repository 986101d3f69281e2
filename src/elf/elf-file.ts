// Reads a 64-bit little-endian ELF file from its bytes: sections, symbols, notes. Checks the headers and the sections' names at once,
// but a section's content only when it is read, so that the parts before a cut can still be read.
import { latin1 } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import {
  class64,
  elfMagic,
  fileHeader,
  littleEndian,
  SectionType,
  SpecialSection,
  sectionHeader,
  symbolEntry,
} from "./layout.js";
import { type ElfNote, parseNotes } from "./notes.js";

export interface ElfSection {
  /** Its place in the table; section 0 is never used. */
  index: number;
  name: string;
  /** Of SectionType, or another number. */
  type: number;
  /** Bits of SectionFlag, and others. */
  flags: bigint;
  address: bigint;
  /** Offset in the file. */
  offset: number;
  size_bytes: number;
  link: number;
  info: number;
  alignment: number;
  entry_bytes: number;
}

export interface ElfSymbol {
  name: string;
  /** An offset in its section in a relocatable file, else an address. */
  value: bigint;
  size_bytes: number;
  /** Of SymbolBinding, or another number. */
  binding: number;
  /** Of SymbolType, or another number. */
  type: number;
  /** The section that defines it; undefined if there is none: then `sectionNumber` is one of SpecialSection's. */
  section: ElfSection | undefined;
  sectionNumber: number;
}

export class ElfFile {
  /** Named in errors. */
  readonly file: string;
  /** Of FileType, or another number. */
  readonly type: number;
  /** Of Machine, or another number. */
  readonly machine: number;
  readonly sections: readonly ElfSection[];
  /** The number of the section that holds the sections' names; 0 in a file without sections. */
  readonly namesIndex: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  /** `file` is its name in errors. Throws FormatError if the headers contradict each other. */
  constructor(file: string, bytes: Uint8Array) {
    this.file = file;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { at } = fileHeader;
    const isElf = bytes.length >= 4 && this.view.getUint32(at.magic, true) === elfMagic;
    this.require(isElf, "not an ELF file", at.magic);
    this.require(bytes.length >= fileHeader.size_bytes, "the file ends within its ELF header", bytes.length);
    const fits = bytes[at.class] === class64 && bytes[at.encoding] === littleEndian;
    this.require(fits, "not a 64-bit little-endian ELF file", at.class);
    this.type = this.view.getUint16(at.type, true);
    this.machine = this.view.getUint16(at.machine, true);
    this.sections = this.readSections();
    this.namesIndex = this.sections.length === 0 ? 0 : this.readNamesIndex(this.sections[0]!.link);
  }

  /** The file's header, as it stands there. */
  get header(): Uint8Array {
    return this.bytes.subarray(0, fileHeader.size_bytes);
  }

  /** Returns the first section of that name, or undefined. */
  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** Returns the first section of that type, or undefined. */
  sectionOfType(type: number): ElfSection | undefined {
    return this.sections.find((section) => section.type === type);
  }

  /** Returns the section's bytes in the file, which may be none. Throws FormatError if they lie outside the file. */
  content(section: ElfSection): Uint8Array {
    const { name, type, offset, size_bytes } = section;
    if (type === SectionType.noBits || type === SectionType.unused) return this.bytes.subarray(0, 0);
    const inFile = offset + size_bytes <= this.bytes.length;
    this.require(inFile, `section ${name} lies outside the file`, this.headerOf(section.index));
    return this.bytes.subarray(offset, offset + size_bytes);
  }

  /** Reads the notes in a section. Throws FormatError for a cut one. */
  notes(section: ElfSection): ElfNote[] {
    const { name, offset, alignment } = section;
    return parseNotes(this.content(section), { file: this.file, section: name, offset, alignment });
  }

  /** Reads the symbols in the file's symbol table, or in another table; none if there is no table. Throws FormatError. */
  symbols(table: ElfSection | undefined = this.sectionOfType(SectionType.symbols)): ElfSymbol[] {
    if (table === undefined) return [];
    const header = this.headerOf(table.index);
    this.require(
      table.entry_bytes === symbolEntry.size_bytes && table.size_bytes % symbolEntry.size_bytes === 0,
      `section ${table.name} isn't made of whole symbols`,
      header + sectionHeader.at.entry_bytes,
    );
    const names = this.sections[table.link];
    this.require(
      names !== undefined && names.type === SectionType.strings,
      `section ${table.name} has no section of names`,
      header + sectionHeader.at.link,
    );
    const strings = this.content(names);
    const numbers = this.sections.find(({ type, link }) => type === SectionType.symbolSections && link === table.index);
    const content = this.content(table);
    const count = content.length / symbolEntry.size_bytes;
    const sectionNumbers = numbers === undefined ? undefined : this.content(numbers);
    this.require(
      sectionNumbers === undefined || sectionNumbers.length >= 4 * count,
      `section ${numbers?.name} has fewer entries than ${table.name}`,
      header,
    );
    return Array.from({ length: count }, (_, index) => this.symbol(table, index, strings, sectionNumbers));
  }

  private symbol(table: ElfSection, index: number, strings: Uint8Array, numbers: Uint8Array | undefined): ElfSymbol {
    const { view } = this;
    const start = table.offset + index * symbolEntry.size_bytes;
    const { at } = symbolEntry;
    const info = view.getUint8(start + at.info);
    let sectionNumber = view.getUint16(start + at.section, true);
    const isElsewhere = sectionNumber === SpecialSection.elsewhere;
    const isSpecial = sectionNumber >= SpecialSection.firstReserved && !isElsewhere;
    if (isElsewhere) {
      this.require(numbers !== undefined, `symbol ${index} in ${table.name} has no number of its section`, start);
      sectionNumber = view.getUint32(numbers.byteOffset - this.bytes.byteOffset + 4 * index, true);
    }
    const section = isSpecial || sectionNumber === 0 ? undefined : this.sections[sectionNumber];
    return {
      name: this.string(strings, view.getUint32(start + at.name, true), `symbol ${index} in ${table.name}`, start),
      value: view.getBigUint64(start + at.value, true),
      size_bytes: Number(view.getBigUint64(start + at.size_bytes, true)),
      binding: info >> 4,
      type: info & 0xf,
      section,
      sectionNumber,
    };
  }

  private readSections(): ElfSection[] {
    const { view } = this;
    const { at } = fileHeader;
    const table = this.tableOffset;
    if (table === 0) return [];
    const isInFile = (count: number) => table + count * sectionHeader.size_bytes <= this.bytes.length;
    const outside = "its section headers lie outside the file";
    const header_bytes = view.getUint16(at.sectionHeader_bytes, true);
    this.require(
      header_bytes === sectionHeader.size_bytes,
      `its section headers have ${header_bytes} bytes each, not ${sectionHeader.size_bytes}`,
      at.sectionHeader_bytes,
    );
    this.require(isInFile(1), outside, at.sectionHeaders);
    // gABI, "Sections": numbers that don't fit into the file's header are in the first section's header
    const first = this.readHeader(0);
    const count = view.getUint16(at.sectionCount, true) || first.size_bytes;
    this.require(isInFile(count), outside, at.sectionHeaders);
    const headers = Array.from({ length: count }, (_, index) => this.readHeader(index));
    const names = headers[this.readNamesIndex(first.link)];
    this.require(names !== undefined && names.index !== 0, "it has no section names", at.namesSection);
    const strings = this.content({ ...names, name: "of the sections' names" });
    return headers.map(({ nameOffset, ...header }) => {
      const name = this.string(strings, nameOffset, `section ${header.index}`, this.headerOf(header.index));
      return { ...header, name };
    });
  }

  /** Reads the number of the section of names. `elsewhere`: the number in the first section's header, for one of more than 16 bits. */
  private readNamesIndex(elsewhere: number): number {
    const inHeader = this.view.getUint16(fileHeader.at.namesSection, true);
    return inHeader === SpecialSection.elsewhere ? elsewhere : inHeader;
  }

  private readHeader(index: number): ElfSection & { nameOffset: number } {
    const { view } = this;
    const start = this.headerOf(index);
    const { at } = sectionHeader;
    const size = (offset: number) => Number(view.getBigUint64(start + offset, true));
    return {
      index,
      name: "",
      nameOffset: view.getUint32(start + at.name, true),
      type: view.getUint32(start + at.type, true),
      flags: view.getBigUint64(start + at.flags, true),
      address: view.getBigUint64(start + at.address, true),
      offset: size(at.offset),
      size_bytes: size(at.size_bytes),
      link: view.getUint32(start + at.link, true),
      info: view.getUint32(start + at.info, true),
      alignment: size(at.alignment),
      entry_bytes: size(at.entry_bytes),
    };
  }

  /** Offset of the section headers; 0 if there are none. */
  private get tableOffset(): number {
    return Number(this.view.getBigUint64(fileHeader.at.sectionHeaders, true));
  }

  private headerOf(index: number): number {
    return this.tableOffset + index * sectionHeader.size_bytes;
  }

  /** Reads the text at `start` in a section of strings. `whose` and `offset`, its owner and place in the file, are for errors. */
  private string(strings: Uint8Array, start: number, whose: string, offset: number): string {
    const end = start < strings.length ? strings.indexOf(0, start) : -1;
    this.require(end >= 0, `the name of ${whose} lies outside the names`, offset);
    return latin1(strings, start, end);
  }

  private require(condition: boolean, otherwise: string, offset: number): asserts condition {
    if (!condition) throw new FormatError(this.file, otherwise, { offset });
  }
}

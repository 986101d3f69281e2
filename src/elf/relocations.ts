// The relocations of one section: read from a file into columns, and made into bytes again. Their meaning is the reader's business.
import { FormatError } from "../base/errors.js";
import type { ElfFile, ElfSection } from "./elf-file.js";
import { relocationEntry, SectionType } from "./layout.js";

/** The relocations of one section, in the file's order: entry n is in place n of each column. */
export interface Relocations {
  /** Places in the section that is changed, in bytes. */
  offsets: Uint32Array;
  /** Of RelocationType, or other numbers. */
  types: Uint32Array;
  /** Numbers of symbols in the file's symbol table. */
  symbols: Uint32Array;
  /** Whole numbers of at most 53 bits. */
  addends: Float64Array;
}

/** Reads the relocations in a section of that type. Throws FormatError, which names section and entry. */
export function readRelocations(elf: ElfFile, table: ElfSection): Relocations {
  const { size_bytes, at } = relocationEntry;
  const content = elf.content(table);
  const isWhole = table.entry_bytes === size_bytes && content.length % size_bytes === 0;
  if (table.type !== SectionType.relocations || !isWhole) {
    throw new FormatError(elf.file, `section ${table.name} isn't made of whole relocations`, { offset: table.offset });
  }
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const count = content.length / size_bytes;
  const found = emptyRelocations(count);
  for (let entry = 0; entry < count; entry += 1) {
    const start = entry * size_bytes;
    const offset = Number(view.getBigUint64(start + at.offset, true));
    const addend = Number(view.getBigInt64(start + at.addend, true));
    if (offset > 0xffffffff || !Number.isSafeInteger(addend)) {
      const what = `relocation ${entry} in ${table.name} has an impossible offset or addend`;
      throw new FormatError(elf.file, what, { offset: table.offset + start });
    }
    found.offsets[entry] = offset;
    found.types[entry] = view.getUint32(start + at.type, true);
    found.symbols[entry] = view.getUint32(start + at.symbol, true);
    found.addends[entry] = addend;
  }
  return found;
}

function emptyRelocations(count: number): Relocations {
  return {
    offsets: new Uint32Array(count),
    types: new Uint32Array(count),
    symbols: new Uint32Array(count),
    addends: new Float64Array(count),
  };
}

/** Joins lists of relocations of one section. */
export function joinRelocations(lists: readonly Relocations[]): Relocations {
  const joined = emptyRelocations(lists.reduce((sum, { offsets }) => sum + offsets.length, 0));
  let place = 0;
  for (const { offsets, types, symbols, addends } of lists) {
    joined.offsets.set(offsets, place);
    joined.types.set(types, place);
    joined.symbols.set(symbols, place);
    joined.addends.set(addends, place);
    place += offsets.length;
  }
  return joined;
}

/** Makes the content of a relocation section. */
export function relocationBytes({ offsets, types, symbols, addends }: Relocations): Uint8Array<ArrayBuffer> {
  const { size_bytes, at } = relocationEntry;
  const bytes = new Uint8Array(offsets.length * size_bytes);
  const view = new DataView(bytes.buffer);
  for (let entry = 0; entry < offsets.length; entry += 1) {
    const start = entry * size_bytes;
    view.setBigUint64(start + at.offset, BigInt(offsets[entry]!), true);
    view.setUint32(start + at.type, types[entry]!, true);
    view.setUint32(start + at.symbol, symbols[entry]!, true);
    view.setBigInt64(start + at.addend, BigInt(addends[entry]!), true);
  }
  return bytes;
}

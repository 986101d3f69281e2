// Writes a relocatable ELF file: the sections of a file that was read, with changed contents, and new ones behind them. The numbers
// of sections stay, because symbols and headers refer to them.
import { assert } from "../base/assert.js";
import { concatBytes, latin1Bytes } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import type { ElfFile, ElfSection } from "./elf-file.js";
import { FileType, fileHeader, SectionType, SpecialSection, sectionHeader } from "./layout.js";

/** A section to write: `offset` is chosen anew, `size_bytes` counts only where there is no content. */
export interface NewSection extends ElfSection {
  /** The bytes in the file; none for a section without bits. */
  content: Uint8Array;
}

/** Returns a file's sections as they are, to be changed and written. Throws FormatError for one that lies outside the file. */
export function sectionsToWrite(elf: ElfFile): NewSection[] {
  return elf.sections.map((section) => ({ ...section, content: elf.content(section) }));
}

/**
 * Writes a relocatable file with `sections`, of which those of `elf` come first and keep their places in the list. Contents keep
 * the order that they have in `elf`; new ones follow. Whatever lies behind the last section, as a module's signature does, is left
 * out. Throws FormatError where `elf` isn't relocatable or the sections are too many.
 *
 *     | file header | contents, each aligned | section headers |
 */
export function writeRelocatable(elf: ElfFile, sections: readonly NewSection[]): Uint8Array<ArrayBuffer> {
  if (elf.type !== FileType.relocatable) throw new FormatError(elf.file, "only relocatable files can be written anew");
  if (sections.length >= SpecialSection.firstReserved) throw new FormatError(elf.file, "it has too many sections");
  assert(sections.length >= elf.sections.length, "sections are added, but never taken out");
  assert(
    sections.every(({ index }, place) => index === place),
    "each section stands at its number",
  );
  const { nameOffsets, content: names } = placeNames(sections, elf.namesIndex);
  const contents = sections.map(({ index, content }) => (index === elf.namesIndex ? names : content));
  const { offsets, end } = placeContents(sections, contents);
  const table = alignedUp(end, 8);
  const bytes = new Uint8Array(table + sections.length * sectionHeader.size_bytes);
  const view = new DataView(bytes.buffer);
  bytes.set(elf.header);
  view.setBigUint64(fileHeader.at.sectionHeaders, BigInt(table), true);
  view.setUint16(fileHeader.at.sectionCount, sections.length, true);
  for (const section of sections) {
    const { index, type } = section;
    const content = contents[index]!;
    bytes.set(content, offsets[index]!);
    const size_bytes = type === SectionType.noBits ? section.size_bytes : content.length;
    const placed = { ...section, offset: offsets[index]!, size_bytes };
    writeHeader(view, table + index * sectionHeader.size_bytes, placed, nameOffsets[index]!);
  }
  return bytes;
}

/** Finds each section's name among the names, and appends those that are missing. */
function placeNames(sections: readonly NewSection[], namesIndex: number) {
  const old = sections[namesIndex]!.content;
  let text = Array.from(old, (code) => String.fromCharCode(code)).join("");
  const nameOffsets = sections.map(({ name }) => {
    const found = text.indexOf(`${name}\0`);
    if (found >= 0) return found;
    text += `${name}\0`;
    return text.length - name.length - 1;
  });
  return { nameOffsets, content: concatBytes([old, latin1Bytes(text.slice(old.length))]) };
}

/** Chooses the contents' offsets in the file. */
function placeContents(sections: readonly NewSection[], contents: readonly Uint8Array[]) {
  const inOrder = [...sections].sort((a, b) => a.offset - b.offset || a.index - b.index);
  const offsets: number[] = [];
  let end: number = fileHeader.size_bytes;
  for (const { index, type, alignment } of inOrder) {
    if (type === SectionType.unused) {
      offsets[index] = 0;
      continue;
    }
    const offset = alignedUp(end, Math.max(alignment, 1));
    offsets[index] = offset;
    end = offset + contents[index]!.length;
  }
  return { offsets, end };
}

function alignedUp(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function writeHeader(view: DataView, start: number, section: ElfSection, nameOffset: number): void {
  const { at } = sectionHeader;
  view.setUint32(start + at.name, nameOffset, true);
  view.setUint32(start + at.type, section.type, true);
  view.setBigUint64(start + at.flags, section.flags, true);
  view.setBigUint64(start + at.address, section.address, true);
  view.setBigUint64(start + at.offset, BigInt(section.offset), true);
  view.setBigUint64(start + at.size_bytes, BigInt(section.size_bytes), true);
  view.setUint32(start + at.link, section.link, true);
  view.setUint32(start + at.info, section.info, true);
  view.setBigUint64(start + at.alignment, BigInt(section.alignment), true);
  view.setBigUint64(start + at.entry_bytes, BigInt(section.entry_bytes), true);
}

// Reads what a kernel module's file (.ko) says about itself: an ELF relocatable's .modinfo and build id. Loads nothing.
import { readFileSync } from "node:fs";
import { FormatError, messageOf, UserError } from "../base/errors.js";

/** ELF-64 layout, System V ABI (gABI) chapter 4: "ELF Header" and "Sections". */
const elf = {
  magic: 0x464c457f,
  header_bytes: 64,
  sectionHeader_bytes: 64,
  class64: 2,
  littleEndian: 1,
  typeRelocatable: 1,
  machineX86_64: 62,
} as const;

export interface ModuleFile {
  name: string;
  /** The kernel release that it was built for: the first word of its vermagic. */
  release: string;
  vermagic: string;
  /** Hexadecimal without 0x, or null when the file has none. */
  buildId: string | null;
}

/** Reads and checks a module's file. Throws UserError when it can't be read, FormatError when it isn't a module for x86-64. */
export function readModuleFile(path: string): ModuleFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UserError(`reading the kernel module ${path} failed: ${messageOf(error)}`);
  }
  return parseModuleFile(bytes, path);
}

/** The same from bytes; `path` is only named in errors. */
export function parseModuleFile(bytes: Buffer, path: string): ModuleFile {
  const sections = readSections(bytes, path);
  const modinfo = sections.get(".modinfo");
  if (modinfo === undefined) throw new FormatError(path, "not a kernel module: it has no .modinfo section");
  const values = new Map<string, string>();
  for (const entry of modinfo.toString("latin1").split("\0")) {
    const equals = entry.indexOf("=");
    if (equals > 0) values.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  const vermagic = values.get("vermagic");
  if (vermagic === undefined) throw new FormatError(path, "not a finished kernel module: it has no vermagic");
  const note = sections.get(".note.gnu.build-id");
  return {
    name: values.get("name") ?? "",
    release: vermagic.split(" ")[0] ?? "",
    vermagic,
    buildId: note === undefined ? null : buildIdOfNote(note),
  };
}

/**
 * The build id in an ELF note section (what /sys/module/NAME/notes/.note.gnu.build-id shows), as hexadecimal.
 *
 * A note is: name length, description length, type (4 bytes each), then both, each padded to 4 bytes. Null when it isn't one.
 */
export function buildIdOfNote(note: Uint8Array): string | null {
  const bytes = Buffer.from(note.buffer, note.byteOffset, note.byteLength);
  const noteTypeBuildId = 3;
  let at = 0;
  while (at + 12 <= bytes.length) {
    const name_bytes = bytes.readUInt32LE(at);
    const description_bytes = bytes.readUInt32LE(at + 4);
    const name = bytes.toString("latin1", at + 12, at + 12 + name_bytes);
    const description = at + 12 + Math.ceil(name_bytes / 4) * 4;
    if (bytes.readUInt32LE(at + 8) === noteTypeBuildId && name === "GNU\0") {
      return bytes.toString("hex", description, description + description_bytes);
    }
    at = description + Math.ceil(description_bytes / 4) * 4;
  }
  return null;
}

/** Section name → content. Of sections with the same name the first one counts. */
function readSections(bytes: Buffer, path: string): Map<string, Buffer> {
  const is = (what: boolean, otherwise: string) => {
    if (!what) throw new FormatError(path, otherwise);
  };
  is(bytes.length >= 4 && bytes.readUInt32LE(0) === elf.magic, "not a kernel module: not an ELF file");
  is(bytes.length >= elf.header_bytes, "not a kernel module: the file ends within its ELF header");
  is(bytes[4] === elf.class64 && bytes[5] === elf.littleEndian, "not a kernel module for x86-64: not 64-bit ELF");
  is(bytes.readUInt16LE(16) === elf.typeRelocatable, "not a kernel module: not a relocatable ELF file");
  is(bytes.readUInt16LE(18) === elf.machineX86_64, "not a kernel module for x86-64: made for another architecture");

  const table = Number(bytes.readBigUInt64LE(40));
  const count = bytes.readUInt16LE(60);
  const inFile = (offset: number, length: number) => offset + length <= bytes.length;
  is(
    bytes.readUInt16LE(58) === elf.sectionHeader_bytes && inFile(table, count * elf.sectionHeader_bytes),
    "a damaged kernel module: its section headers lie outside the file",
  );
  const headers = Array.from({ length: count }, (_, index) => {
    const at = table + index * elf.sectionHeader_bytes;
    return {
      name: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      length: Number(bytes.readBigUInt64LE(at + 32)),
    };
  });
  const names = headers[bytes.readUInt16LE(62)];
  is(names !== undefined && inFile(names.offset, names.length), "a damaged kernel module: no section names");
  const sections = new Map<string, Buffer>();
  const sectionTypeNoBits = 8;
  for (const header of headers) {
    if (header.type === sectionTypeNoBits || !inFile(header.offset, header.length)) continue;
    const start = names!.offset + header.name;
    const end = bytes.indexOf(0, start);
    const name = bytes.toString("latin1", start, end < 0 ? bytes.length : end);
    if (!sections.has(name)) sections.set(name, bytes.subarray(header.offset, header.offset + header.length));
  }
  return sections;
}

// Reads a kernel module's file (.ko): an ELF relocatable's .modinfo and build id. Loads nothing.
import { readFileSync } from "node:fs";
import { latin1 } from "../base/bytes.js";
import { FormatError, messageOf, UserError } from "../base/errors.js";
import { ElfFile } from "../elf/elf-file.js";
import { FileType, Machine } from "../elf/layout.js";
import { buildIdIn, parseNotes } from "../elf/notes.js";

export const buildIdSection = ".note.gnu.build-id";

export interface ModuleFile {
  name: string;
  /** Its kernel release: the first word of its vermagic. */
  release: string;
  vermagic: string;
  /** Hexadecimal without 0x, or null if the file has none. */
  buildId: string | null;
}

/** Reads and checks a module's file. Throws UserError if it can't be read, FormatError if it isn't a module for x86-64. */
export function readModuleFile(path: string): ModuleFile {
  return parseModuleFile(readModuleBytes(path), path);
}

/** Reads a module's file as it is, packed or not. Throws UserError. */
export function readModuleBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`reading the kernel module ${path} failed: ${messageOf(error)}`);
  }
}

/** Does the same with bytes; `path` is only for errors. */
export function parseModuleFile(bytes: Uint8Array, path: string): ModuleFile {
  const elf = openElf(bytes, path);
  const values = modinfo(elf);
  const vermagic = values.get("vermagic");
  if (vermagic === undefined) throw new FormatError(path, "not a finished kernel module: it has no vermagic");
  return {
    name: values.get("name") ?? "",
    release: vermagic.split(" ")[0] ?? "",
    vermagic,
    buildId: buildIdOf(elf),
  };
}

function openElf(bytes: Uint8Array, path: string): ElfFile {
  let elf: ElfFile;
  try {
    elf = new ElfFile(path, bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const { what, offset } = error;
    throw new FormatError(path, `not a kernel module: ${what}`, offset === undefined ? {} : { offset });
  }
  if (elf.type !== FileType.relocatable) throw new FormatError(path, "not a kernel module: not a relocatable ELF file");
  if (elf.machine === Machine.x86_64) return elf;
  throw new FormatError(path, "not a kernel module for x86-64: made for another architecture");
}

/** The module's own words about itself: `KEY=VALUE` texts, each with a zero behind it. Of those with one key the last counts. */
function modinfo(elf: ElfFile): Map<string, string> {
  const section = elf.section(".modinfo");
  if (section === undefined) throw new FormatError(elf.file, "not a kernel module: it has no .modinfo section");
  const values = new Map<string, string>();
  for (const entry of latin1(elf.content(section)).split("\0")) {
    const equals = entry.indexOf("=");
    if (equals > 0) values.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return values;
}

function buildIdOf(elf: ElfFile): string | null {
  const section = elf.section(buildIdSection);
  return section === undefined ? null : buildIdIn(elf.notes(section));
}

/** The build id in a loaded module's notes (`path`: /sys/module/NAME/notes/.note.gnu.build-id), or null where it has none. */
export function readBuildId(path: string): string | null {
  try {
    return buildIdIn(parseNotes(readFileSync(path), { file: path }));
  } catch {
    return null;
  }
}

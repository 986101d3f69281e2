// Finds machine code in files: the executable sections of ELF files, and the kernel inside a compressed boot image.
// Nothing is decoded here.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError } from "../../src/base/errors.js";
import { ElfFile } from "../../src/elf/elf-file.js";
import { SectionFlag, SectionType } from "../../src/elf/layout.js";
import { decompress } from "../../src/machine/decompress.js";

/** One executable section. */
export interface CodeSection {
  file: string;
  name: string;
  bytes: Uint8Array;
}

/** The executable sections of an ELF file that have bytes in it. `file` is its name in errors. Throws FormatError. */
export function executableSections(file: string, content: Uint8Array): CodeSection[] {
  const elf = new ElfFile(file, content);
  return elf.sections
    .filter(({ type, flags }) => type === SectionType.bits && (flags & SectionFlag.executable) !== 0n)
    .map((section) => ({ file, name: section.name, bytes: elf.content(section) }))
    .filter(({ bytes }) => bytes.length > 0);
}

/**
 * Extracts the ELF kernel from a boot image (bzImage).
 *
 * The payload's place is in the setup header, Documentation/arch/x86/boot.rst of the kernel: setup_sects at 0x1f1, the
 * magic "HdrS" at 0x202, payload_offset at 0x248 (from the start of protected-mode code), payload_length at 0x24c; the
 * payload ends with the four bytes of its decompressed size. Throws FormatError when it is no such image.
 */
export function kernelOfBootImage(file: string, image: Buffer): Buffer {
  if (image.length < 0x250 || image.toString("latin1", 0x202, 0x206) !== "HdrS") {
    throw new FormatError(file, "not a Linux boot image", { offset: 0x202 });
  }
  const setupSectors = image[0x1f1] === 0 ? 4 : image[0x1f1]!;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c) - 4;
  if (end > image.length || start >= end) throw new FormatError(file, "its payload is cut off", { offset: 0x248 });
  return decompress(file, image.subarray(start, end));
}

/** Reads a file, and decompresses it where it is no ELF file or boot image, as `.ko.xz` and `.ko.zst` are none. */
export function decompressedFile(file: string): Buffer {
  const content = readFileSync(file);
  if (content.length < 64) throw new FormatError(file, "too short to hold code");
  const isAsItIs = content.readUInt32BE(0) === 0x7f454c46 || content.toString("latin1", 0x202, 0x206) === "HdrS";
  return isAsItIs ? content : decompress(file, content);
}

/** Finds the executable sections of a file: a boot image, or an ELF file, perhaps compressed. */
export function codeOfFile(file: string): CodeSection[] {
  const content = decompressedFile(file);
  const isBootImage = content.toString("latin1", 0x202, 0x206) === "HdrS";
  return executableSections(file, isBootImage ? kernelOfBootImage(file, content) : content);
}

/** Lists the files of a kernel that hold code: its boot image, and every module below a directory. */
export function kernelFiles(imagePath: string, modulesDirectory: string): string[] {
  const modules = readdirSync(modulesDirectory, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ko(\.xz|\.zst|\.gz)?$/.test(name))
    .map((name) => join(modulesDirectory, name));
  return [imagePath, ...modules.sort()];
}

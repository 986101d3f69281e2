// Finds machine code in files: the executable sections of ELF files, and the kernel inside a compressed boot image.
// Nothing is decoded here.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { FormatError, messageOf, UserError } from "../../src/base/errors.js";

/** One executable section. */
export interface CodeSection {
  file: string;
  name: string;
  bytes: Uint8Array;
}

const decompressedBytesMax = 1 << 30;

/** SHT_PROGBITS and SHF_EXECINSTR of the ELF specification (generic ABI, chapter 4). */
const sectionTypeProgbits = 1;
const sectionFlagExecutable = 4n;

/**
 * Finds the executable sections of a 64-bit little-endian ELF file that have bytes in the file.
 *
 * Errors name it `file`. Throws FormatError when the headers contradict each other.
 */
export function executableSections(file: string, content: Buffer): CodeSection[] {
  const need = (condition: boolean, what: string, offset: number) => {
    if (!condition) throw new FormatError(file, what, { offset });
  };
  need(content.length >= 64 && content.readUInt32BE(0) === 0x7f454c46, "not an ELF file", 0);
  need(content[4] === 2 && content[5] === 1, "not a 64-bit little-endian ELF file", 4);
  const table = Number(content.readBigUInt64LE(0x28));
  const headerBytes = content.readUInt16LE(0x3a);
  const count = content.readUInt16LE(0x3c);
  const namesIndex = content.readUInt16LE(0x3e);
  need(headerBytes >= 64 && table + count * headerBytes <= content.length, "its section table is cut off", 0x28);
  const header = (index: number) => {
    const at = table + index * headerBytes;
    return {
      name: content.readUInt32LE(at),
      type: content.readUInt32LE(at + 4),
      flags: content.readBigUInt64LE(at + 8),
      offset: Number(content.readBigUInt64LE(at + 24)),
      bytes: Number(content.readBigUInt64LE(at + 32)),
    };
  };
  need(namesIndex < count, "it has no section names", 0x3e);
  const names = header(namesIndex);
  const sections: CodeSection[] = [];
  for (let index = 0; index < count; index++) {
    const { name, type, flags, offset, bytes } = header(index);
    if (type !== sectionTypeProgbits || (flags & sectionFlagExecutable) === 0n || bytes === 0) continue;
    need(offset + bytes <= content.length, "a section lies outside the file", table + index * headerBytes);
    const nameStart = names.offset + name;
    const nameEnd = content.indexOf(0, nameStart);
    need(nameEnd >= 0, "a section's name has no end", table + index * headerBytes);
    sections.push({
      file,
      name: content.toString("latin1", nameStart, nameEnd),
      bytes: content.subarray(offset, offset + bytes),
    });
  }
  return sections;
}

/** Decompresses the content; its first bytes tell the compression. */
function decompress(file: string, content: Buffer): Buffer {
  if (content.readUInt16BE(0) === 0x1f8b) return gunzipSync(content);
  if (content.readUInt32BE(0) === 0xfd377a58)
    return runFilter(file, "xz", "xz-utils", ["-dc", "--single-stream"], content);
  if (content.readUInt32LE(0) === 0xfd2fb528) return runFilter(file, "zstd", "zstd", ["-dcq"], content);
  throw new FormatError(file, "compressed in a way that isn't known here (gzip, xz and zstd are)", { offset: 0 });
}

function runFilter(file: string, program: string, debianPackage: string, options: string[], input: Buffer): Buffer {
  try {
    return execFileSync(program, options, { input, maxBuffer: decompressedBytesMax, stdio: ["pipe", "pipe", "pipe"] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new UserError(`${file} could not be decompressed: there is no ${program}`, {
        advice: `apt-get install ${debianPackage}`,
        cause: error,
      });
    }
    throw new UserError(`${file} could not be decompressed: ${messageOf(error)}`, { cause: error });
  }
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

/** Finds the executable sections of a file: a boot image, or an ELF file, perhaps compressed (`.ko.xz`, `.ko.zst`). */
export function codeOfFile(file: string): CodeSection[] {
  const content = readFileSync(file);
  if (content.length < 64) throw new FormatError(file, "too short to hold code");
  if (content.readUInt32BE(0) === 0x7f454c46) return executableSections(file, content);
  if (content.toString("latin1", 0x202, 0x206) === "HdrS")
    return executableSections(file, kernelOfBootImage(file, content));
  return executableSections(file, decompress(file, content));
}

/** Lists the files of a kernel that hold code: its boot image, and every module below a directory. */
export function kernelFiles(imagePath: string, modulesDirectory: string): string[] {
  const modules = readdirSync(modulesDirectory, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ko(\.xz|\.zst|\.gz)?$/.test(name))
    .map((name) => join(modulesDirectory, name));
  return [imagePath, ...modules.sort()];
}

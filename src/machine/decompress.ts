// Decompresses modules' files and kernels, which distributions pack by gzip, xz or zstd; and packs modules' files likewise.
import { execFileSync } from "node:child_process";
import { extname } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { FormatError, messageOf, UserError } from "../base/errors.js";
import { findTool, requireTrustedTool } from "../base/run-tool.js";

const decompressedBytesMax = 1 << 30;

/** Decompresses the content of `file`; its first bytes tell the compression. Throws FormatError or UserError. */
export function decompress(file: string, content: Buffer): Buffer {
  if (content.length >= 4) {
    if (content.readUInt16BE(0) === 0x1f8b) return unzipped(file, content);
    if (content.readUInt32BE(0) === 0xfd377a58) {
      return runFilter(file, "decompressed", xz, ["-dc", "--single-stream"], content);
    }
    if (content.readUInt32LE(0) === 0xfd2fb528) return runFilter(file, "decompressed", zstd, ["-dcq"], content);
  }
  throw new FormatError(file, "compressed in a way that isn't known here (gzip, xz and zstd are)", { offset: 0 });
}

/** Compresses a module as the ending of its `file` says, fast and so that the kernel can decompress it. Throws UserError. */
export function compressLike(file: string, content: Buffer): Buffer {
  const ending = extname(file);
  if (ending === ".gz") return gzipSync(content, { level: 1 });
  // the kernel knows only this checksum
  if (ending === ".xz") return runFilter(file, "compressed", xz, ["-zc0", "--check=crc32"], content);
  if (ending === ".zst") return runFilter(file, "compressed", zstd, ["-cq1"], content);
  return content;
}

function unzipped(file: string, content: Buffer): Buffer {
  try {
    return gunzipSync(content, { maxOutputLength: decompressedBytesMax });
  } catch (error) {
    throw new UserError(`${file} could not be decompressed: ${messageOf(error)}`, { cause: error });
  }
}

interface Filter {
  program: string;
  debianPackage: string;
}

const xz: Filter = { program: "xz", debianPackage: "xz-utils" };
const zstd: Filter = { program: "zstd", debianPackage: "zstd" };

function runFilter(file: string, done: string, filter: Filter, options: string[], input: Buffer): Buffer {
  const path = findTool(filter.program);
  if (path === undefined) {
    throw new UserError(`${file} could not be ${done}: there is no ${filter.program}`, {
      advice: `on Debian: apt-get install ${filter.debianPackage}`,
    });
  }
  requireTrustedTool(path);
  try {
    return execFileSync(path, options, { input, maxBuffer: decompressedBytesMax, stdio: ["pipe", "pipe", "pipe"] });
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim().split("\n")[0];
    throw new UserError(`${file} could not be ${done}: ${said || messageOf(error)}`, { cause: error });
  }
}

// Decompresses modules' files and kernels, which distributions pack by gzip, xz or zstd.
import { execFileSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import { FormatError, messageOf, UserError } from "../base/errors.js";
import { findTool, requireTrustedTool } from "../base/run-tool.js";

const decompressedBytesMax = 1 << 30;

/** Decompresses the content of `file`; its first bytes tell the compression. Throws FormatError or UserError. */
export function decompress(file: string, content: Buffer): Buffer {
  if (content.length >= 4) {
    if (content.readUInt16BE(0) === 0x1f8b) return unzipped(file, content);
    if (content.readUInt32BE(0) === 0xfd377a58) {
      return runFilter(file, "xz", "xz-utils", ["-dc", "--single-stream"], content);
    }
    if (content.readUInt32LE(0) === 0xfd2fb528) return runFilter(file, "zstd", "zstd", ["-dcq"], content);
  }
  throw new FormatError(file, "compressed in a way that isn't known here (gzip, xz and zstd are)", { offset: 0 });
}

function unzipped(file: string, content: Buffer): Buffer {
  try {
    return gunzipSync(content, { maxOutputLength: decompressedBytesMax });
  } catch (error) {
    throw new UserError(`${file} could not be decompressed: ${messageOf(error)}`, { cause: error });
  }
}

function runFilter(file: string, program: string, debianPackage: string, options: string[], input: Buffer): Buffer {
  const path = findTool(program);
  if (path === undefined) {
    throw new UserError(`${file} could not be decompressed: there is no ${program}`, {
      advice: `on Debian: apt-get install ${debianPackage}`,
    });
  }
  requireTrustedTool(path);
  try {
    return execFileSync(path, options, { input, maxBuffer: decompressedBytesMax, stdio: ["pipe", "pipe", "pipe"] });
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim().split("\n")[0];
    throw new UserError(`${file} could not be decompressed: ${said || messageOf(error)}`, { cause: error });
  }
}

// A driver's module rewritten for the core of its kernel, which its accesses call.
import { readFileSync } from "node:fs";
import { messageOf, UserError } from "../base/errors.js";
import { decompress } from "../machine/decompress.js";
import { parseModuleFile, readModuleFile } from "../machine/module-file.js";
import { instrumentModule } from "../rewrite/instrument-module.js";
import { buildCore, exportedVersion } from "./emulate/core-build.js";

/** The core's function that rewritten modules call: core/kernel/rewritten.c. */
const coreFunction = "mms_rewritten_access";

export interface InstrumentedModule {
  bytes: Uint8Array;
  /** Number of instructions with a check in front. */
  checks: number;
}

/**
 * Rewrites the module in the file, packed or not; in the functions `only`, if there are any. Builds the core for its kernel if it isn't in
 * the cache: `onBuild` is called before. Throws UserError and FormatError.
 */
export async function instrumentedModule(
  file: string,
  { only, onBuild }: { only: string[]; onBuild: (release: string) => void },
): Promise<InstrumentedModule> {
  const content = contentOf(file);
  const { release, vermagic } = parseModuleFile(content, file);
  const { path } = await buildCore({ release, onBuild: () => onBuild(release) });
  const ours = readModuleFile(path).vermagic;
  if (ours !== vermagic) {
    throw new UserError(
      `${file} is of another build of the kernel: its vermagic is "${vermagic}", the core's "${ours}"`,
    );
  }
  return await instrumentModule({ file, content, crc: exportedVersion(path, coreFunction), only });
}

function contentOf(file: string): Buffer {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new UserError(`reading the kernel module ${file} failed: ${messageOf(error)}`);
  }
  return /\.(?:xz|zst|gz)$/.test(file) ? decompress(file, content) : content;
}

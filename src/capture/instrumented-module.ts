// A driver's module rewritten for the core of its kernel, which its accesses call.
import { UserError } from "../base/errors.js";
import { decompress } from "../machine/decompress.js";
import { parseModuleFile, readModuleBytes, readModuleFile } from "../machine/module-file.js";
import { type InstrumentedModule, instrumentModule } from "../rewrite/instrument-module.js";
import { coreEntry } from "../rewrite/instrument-order.js";
import { buildCore, exportedVersion } from "./emulate/core-build.js";

/**
 * Rewrites the module in the file, packed or not; in the functions `only`, if there are any. Builds the core for its kernel if it isn't in
 * the cache: `onBuild` is called before. Throws UserError and FormatError.
 */
export async function instrumentedModule(
  file: string,
  { only, onBuild }: { only: string[]; onBuild: (release: string) => void },
): Promise<InstrumentedModule> {
  const packed = readModuleBytes(file);
  const content = /\.(?:xz|zst|gz)$/.test(file) ? decompress(file, packed) : packed;
  const { release, vermagic } = parseModuleFile(content, file);
  const { path } = await buildCore({ release, onBuild: () => onBuild(release) });
  const ours = readModuleFile(path).vermagic;
  if (ours !== vermagic) {
    throw new UserError(
      `${file} is of another build of the kernel: its vermagic is "${vermagic}", the core's "${ours}"`,
    );
  }
  return await instrumentModule({ file, content, crc: exportedVersion(path, coreEntry), only });
}

// A driver's module rewritten for the core of its kernel, which its accesses call.
import { UserError } from "../base/errors.js";
import { decompress } from "../machine/decompress.js";
import { canonicalModuleName } from "../machine/kernel-modules.js";
import { parseModuleFile, readModuleBytes, readModuleFile } from "../machine/module-file.js";
import { type InstrumentedModule, instrumentModule } from "../rewrite/instrument-module.js";
import { type AccessKind, accessKinds, coreEntry } from "../rewrite/instrument-order.js";
import { buildCore, exportedVersion } from "./emulate/core-build.js";
import type { Profile } from "./profile.js";

export interface InstrumentOptions {
  /** The accesses whose instructions are rewritten; all kinds by default. */
  accesses?: readonly AccessKind[] | undefined;
  /** Functions to which the rewriting is confined, if there are any. */
  only?: readonly string[];
  /** Only sites of this trace. */
  profile?: Profile | undefined;
  /** Called before the core is built for the module's kernel, which isn't in the cache. */
  onBuild: (release: string) => void;
}

/** Rewrites the module in the file, packed or not. Throws UserError and FormatError. */
export async function instrumentedModule(
  file: string,
  { accesses = accessKinds, only = [], profile, onBuild }: InstrumentOptions,
): Promise<InstrumentedModule> {
  const packed = readModuleBytes(file);
  const content = /\.(?:xz|zst|gz)$/.test(file) ? decompress(file, packed) : packed;
  const { name, release, vermagic } = parseModuleFile(content, file);
  const { path } = await buildCore({ release, onBuild: () => onBuild(release) });
  const ours = readModuleFile(path).vermagic;
  if (ours !== vermagic) {
    throw new UserError(
      `${file} is of another build of the kernel: its vermagic is "${vermagic}", the core's "${ours}"`,
      {
        advice: `the core is built with the headers of ${release}: both must be of one version of the kernel's package`,
      },
    );
  }
  const crc = exportedVersion(path, coreEntry);
  const sites = profile === undefined ? undefined : (profile.sites.get(canonicalModuleName(name)) ?? []);
  const made = await instrumentModule({ file, content, crc, accesses, only, sites });
  if (profile !== undefined && made.checks === 0) {
    throw new UserError(`no site of ${profile.file} is a place in ${file} that can be rewritten`, {
      advice: "the trace must be of this very build of the module",
    });
  }
  return made;
}

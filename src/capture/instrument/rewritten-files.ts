// The rewritten files of modules: in the cache, each beside itself packed as the original is. Loads and mounts nothing.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { finishedFolder } from "../../base/finished-output.js";
import { cacheDirectory, projectDirectory } from "../../base/paths.js";
import { compressLike } from "../../machine/decompress.js";
import { readModuleBytes } from "../../machine/module-file.js";
import { type AccessKind, accessKinds } from "../../rewrite/instrument-order.js";
import { buildCore } from "../emulate/core-build.js";
import { instrumentedModule } from "../instrumented-module.js";
import type { Profile } from "../profile.js";

export interface RewrittenFiles {
  /** The module. */
  plain: string;
  /** The same, packed as its original. */
  packed: string;
}

export interface RewriteRequest {
  release: string;
  /** The accesses whose instructions are rewritten; all kinds by default. */
  accesses?: readonly AccessKind[] | undefined;
  /** Only sites of this trace are rewritten. */
  profile: Profile | undefined;
  onRewrite: () => void;
}

/** The program that rewrites: another build of it may rewrite otherwise. */
const rewriter = join(projectDirectory, "dist/program/instrument-worker.js");

/**
 * Returns the rewritten files of a module for the core of `release`. They are in the cache if the same original was rewritten before, for the
 * same core, accesses and sites, by the same rewriter; else `onRewrite` is called before. Throws UserError and FormatError.
 */
export async function rewrittenFiles(
  original: string,
  { release, accesses = accessKinds, profile, onRewrite }: RewriteRequest,
): Promise<RewrittenFiles> {
  const core = await buildCore({ release });
  const hash = createHash("sha256");
  const sites = profile === undefined ? "all" : JSON.stringify([...profile.sites].sort());
  for (const part of [readModuleBytes(original), core.path, readFileSync(rewriter), [...accesses].sort().join(), sites])
    hash.update(part).update("\0");
  const place = join(cacheDirectory("rewritten", release), hash.digest("hex").slice(0, 24));
  const name = basename(original);
  const files = { plain: join(place, name.replace(/\.ko\..*$/, ".ko")), packed: join(place, name) };
  if (existsSync(place)) return files;
  onRewrite();
  const { bytes } = await instrumentedModule(original, { accesses, profile, onBuild: () => {} });
  try {
    await finishedFolder(place, async (temporary) => {
      writeFileSync(join(temporary, basename(files.plain)), bytes);
      writeFileSync(join(temporary, name), compressLike(original, Buffer.from(bytes)));
    });
  } catch (error) {
    // another process was faster
    if (!existsSync(files.packed)) throw error;
  }
  return files;
}

// The folders of the project's cache and of its own files.
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "./assert.js";
import { messageOf, UserError } from "./errors.js";
import { existingFolder, requireTrusted } from "./trusted-path.js";

/** The folder of the checkout, or of the installed package: it holds core/, src/ and dist/. */
export const projectDirectory = findProject(fileURLToPath(new URL(".", import.meta.url)));

/** Finds the nearest folder upwards with a package.json: benchmarks and the program are built at different depths. */
function findProject(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    assert(folder !== dirname(folder), "package.json lies above the program");
  }
}

/**
 * Returns a folder below the cache (`$MMIOSTRIDER_CACHE`, else `$XDG_CACHE_HOME/mmiostrider`, else `~/.cache/mmiostrider`),
 * made on first use with mode 0700.
 *
 * Kernel modules are loaded from here, so it refuses a cache that others could change, directly or through a folder above or below
 * it.
 */
export function cacheDirectory(...below: string[]): string {
  const root =
    process.env.MMIOSTRIDER_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mmiostrider");
  const directory = resolve(root, ...below);
  const doing = `using the cache ${root}`;
  requireTrusted(existingFolder(directory), doing);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UserError(`${doing} failed: ${messageOf(error)}`, {
      advice: "set MMIOSTRIDER_CACHE to another folder",
      cause: error,
    });
  }
  requireTrusted(directory, doing);
  return directory;
}

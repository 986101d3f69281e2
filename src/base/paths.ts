// Where the project keeps things between runs, and where its own files are.
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "./assert.js";
import { messageOf, UserError } from "./errors.js";
import { existingFolder, requireTrusted } from "./trusted-path.js";

/** The checkout's (or the installed package's) folder: the one that holds core/, src/ and dist/. */
export const projectDirectory = findProject(fileURLToPath(new URL(".", import.meta.url)));

/** The nearest folder upwards with a package.json: benchmarks and the program are built to different depths. */
function findProject(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    assert(folder !== dirname(folder), "package.json lies above the program");
  }
}

/**
 * A folder below the cache (`$MMIOSTRIDER_CACHE`, else `$XDG_CACHE_HOME/mmiostrider`, else `~/.cache/mmiostrider`),
 * made on first use with mode 0700.
 *
 * Kernel modules are loaded from here, so a cache that others could change, itself or by way of a folder above or below it, is
 * refused.
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

// Where the project keeps things between runs, and where its own files are.
import { existsSync, mkdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "./assert.js";
import { UserError } from "./errors.js";

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
 * Kernel modules are loaded from here, so a cache that others may write to is refused.
 */
export function cacheDirectory(...below: string[]): string {
  const root =
    process.env.MMIOSTRIDER_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mmiostrider");
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const status = statSync(root);
  if (status.uid !== process.getuid?.() || (status.mode & 0o022) !== 0) {
    throw new UserError(`the cache ${root} belongs to another user or can be written to by others`, {
      advice: `chown and chmod 0700 it, or set MMIOSTRIDER_CACHE to another folder`,
    });
  }
  const directory = join(root, ...below);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

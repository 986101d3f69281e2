// Finds the files of a database's <import>.
import { statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";

/** Number of folders above the database's own that are searched; real databases are two levels deep. */
const levelsMax = 4;

/**
 * The folders in which imported names are looked up, in this order: the importing file's own; the folder of the
 * requested file and those above it (most files are in a database's root, and its parts can be loaded alone, too);
 * those in `$RNN_PATH`, as in envytools; the built-in databases.
 */
export class ImportPath {
  readonly #roots: string[] = [];

  constructor(path: string, builtInDirectory: string, searchPath = process.env.RNN_PATH ?? "") {
    let directory = dirname(resolve(path));
    for (let level = 0; level <= levelsMax; level++) {
      this.#roots.push(directory);
      const parent = dirname(directory);
      if (parent === directory) break;
      directory = parent;
    }
    this.#roots.push(...searchPath.split(":").filter((root) => root !== ""), builtInDirectory);
  }

  /** Returns the path of the file that `importer` calls `name`, or undefined. */
  find(name: string, importer: string): string | undefined {
    if (isAbsolute(name)) return isFile(name) ? name : undefined;
    for (const root of [dirname(importer), ...this.#roots]) {
      const path = join(root, name);
      if (isFile(path)) return resolve(path);
    }
    return undefined;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

// Checks that the file at a path can be run or loaded as root: only root and we ourselves could have put it there or could replace
// it. The owner and mode of the file and of every folder on the way to it decide.
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, UserError } from "./errors.js";

/** Most links that the kernel follows: path_resolution(7). */
const linksMax = 40;
/** Limit of files in a tree: more than any kernel's headers have. */
const treeFilesMax = 500_000;
/** Write permission of the group or of everybody. An access list that lets others write shows as the group's: acl(5). */
const othersWrite = 0o022;
const sticky = 0o1000;

export interface TrustOptions {
  /** Users, besides root, whose files count as our own. */
  owners?: readonly number[];
}

/**
 * Returns the owner of this program's own files. That user decides anyway what is run here, so sources of the same owner are no
 * greater risk. This lets `sudo` run a user's own checkout.
 */
export function programOwner(): number {
  return statSync(fileURLToPath(import.meta.url)).uid;
}

/**
 * Throws UserError unless `path`, and everything on the way to it, belongs to root or us and isn't writable for others.
 * `doing` begins the sentence: "loading the core FILE". A folder like /tmp, where all may write but not replace others'
 * files, may be on the way to a private folder, but no file directly in it is trusted. Symbolic links are followed.
 */
export function requireTrusted(path: string, doing: string, options: TrustOptions = {}): void {
  const owners = trustedOwners(options);
  const todo = names(isAbsolute(path) ? path : `${process.cwd()}/${path}`).reverse();
  let place = "/";
  let links = 0;
  checkEntry(place, statOf(place, doing), owners, doing);
  while (todo.length > 0) {
    const name = todo.pop()!;
    // not by text alone: the folder above a link's target isn't the folder above the link
    if (name === "..") {
      place = dirname(place);
      continue;
    }
    const next = join(place, name);
    const status = statOf(next, doing);
    checkEntry(next, status, owners, doing);
    if (status.isSymbolicLink()) {
      links += 1;
      if (links > linksMax) throw new UserError(`${doing} failed: ${path} leads through too many symbolic links`);
      const target = readlinkSync(next);
      todo.push(...names(target).reverse());
      if (isAbsolute(target)) place = "/";
      continue;
    }
    if (todo.length === 0 && !status.isDirectory()) checkHolder(place, statOf(place, doing), doing);
    place = next;
  }
}

/** Does the same for a folder and everything in it, including links out of it: for the inputs of a build. */
export function requireTrustedTree(root: string, doing: string, options: TrustOptions = {}): void {
  const owners = trustedOwners(options);
  const seen = new Set<string>();
  let files = 0;
  const walk = (folder: string): void => {
    requireTrusted(folder, doing, options);
    const todo = [realpathSync(folder)];
    for (let place = todo.pop(); place !== undefined; place = todo.pop()) {
      if (seen.has(place)) continue;
      seen.add(place);
      for (const entry of readdirSync(place, { withFileTypes: true })) {
        files += 1;
        if (files > treeFilesMax) throw new UserError(`${doing} failed: ${root} has more than ${treeFilesMax} files`);
        const path = join(place, entry.name);
        if (entry.isSymbolicLink()) {
          const target = statSync(path, { throwIfNoEntry: false });
          // a link without a target does no harm
          if (target === undefined) continue;
          requireTrusted(path, doing, options);
          if (target.isDirectory()) walk(path);
          continue;
        }
        checkEntry(path, lstatSync(path), owners, doing);
        if (entry.isDirectory()) todo.push(path);
      }
    }
  };
  walk(resolve(root));
}

function trustedOwners({ owners = [] }: TrustOptions): ReadonlySet<number> {
  return new Set([0, process.geteuid?.() ?? 0, ...owners]);
}

function names(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function statOf(path: string, doing: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw new UserError(`${doing} failed: ${messageOf(error)}`, { cause: error });
  }
}

/** Checks an entry. A link's mode has no meaning; its owner may change its target in a folder like /tmp. */
function checkEntry(path: string, status: Stats, owners: ReadonlySet<number>, doing: string): void {
  const what = status.isDirectory() ? "folder" : status.isSymbolicLink() ? "link" : "file";
  if (!owners.has(status.uid)) {
    throw new UserError(`${doing} is refused: the ${what} ${path} belongs to user ${status.uid}, who could change it`, {
      advice: `if it is as it should be: chown ${status.isSymbolicLink() ? "-h " : ""}${[...owners].at(-1)} ${path}`,
    });
  }
  if (status.isSymbolicLink() || (status.mode & othersWrite) === 0) return;
  if (status.isDirectory() && (status.mode & sticky) !== 0) return;
  throw new UserError(`${doing} is refused: the ${what} ${path} can be written to by ${writers(status)}`, {
    advice: `if it is as it should be: chmod go-w ${path}`,
  });
}

/** Checks the folder of a file: in a folder that is writable for everybody, anybody may have put the file there. */
function checkHolder(folder: string, status: Stats, doing: string): void {
  if ((status.mode & othersWrite) === 0) return;
  throw new UserError(`${doing} is refused: the folder ${folder} can be written to by ${writers(status)}`, {
    advice: "move it into a folder that only its owner can write to",
  });
}

function writers(status: Stats): string {
  const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
  return (status.mode & 0o002) !== 0 ? `everybody (mode ${mode})` : `its group, ${status.gid} (mode ${mode})`;
}

/** Finds the innermost existing folder on the way to `path`. */
export function existingFolder(path: string): string {
  let folder = resolve(path);
  while (folder !== "/" && !isFolder(folder)) folder = dirname(folder);
  return folder;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

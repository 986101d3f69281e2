// Output that is whole or doesn't exist: written under a temporary name beside its place, and renamed when it is finished. Work that
// fails, or is stopped by a signal, leaves nothing behind; a killed process leaves at most the temporary file.
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "./errors.js";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Characters of a file's name that its temporary name repeats: both must fit the limit of 255 bytes. */
const shownName_chars = 40;
let made = 0;

/**
 * Runs `work` with the path of an empty file; after success the file gets the name `path`. A symbolic link stays, and
 * the file that it leads to is replaced; the new file inherits the owner and mode of the replaced one, or has those of the umask.
 *
 * A FIFO, a device, an open descriptor (`-`, `/dev/stdout`, `/dev/fd/3`) can't be replaced: `work` gets `path` itself.
 * Throws UserError, and the errors of `work`.
 */
export async function finishedFile<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  if (openDescriptor(path) !== undefined) return work(path);
  const place = attempt(`making ${path}`, () => placeOf(path));
  if (path.endsWith("/") || place.status?.isDirectory() === true) throw new UserError(`${path} is a folder`);
  if (place.status?.isFile() === false) return work(path);
  if (place.status !== undefined) attempt(`making ${path}`, () => accessSync(place.path, constants.W_OK));
  return withTemporary(place, path, (temporary) => {
    // fails if somebody else has taken the name, for example with a link that leads elsewhere
    attempt(`making ${path}`, () => writeFileSync(temporary, "", { flag: "wx" }));
    return work(temporary);
  });
}

/**
 * Does the same as `finishedFile` for a folder: `work` gets an empty one. Before, `path` must be an empty folder or not exist.
 */
export async function finishedFolder<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const place = attempt(`making ${path}`, () => placeOf(path));
  if (place.status !== undefined && !(place.status.isDirectory() && readdirSync(place.path).length === 0)) {
    throw new UserError(`${path} is there already, and isn't an empty folder`, {
      advice: "choose another, or remove it",
    });
  }
  return withTemporary(place, path, async (temporary) => {
    attempt(`making ${path}`, () => mkdirSync(temporary));
    return work(temporary);
  });
}

/** Returns the number of the open descriptor that `path` names, directly or by links; undefined for any other path. */
export function openDescriptor(path: string): number | undefined {
  if (path === "-") return 1;
  for (const step of steps(path)) {
    const digits = /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/.exec(step)?.[1];
    if (digits !== undefined) return Number(digits);
  }
  return undefined;
}

interface Place {
  /** The final path after all symbolic links. */
  path: string;
  /** Undefined if nothing exists there yet. */
  status: Stats | undefined;
}

/** Throws the system's errors. */
function placeOf(path: string): Place {
  // first, because it reports circles of links
  const status = statSync(path, { throwIfNoEntry: false });
  return { path: [...steps(path)].at(-1)!.replace(/(?<=.)\/+$/, ""), status };
}

/** Yields the path, and each path that a symbolic link at its end leads to. */
function* steps(path: string): Generator<string> {
  const linksMax = 40;
  let place = path;
  for (let links = 0; links <= linksMax; links += 1) {
    yield place;
    try {
      if (!lstatSync(place).isSymbolicLink()) return;
      const target = readlinkSync(place);
      place = target.startsWith("/") ? target : `${realpathSync(dirname(place))}/${target}`;
    } catch {
      // nothing exists here: a file can be made
      return;
    }
  }
}

async function withTemporary<T>(place: Place, path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  made += 1;
  const shown = basename(place.path).slice(0, shownName_chars);
  const temporary = join(dirname(place.path), `.${shown}.part-${process.pid}-${made}`);
  return removedOnFailure(temporary, async () => {
    const result = await work(temporary);
    attempt(`putting ${path} in its place`, () => {
      if (place.status !== undefined) inherit(temporary, place.status);
      renameSync(temporary, place.path);
    });
    return result;
  });
}

/** Gives the replaced file's owner and mode to the new one, as far as this user may. */
function inherit(path: string, { uid, gid, mode }: Stats): void {
  const ours = statSync(path);
  let permissions = mode & 0o7777;
  if (uid !== ours.uid || gid !== ours.gid) {
    if (!changesOwner(path, uid, gid) && !changesOwner(path, ours.uid, gid)) {
      // those rights were for another group
      permissions &= 0o7707;
    }
  }
  chmodSync(path, permissions);
}

function changesOwner(path: string, uid: number, gid: number): boolean {
  try {
    chownSync(path, uid, gid);
    return true;
  } catch {
    return false;
  }
}

/** Runs `work` with a folder for temporary files. Throws UserError, and the errors of `work`. */
export async function temporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = attempt(`making a temporary folder in ${tmpdir()}`, () => mkdtempSync(join(tmpdir(), "mmiostrider-")));
  return removedOnFailure(folder, async () => {
    const result = await work(folder);
    rmSync(folder, { recursive: true, force: true });
    return result;
  });
}

async function removedOnFailure<T>(path: string, work: () => Promise<T>): Promise<T> {
  const remove = () => rmSync(path, { recursive: true, force: true });
  const stop = (signal: NodeJS.Signals) => {
    remove();
    release();
    process.kill(process.pid, signal);
  };
  const release = () => {
    for (const signal of signals) process.off(signal, stop);
  };
  for (const signal of signals) process.on(signal, stop);
  try {
    return await work();
  } catch (error) {
    remove();
    throw error;
  } finally {
    release();
  }
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new UserError(`${what} failed: ${messageOf(error)}`, { cause: error });
  }
}

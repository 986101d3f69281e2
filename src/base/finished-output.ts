// Output that is there whole or not at all: written under another name beside its place, and given its own when it is done.
// What fails, or is stopped by a signal, leaves nothing behind.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, UserError } from "./errors.js";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
let made = 0;

/**
 * Runs `work` with the path of a file that doesn't exist yet; when it settles well, the file is renamed to `path`. What is no
 * regular file (a pipe, a device, `-`) is given to `work` as it is. Throws UserError, and what `work` throws.
 */
export async function finishedFile<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  if (path === "-") return work(path);
  const target = existsSync(path) ? realpathSync(path) : resolve(path);
  if (existsSync(target)) {
    const status = statSync(target);
    if (status.isDirectory()) throw new UserError(`${path} is a folder`);
    if (!status.isFile()) return work(target);
  }
  return withTemporary(target, path, work);
}

/**
 * As `finishedFile`, for a folder: `work` gets one that is empty. Nothing, or an empty folder, may be at `path` before.
 */
export async function finishedFolder<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const target = resolve(path);
  if (existsSync(target) && !(statSync(target).isDirectory() && readdirSync(target).length === 0)) {
    throw new UserError(`${path} is there already, and isn't an empty folder`, {
      advice: "choose another, or remove it",
    });
  }
  return withTemporary(target, path, async (temporary) => {
    attempt(`making ${path}`, () => mkdirSync(temporary));
    return work(temporary);
  });
}

async function withTemporary<T>(target: string, path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  made += 1;
  const temporary = join(dirname(target), `.${basename(target)}.part-${process.pid}-${made}`);
  return removedOnFailure(temporary, async () => {
    const result = await work(temporary);
    attempt(`putting ${path} in its place`, () => renameSync(temporary, target));
    return result;
  });
}

/** Runs `work` with a folder for what is needed only as long as it runs. Throws UserError, and what `work` throws. */
export async function temporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  let folder = "";
  attempt(`making a temporary folder in ${tmpdir()}`, () => {
    folder = mkdtempSync(join(tmpdir(), "mmiostrider-"));
  });
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

function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new UserError(`${what} failed: ${messageOf(error)}`, { cause: error });
  }
}

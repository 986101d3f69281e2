// Folders in the cache that are whole or don't exist, though any number of runs may make them at once and may be interrupted.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Makes the folder `place` unless it exists: `fill` fills a temporary one, which is then renamed.
 *
 * If another run is faster, its folder stays and ours is removed. Removes the leftovers of interrupted runs.
 * Throws the errors of `fill`.
 */
export async function publishDirectory(place: string, fill: (work: string) => Promise<void>): Promise<void> {
  if (existsSync(place)) return;
  removeAbandoned(place);
  const work = `${place}.part-${process.pid}`;
  mkdirSync(work, { recursive: true, mode: 0o700 });
  try {
    await fill(work);
    renameSync(work, place);
  } catch (error) {
    if (!existsSync(place)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Removes the unfinished folders of processes that are gone. */
function removeAbandoned(place: string): void {
  const prefix = `${basename(place)}.part-`;
  if (!existsSync(dirname(place))) return;
  for (const name of readdirSync(dirname(place))) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length));
    if (!isRunning(pid)) rmSync(join(dirname(place), name), { recursive: true, force: true });
  }
}

/** Returns true if there is a process with this number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

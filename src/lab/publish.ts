// Folders in the cache that are there whole or not at all, however many runs make them at once and however they end.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Makes the folder `place` unless it is there: `fill` puts its content into another one, which then gets the name.
 *
 * When another run is faster, its folder stays and ours goes. What interrupted runs left is removed.
 * Throws what `fill` throws.
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

/** Whether there is a process of this number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

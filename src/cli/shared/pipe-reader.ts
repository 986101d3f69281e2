// A trace that goes into a FIFO: opening one waits for a reader, without an end and deaf to signals, so that we wait beforehand.
import { closeSync, constants, openSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isSystemError } from "../../base/errors.js";

const lookAgain_ms = 100;

/** Keeps the FIFO open meanwhile: its reader would take it for ended. */
export interface HeldPipe {
  release(): void;
}

/**
 * Waits until somebody reads the FIFO `path`, or until `stopped` settles; calls `onWait` once if that takes a while. Returns at once
 * for other files.
 */
export async function awaitReader(path: string, stopped: Promise<unknown>, onWait: () => void): Promise<HeldPipe> {
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO() !== true) return { release: () => {} };
  let isStopped = false;
  const stop = stopped.then(() => {
    isStopped = true;
  });
  for (let tries = 0; !isStopped; tries += 1) {
    const descriptor = openIfRead(path);
    if (descriptor !== undefined) return { release: () => closeSync(descriptor) };
    if (tries === 0) onWait();
    await Promise.race([sleep(lookAgain_ms), stop]);
  }
  return { release: () => {} };
}

/** Opens the FIFO for writing; undefined if nobody reads it. */
function openIfRead(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isSystemError(error, "ENXIO")) return undefined;
    throw error;
  }
}

// A new trace that is there whole or not at all: it gets its name once it is finished.
import { renameSync, rmSync } from "node:fs";
import { messageOf, UserError } from "../base/errors.js";
import type { TraceHeader } from "../trace/header.js";
import { TraceWriter } from "../trace/writer.js";
import { StopSignals } from "./stop-signals.js";

export interface NewTrace {
  create: (header: TraceHeader) => Promise<TraceWriter>;
  /** Throws UserError once Ctrl-C was pressed. */
  check: () => void;
}

/** Has `work` write the trace at `path` (`-` is standard output). Where it throws, nothing is left behind. */
export async function makeTrace<T>(path: string, work: (trace: NewTrace) => Promise<T>): Promise<T> {
  const temporary = path === "-" ? "-" : `${path}.${process.pid}.partial`;
  const signals = new StopSignals();
  const check = () => {
    if (signals.received !== undefined) throw new UserError(`stopped by ${signals.received}; nothing was written`);
  };
  let made = false;
  try {
    const result = await work({ create: (header) => TraceWriter.create(temporary, header), check });
    if (temporary !== "-") {
      try {
        renameSync(temporary, path);
      } catch (error) {
        throw new UserError(`making ${path} failed: ${messageOf(error)}`, { cause: error });
      }
    }
    made = true;
    return result;
  } finally {
    signals.release();
    if (!made && temporary !== "-") rmSync(temporary, { force: true });
  }
}

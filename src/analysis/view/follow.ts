// Walks a trace that is still being written, or still comes through a pipe: to what is there, and on to what comes, until the
// trace ends.
import type { TraceReader } from "../../trace/file/reader.js";
import type { AccessRegisters } from "./access-registers.js";
import { Range, type Selection } from "./range.js";
import { selectedViews, type ViewBatch } from "./selection.js";
import { requireBounds } from "./selection-checks.js";

export interface Following {
  /** Everything that is there has been given. */
  caughtUp?: (() => Promise<void>) | undefined;
  /** Settles when it is time to look again: with false where nobody wants more. */
  wait: () => Promise<boolean>;
}

/**
 * As selectedViews(), up to the recorder's summary; the bounds must have occurred when that is there, or when no more comes. Of a trace
 * that is still growing, accesses are named by what their devices have told so far. Throws FormatError, UserError.
 */
export async function* followedViews(
  reader: TraceReader,
  registers: AccessRegisters,
  selection: Selection,
  { caughtUp, wait }: Following,
): AsyncGenerator<ViewBatch, void, undefined> {
  const range = new Range(reader.header, selection);
  const boundsLater = { ...selection, boundsMustOccur: false };
  const end = () => {
    if (selection.boundsMustOccur === true) requireBounds(range, reader);
  };
  for (let fromBlock = 0; ; ) {
    yield* selectedViews(reader, registers, boundsLater, { fromBlock, range, growing: reader.summary === null });
    fromBlock = reader.blocks.length;
    await caughtUp?.();
    if (reader.summary !== null) {
      await lookBehindEnd(reader, wait);
      return end();
    }
    for (;;) {
      // asked before looking: what comes afterwards is for the next look
      const { coming, failure } = comingOf(reader);
      if ((await reader.refresh()) > 0 || reader.summary !== null) break;
      if (failure !== undefined) throw failure;
      if (coming === false) return end();
      if (!(await wait())) return;
    }
  }
}

/** Waits for the end of a pipe that brought a whole trace: what else it brings makes the trace incomplete. */
async function lookBehindEnd(reader: TraceReader, wait: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const { coming, failure } = comingOf(reader);
    await reader.refresh();
    if (failure !== undefined) throw failure;
    if (coming !== true || !reader.complete || !(await wait())) return;
  }
}

/** Asks if more comes; what came before a failure is still to be looked at. */
function comingOf({ source }: TraceReader): { coming: boolean | undefined; failure?: unknown } {
  try {
    return { coming: source.coming };
  } catch (failure) {
    return { coming: false, failure };
  }
}

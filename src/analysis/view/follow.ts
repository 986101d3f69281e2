// Walks a trace that is still being written, or still comes through a pipe: to what is there, and on to what comes, until the
// trace ends.
import type { TraceReader } from "../../trace/file/reader.js";
import type { AccessRegisters } from "./access-registers.js";
import { Range, type Selection, selectedViews, type ViewBatch } from "./selection.js";

export interface Following {
  /** Everything that is there has been given. */
  caughtUp?: (() => Promise<void>) | undefined;
  /** Settles when it is time to look again: with false where nobody wants more. */
  wait: () => Promise<boolean>;
}

/** As selectedViews(), up to the recorder's summary. Throws FormatError, UserError. */
export async function* followedViews(
  reader: TraceReader,
  registers: AccessRegisters,
  selection: Selection,
  { caughtUp, wait }: Following,
): AsyncGenerator<ViewBatch, void, undefined> {
  const range = new Range(reader.header, selection);
  for (let fromBlock = 0; ; ) {
    yield* selectedViews(reader, registers, selection, { fromBlock, range });
    fromBlock = reader.blocks.length;
    if (reader.summary !== null) return;
    await caughtUp?.();
    for (;;) {
      // asked before looking: what comes afterwards is for the next look
      const { coming } = reader.source;
      if ((await reader.refresh()) > 0 || reader.summary !== null) break;
      if (coming === false || !(await wait())) return;
    }
  }
}

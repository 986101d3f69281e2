// What the text formats have in common: text before, for, and after a trace's events.
import type { TraceEvent } from "../events.js";
import type { TraceReader } from "../reader.js";
import type { TraceState } from "../state.js";

export interface TextExport {
  head(): string;
  /** Shown every event, in order. */
  event(event: TraceEvent, state: TraceState): string | Uint8Array;
  end(): string;
}

const piece_bytes = 256 << 10;

/** Gives all of `reader`'s trace as text, in pieces of some size. */
export async function* exportText(reader: TraceReader, format: TextExport): AsyncGenerator<Uint8Array> {
  let text = format.head();
  for await (const { event, state } of reader.eventsWithState()) {
    const lines = format.event(event, state);
    if (typeof lines === "string") text += lines;
    else {
      yield Buffer.from(text);
      yield lines;
      text = "";
    }
    if (text.length > piece_bytes) {
      yield Buffer.from(text);
      text = "";
    }
  }
  yield Buffer.from(text + format.end());
}

// Shared by the text formats: text before, for, and after a trace's events.
import { utf8Bytes } from "../../base/bytes.js";
import type { TraceEvent } from "../events.js";
import type { EventBatch, TraceReader } from "../file/reader.js";
import type { TraceState } from "../state.js";
import type { TellRegister } from "../text.js";

/** Names a trace's registers. */
export interface RegisterTeller {
  tell: TellRegister;
  /** Called before a batch's events are asked for. */
  prepare?: (reader: TraceReader, batch: EventBatch) => Promise<void>;
}

export interface TextExport {
  head(): string | Uint8Array;
  /** Makes an event's text; called for every event, in order. */
  event(event: TraceEvent, state: TraceState): string | Uint8Array;
  end(): string;
  /** Describes what the text leaves out, one sentence a kind; known at its end. */
  notes?(): string[];
}

const piece_bytes = 256 << 10;

/** Yields all of `reader`'s trace as text, in pieces. */
export async function* exportText(
  reader: TraceReader,
  format: TextExport,
  onProgress?: (events: number, all: number) => void,
  prepare?: RegisterTeller["prepare"],
): AsyncGenerator<Uint8Array> {
  const head = format.head();
  let text = typeof head === "string" ? head : "";
  if (typeof head !== "string") yield head;
  for await (const batch of reader.batches()) {
    await prepare?.(reader, batch);
    const { block, events, state } = batch;
    for (const event of events) {
      const lines = format.event(event, state);
      if (typeof lines === "string") text += lines;
      else {
        yield utf8Bytes(text);
        yield lines;
        text = "";
      }
      if (text.length > piece_bytes) {
        yield utf8Bytes(text);
        text = "";
      }
    }
    onProgress?.(block.firstEvent + block.events, reader.events);
  }
  yield utf8Bytes(text + format.end());
}

// Writes a part of a trace as a new trace. Its times still count from the beginning of the recording.
import { letOthersRun } from "../../base/turns.js";
import { holeSentence } from "../../trace/file/incomplete.js";
import type { PlacedUpdate, TraceReader } from "../../trace/file/reader.js";
import type { TraceWriter } from "../../trace/file/writer.js";
import type { TraceHeader } from "../../trace/header.js";
import type { AccessRegisters } from "../view/access-registers.js";
import { type Selection, selectedViews } from "../view/selection.js";
import { TraceCopy, updatedHeader } from "./trace-copy.js";

export interface CutOptions {
  selection: Selection;
  /** Names registers for the selection's filter. */
  registers: AccessRegisters;
  /** The user's command line, for the new trace's header. */
  commandLine: string[];
  /** A sentence for the summary if a filter left things out, since the new trace lacks them. */
  leftOut?: string | undefined;
  /** Gets the progress, in events of the source. */
  progress?: (events: number) => void;
  /** Starts the new trace. */
  create: (header: TraceHeader) => Promise<TraceWriter>;
}

/** Writes the selected events; returns their number. Throws FormatError, UserError. */
export async function cutTrace(reader: TraceReader, options: CutOptions): Promise<number> {
  const { selection, registers } = options;
  let copy: TraceCopy | undefined;
  let updates = 0;
  const start = async (): Promise<{ copy: TraceCopy; writer: TraceWriter }> => {
    const before = reader.updates.slice(0, updates).map(({ update }) => update);
    const header = updatedHeader({ ...reader.header, fence: null }, before);
    const writer = await options.create({ ...header, commandLine: options.commandLine });
    copy = new TraceCopy(writer);
    return { copy, writer };
  };
  for await (const { block, state, views } of selectedViews(reader, registers, selection)) {
    const due: PlacedUpdate[] = [];
    while (updates < reader.updates.length && reader.updates[updates]!.firstRecord <= block.firstRecord) {
      due.push(reader.updates[updates]!);
      updates += 1;
    }
    if (copy !== undefined) for (const { update } of due) await copy.note(update);
    for (const { event } of views) {
      if (copy === undefined) {
        const started = await start();
        // If the first event is a MAP, its own mapping didn't exist before it.
        const living = [...state.mappings.values()].filter(({ id }) => event.kind !== "map" || id !== event.mapping);
        started.writer.begin(living);
      }
      const written = copy!.add(event, state);
      if (written !== undefined) await written;
    }
    options.progress?.(block.firstEvent + block.events);
    await letOthersRun();
  }
  const made = copy ?? (await start()).copy;
  const { missed = 0, notes } = reader.summary ?? {};
  const incomplete = incompleteness(reader, options.leftOut);
  await made.close({ missed, incomplete, ...(notes === undefined ? {} : { notes }) });
  return made.events;
}

function incompleteness(reader: TraceReader, leftOut: string | undefined): string[] {
  const sentences = (reader.summary?.incomplete ?? []).map((what) => `of the trace that it was made of: ${what}`);
  sentences.push(...reader.holes.map((hole) => `of the trace that it was made of: ${holeSentence(hole)}`));
  if (reader.damage !== null) sentences.push(`it was made of a trace that is cut: ${reader.damage.what}`);
  if (leftOut !== undefined) sentences.push(leftOut);
  return sentences;
}

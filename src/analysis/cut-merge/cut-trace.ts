// Writes a part of a trace as a new trace. Its times still count from the beginning of the recording.
import { assertUnreachable } from "../../base/assert.js";
import { letOthersRun } from "../../base/turns.js";
import { holeSentence } from "../../trace/file/incomplete.js";
import type { PlacedUpdate, TraceReader } from "../../trace/file/reader.js";
import type { TraceWriter } from "../../trace/file/writer.js";
import type { TraceHeader } from "../../trace/header.js";
import type { AccessRegisters } from "../view/access-registers.js";
import { type Bound, Range, type Selection } from "../view/range.js";
import { selectedViews } from "../view/selection.js";
import { copiedEvent, copiedHeader } from "./copied-losses.js";
import { noteOfWhole } from "./copied-notes.js";
import { dmaBefore } from "./dma-before.js";
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

export interface Cut {
  /** Number of events in the new trace. */
  events: number;
  /** A sentence about the range, if it leaves events out. */
  part: string | undefined;
}

/** Writes the selected events. Throws FormatError, UserError. */
export async function cutTrace(reader: TraceReader, options: CutOptions): Promise<Cut> {
  const { selection, registers } = options;
  const range = new Range(reader.header, selection);
  let copy: TraceCopy | undefined;
  let updates = 0;
  const start = async (): Promise<{ copy: TraceCopy; writer: TraceWriter }> => {
    const before = reader.updates.slice(0, updates).map(({ update }) => update);
    const updated = updatedHeader({ ...reader.header, fence: null }, before);
    const header = copiedHeader(updated, reader.header.pciFunctions);
    const writer = await options.create({ ...header, commandLine: options.commandLine });
    copy = new TraceCopy(writer);
    return { copy, writer };
  };
  for await (const { block, state, views } of selectedViews(reader, registers, selection, { range })) {
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
        started.writer.begin(living, dmaBefore(state, event));
      }
      const copied = copiedEvent(event, reader.header);
      const written = copied && copy!.add(copied, state);
      if (written !== undefined) await written;
    }
    options.progress?.(block.firstEvent + block.events);
    await letOthersRun();
  }
  const made = copy ?? (await start()).copy;
  const { missed = 0, notes: wholeNotes, part: before = [] } = reader.summary ?? {};
  const incomplete = incompleteness(reader, options.leftOut);
  const part = range.leavesOut ? partSentence(reader.source.name, selection) : undefined;
  const isPart = part !== undefined || options.leftOut !== undefined;
  const notes = isPart ? wholeNotes?.map((note) => noteOfWhole(reader.source.name, note)) : wholeNotes;
  const parts = part === undefined ? before : [...before, part];
  await made.close({
    ...{ missed, incomplete },
    ...(notes === undefined ? {} : { notes }),
    ...(parts.length === 0 ? {} : { part: parts }),
  });
  return { events: made.events, part };
}

function partSentence(name: string, { from, to }: Selection): string {
  const begin = from === undefined ? [] : [`from ${boundText(from)}`];
  const end = to === undefined ? (from === undefined ? [] : ["on"]) : [`to ${boundText(to)}`];
  return `only a part of ${name} was kept: ${[...begin, ...end].join(" ")}`;
}

function boundText(bound: Bound): string {
  switch (bound.kind) {
    case "event":
      return `event ${bound.number}`;
    case "time":
      return `${bound.time_s} s`;
    case "mark":
      return `the marker ${JSON.stringify(bound.text)}`;
    default:
      return assertUnreachable(bound);
  }
}

function incompleteness(reader: TraceReader, leftOut: string | undefined): string[] {
  const sentences = (reader.summary?.incomplete ?? []).map((what) => `of the trace that it was made of: ${what}`);
  const faults = [...(reader.source.incomplete ?? []), ...reader.holes.map(holeSentence)];
  sentences.push(...faults.map((what) => `of the trace that it was made of: ${what}`));
  if (reader.damage !== null) sentences.push(`it was made of a trace that is cut: ${reader.damage.what}`);
  if (leftOut !== undefined) sentences.push(leftOut);
  return sentences;
}

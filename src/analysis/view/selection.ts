// Selects a part of a trace: a range, and the events in it that fit a filter. Walks through the selection, and decodes only
// the blocks that can hold any of it; of the others it checks the checksums, so that no damaged trace is called complete.
import type { TraceEvent } from "../../trace/events.js";
import type { BlockInfo, TraceReader } from "../../trace/file/reader.js";
import type { TraceState } from "../../trace/state.js";
import type { Filter } from "../filter/filter.js";
import type { AccessRegisters } from "./access-registers.js";
import { EventView } from "./event-view.js";
import { learnAhead, learnFromBlock } from "./learn-from-block.js";
import { Range, type Selection } from "./range.js";
import { requireBounds, requireFacts, UnmetFields } from "./selection-checks.js";

export interface ViewBatch {
  block: BlockInfo;
  state: TraceState;
  /** The same object for every event; walk through it once. */
  views: Iterable<EventView>;
}

/**
 * Yields the selected events and LOST events from block `fromBlock` on, a block at a time. Leaves out symbol events, which
 * only help to read the others. `range` keeps its state between several walks. What devices tell about their registers is learned
 * before their first access is named; if more of the trace may come (`growing`), as far as it is in the same block. Throws
 * InvalidValueError for what the log doesn't have, such as a time, and at the end if `boundsMustOccur` and one didn't.
 */
export async function* selectedViews(
  reader: TraceReader,
  registers: AccessRegisters,
  selection: Selection,
  walk: { fromBlock?: number; range?: Range; growing?: boolean } = {},
): AsyncGenerator<ViewBatch, void, undefined> {
  requireFacts(reader, selection, walk.growing === true);
  const unmet = new UnmetFields(reader, selection);
  const range = walk.range ?? new Range(reader.header, selection);
  const view = new EventView(reader.header, registers);
  let next = walk.fromBlock ?? 0;
  while (next < reader.blocks.length) {
    const block = reader.blocks[next]!;
    if (!range.reaches(block)) {
      if (registers.learnsFrom(reader.header.pciFunctions)) await learnFromBlock(reader, next, registers);
      else await reader.checkBlock(next);
      next += 1;
      continue;
    }
    for await (const batch of reader.batches(next)) {
      await learnAhead(reader, batch, registers, walk.growing);
      yield {
        block: batch.block,
        state: batch.state,
        views: viewsOf(batch.events, batch.state, view, range, selection.filter, unmet),
      };
      next += 1;
      const following = reader.blocks[next];
      if (following !== undefined && !range.reaches(following)) break;
    }
  }
  if (selection.boundsMustOccur === true) requireBounds(range, reader);
  if (walk.growing === undefined) unmet.requireNone();
}

function* viewsOf(
  events: Iterable<TraceEvent>,
  state: TraceState,
  view: EventView,
  range: Range,
  filter: Filter | undefined,
  unmet: UnmetFields,
): Generator<EventView, void, undefined> {
  for (const event of events) {
    if (event.kind === "symbol") continue;
    view.show(event, state);
    if (!range.contains(event)) continue;
    unmet.take(view);
    // Lost accesses might have fitted any filter.
    if (filter === undefined || event.kind === "lost" || filter(view)) yield view;
  }
}

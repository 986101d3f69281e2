// Finds, for an access, the earlier ones of its variable that nothing puts before it, and tells of each pair.
import { type AccessLists, ListAt, rowWidth } from "./access-lists.js";
import type { ClockRows } from "./clock-rows.js";
import type { RaceSink } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";

export class Conflicts {
  private readonly races: RaceSink;
  private readonly lists: AccessLists;
  private readonly later = { kind: 0, thread: 0, location: 0, event: 0 };
  private readonly earlier = { kind: 0, thread: 0, location: 0 };
  private variable = 0;
  private readonly found = (thread: number, location: number) => {
    this.earlier.thread = thread;
    this.earlier.location = location;
    this.races.pair(this.variable, this.earlier, this.later);
  };

  constructor(races: RaceSink, lists: AccessLists) {
    this.races = races;
    this.lists = lists;
  }

  /** Looks at one access of a batch, by its thread's clock. */
  look({ kinds, threads, targets, locations, firstEvent }: EventBatch, index: number, clocks: ClockRows): void {
    const { lists, later, earlier } = this;
    later.kind = kinds[index]!;
    later.thread = threads[index]!;
    later.location = locations[index]!;
    later.event = firstEvent + index;
    this.variable = targets[index]!;
    const row = this.variable * rowWidth;
    const at = later.thread * clocks.width;
    earlier.kind = EventKind.write;
    let races = lists.after(row + ListAt.writes, clocks.values, at, this.found);
    if (later.kind === EventKind.write) {
      earlier.kind = EventKind.read;
      races += lists.after(row + ListAt.reads, clocks.values, at, this.found);
    }
    if (races > 0) this.races.racy(later.event, this.variable);
  }
}

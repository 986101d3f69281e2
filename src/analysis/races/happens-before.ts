// Happens-before: an event is racy if it and an earlier conflicting one are ordered by neither program order, locks, fork nor join.
// Finds each such event, not only a variable's first, as vector clocks do (DJIT+), at the price of FastTrack's epochs: of a variable's
// accesses only those are kept that no later one has in its past.
import { AccessLists, ListAt, Part, rowWidth } from "./access-lists.js";
import { ClockRows } from "./clock-rows.js";
import { Conflicts } from "./conflicts.js";
import type { Detector, RaceSink } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";
import { grown } from "./name-table.js";

const noTime = 0x7fffffff;
const firstLength = 64;

export class HappensBefore implements Detector {
  private readonly clocks = new ClockRows();
  /** Each lock's clock, as its last release left it, and that release's thread and time. */
  private readonly locks = new ClockRows();
  private releasers = new Int32Array(firstLength);
  private releaseTimes = new Int32Array(firstLength);
  private readonly lists = new AccessLists();
  /**
   * 1 for a thread that was joined at its present time. If it goes on all the same, that time in another's clock doesn't tell which of
   * the thread's events the other has seen: then the thread's whole clock goes into the lists.
   */
  private joined = new Uint8Array(firstLength);
  private readonly conflicts: Conflicts;

  constructor(races: RaceSink) {
    this.conflicts = new Conflicts(races, this.lists);
  }

  take(batch: EventBatch): void {
    this.widen(batch);
    const { kinds, threads, targets, locations, length } = batch;
    const { clocks, joined } = this;
    // neither is replaced before the next batch
    const { values, width } = clocks;
    const { rows } = this.lists;
    for (let index = 0; index < length; index += 1) {
      const kind = kinds[index]!;
      const thread = threads[index]!;
      const target = targets[index]!;
      if (kind > EventKind.write) {
        this.synchronise(kind, thread, target);
        continue;
      }
      const row = target * rowWidth;
      const at = thread * width;
      const isPlain =
        rows[row + writesTime]! <= values[at + rows[row]!]! &&
        rows[row + readsTime]! <= values[at + rows[row + ListAt.reads]!]! &&
        (rows[row + Part.next]! | rows[row + readsNext]! | joined[thread]!) === 0;
      if (!isPlain) {
        this.access(batch, index);
        continue;
      }
      // All earlier accesses are in this one's past: it alone decides from here on, but no read races with a read.
      let list = row;
      if (kind === EventKind.read) list += ListAt.reads;
      else rows[row + ListAt.reads] = rows[row + readsTime] = 0;
      rows[list] = thread;
      rows[list + Part.time] = values[at + thread]!;
      rows[list + Part.location] = locations[index]!;
    }
  }

  private widen({ threadCount, lockCount, variableCount }: EventBatch): void {
    const { clocks, locks } = this;
    clocks.widen(threadCount);
    locks.widen(threadCount);
    clocks.addThreads(threadCount);
    while (locks.rows < lockCount) locks.add();
    if (threadCount > this.joined.length) this.joined = grown(this.joined, 2 * threadCount);
    if (lockCount > this.releasers.length) {
      this.releasers = grown(this.releasers, 2 * lockCount);
      this.releaseTimes = grown(this.releaseTimes, 2 * lockCount);
    }
    this.lists.widen(variableCount);
  }

  /** Takes an access that may race, or whose variable has longer lists. */
  private access(batch: EventBatch, index: number): void {
    const { lists, clocks } = this;
    const { values } = clocks;
    const kind = batch.kinds[index]!;
    const thread = batch.threads[index]!;
    const location = batch.locations[index]!;
    const row = batch.targets[index]! * rowWidth;
    const at = thread * clocks.width;
    const writes = row + ListAt.writes;
    const reads = row + ListAt.reads;
    this.conflicts.look(batch, index, clocks);
    if (kind === EventKind.write) lists.prune(writes, values, at);
    lists.prune(reads, values, at);
    const list = kind === EventKind.write ? writes : reads;
    lists.set(list, thread, values[at + thread]!, location);
    if (this.joined[thread] === 0) return;
    for (let other = 0; other < clocks.threads; other += 1) {
      if (values[at + other]! > 0) lists.raise(list, other, values[at + other]!, location);
    }
  }

  private synchronise(kind: number, thread: number, target: number): void {
    const { clocks, locks } = this;
    switch (kind) {
      case EventKind.acquire: {
        const seen = clocks.values[thread * clocks.width + this.releasers[target]!]!;
        if (seen < this.releaseTimes[target]!) clocks.join(locks, target, thread);
        return;
      }
      case EventKind.release: {
        locks.copy(clocks, thread, target);
        this.releasers[target] = thread;
        const time = this.tick(thread);
        this.releaseTimes[target] = time < 0 ? noTime : time;
        return;
      }
      case EventKind.fork:
        if (target !== thread) clocks.join(clocks, thread, target);
        this.tick(thread);
        return;
      case EventKind.join:
        if (target === thread) return;
        clocks.join(clocks, target, thread);
        this.joined[target] = 1;
        return;
      default:
    }
  }

  /** Advances a thread's time; returns the time before, or -1 if the thread was joined at that time. */
  private tick(thread: number): number {
    const { values, width } = this.clocks;
    const time = values[thread * width + thread]!;
    values[thread * width + thread] = time + 1;
    const isJoined = this.joined[thread] !== 0;
    this.joined[thread] = 0;
    return isJoined ? -1 : time;
  }
}

const writesTime = ListAt.writes + Part.time;
const readsTime = ListAt.reads + Part.time;
const readsNext = ListAt.reads + Part.next;

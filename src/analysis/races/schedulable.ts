// Schedulable happens-before (Mathur, Kini, Viswanathan 2018): happens-before, and a read comes after the write whose value it got. So
// each race that is found could really have happened, not only the first one.
import { AccessLists, ListAt, rowWidth } from "./access-lists.js";
import { ClockPool } from "./clock-pool.js";
import { ClockRows } from "./clock-rows.js";
import { Conflicts } from "./conflicts.js";
import type { Detector, RaceSink } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";
import { grown } from "./name-table.js";

const firstLength = 64;
/** A variable's last write in a row of `lastWrites`. */
const Write = { thread: 0, time: 1, copy: 2 } as const;
const writeWidth = 4;

export class SchedulableHappensBefore implements Detector {
  private readonly withLocks: boolean;
  private readonly clocks = new ClockRows();
  private readonly locks = new ClockRows();
  private readonly lists = new AccessLists();
  private readonly pool = new ClockPool();
  /** By variable; time 0 means that it wasn't written. */
  private lastWrites = new Int32Array(firstLength * writeWidth);
  private readonly conflicts: Conflicts;

  /** `withLocks` false leaves out the order that locks make. */
  constructor(races: RaceSink, withLocks = true) {
    this.conflicts = new Conflicts(races, this.lists);
    this.withLocks = withLocks;
  }

  take(batch: EventBatch): void {
    this.widen(batch);
    const { kinds, threads, targets, locations, length } = batch;
    for (let index = 0; index < length; index += 1) {
      const kind = kinds[index]!;
      const thread = threads[index]!;
      const target = targets[index]!;
      if (kind > EventKind.write) {
        this.synchronise(kind, thread, target);
        continue;
      }
      this.conflicts.look(batch, index, this.clocks);
      if (kind === EventKind.read) this.read(thread, target, locations[index]!);
      else this.write(thread, target, locations[index]!);
    }
  }

  private widen({ threadCount, lockCount, variableCount }: EventBatch): void {
    const { clocks, locks } = this;
    for (const rows of [clocks, locks, this.pool.rows]) rows.widen(threadCount);
    clocks.addThreads(threadCount);
    while (locks.rows < lockCount) locks.add();
    this.lists.widen(variableCount);
    const needed = variableCount * writeWidth;
    if (needed > this.lastWrites.length) this.lastWrites = grown(this.lastWrites, 2 * needed);
  }

  private read(thread: number, variable: number, location: number): void {
    const { clocks, lastWrites } = this;
    const write = variable * writeWidth;
    if (lastWrites[write + Write.time] !== 0) this.follow(thread, write);
    const time = clocks.values[thread * clocks.width + thread]!;
    this.lists.set(variable * rowWidth + ListAt.reads, thread, time, location);
  }

  /** Puts a write, and all that came before it, into a reading thread's past. */
  private follow(thread: number, write: number): void {
    const { clocks, lastWrites, pool } = this;
    const { values, width } = clocks;
    const writer = lastWrites[write + Write.thread]!;
    const time = lastWrites[write + Write.time]!;
    // the copy's element of the writer itself may be of an earlier moment
    const own = values[thread * width + writer]!;
    let isChanged = clocks.join(pool.rows, lastWrites[write + Write.copy]!, thread);
    if (time > own) {
      values[thread * width + writer] = time;
      isChanged = true;
    }
    if (isChanged) pool.changed(thread);
  }

  private write(thread: number, variable: number, location: number): void {
    const { clocks, lastWrites, pool } = this;
    const own = thread * clocks.width + thread;
    const time = clocks.values[own]!;
    this.lists.set(variable * rowWidth + ListAt.writes, thread, time, location);
    const write = variable * writeWidth;
    const copy = pool.take(clocks, thread);
    if (lastWrites[write + Write.time] !== 0) pool.drop(lastWrites[write + Write.copy]!);
    lastWrites[write + Write.thread] = thread;
    lastWrites[write + Write.time] = time;
    lastWrites[write + Write.copy] = copy;
    clocks.values[own] = time + 1;
  }

  private synchronise(kind: number, thread: number, target: number): void {
    const { clocks, locks, pool } = this;
    const { values, width } = clocks;
    if (kind <= EventKind.release && !this.withLocks) return;
    if (kind === EventKind.acquire) {
      if (clocks.join(locks, target, thread)) pool.changed(thread);
    } else if (kind === EventKind.release) {
      locks.copy(clocks, thread, target);
      values[thread * width + thread]! += 1;
    } else if (kind === EventKind.fork) {
      clocks.copy(clocks, thread, target);
      values[target * width + target] = 1;
      pool.changed(target);
      values[thread * width + thread]! += 1;
    } else if (kind === EventKind.join) {
      if (clocks.join(clocks, target, thread)) pool.changed(thread);
    }
  }
}

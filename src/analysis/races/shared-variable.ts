// A variable that several threads access: the accesses that a later one may race with, as each of the other threads sees them.
import type { ClockPool } from "./clock-pool.js";
import type { Accessors } from "./trace-survey.js";

/** Removed entries are cut off when there are this many, and more than those that are left. */
const cutMin = 64;

/** Accesses of one kind by one thread, in order, with a place in the queue for each other thread: what is before it can't race. */
export class AccessQueue {
  /** The thread's times at the accesses, its clocks before them as copies in the pool, and the locations. */
  readonly times: number[] = [];
  readonly copies: number[] = [];
  readonly locations: number[] = [];
  /** For each accessor, the index of its first entry. */
  readonly firsts: number[];

  constructor(accessors: number) {
    this.firsts = new Array<number>(accessors).fill(0);
  }

  /** The time of an accessor's first entry, or 0. */
  firstTime(accessor: number): number {
    return this.times[this.firsts[accessor]!] ?? 0;
  }

  push(time: number, copy: number, location: number): void {
    this.times.push(time);
    this.copies.push(copy);
    this.locations.push(location);
  }

  /** Drops the entries that no accessor wants any more. */
  cut(isDone: (accessor: number) => boolean, pool: ClockPool): void {
    const { firsts, times, copies, locations } = this;
    if (times.length < cutMin) return;
    let least = times.length;
    for (const [accessor, first] of firsts.entries()) if (first < least && !isDone(accessor)) least = first;
    if (least < cutMin || least < times.length / 2) return;
    for (const copy of copies.splice(0, least)) pool.drop(copy);
    times.splice(0, least);
    locations.splice(0, least);
    for (const accessor of firsts.keys()) firsts[accessor] = Math.max(firsts[accessor]! - least, 0);
  }
}

export class SharedVariable {
  readonly number: number;
  readonly threads: readonly number[];
  /** By accessor: accesses still to come. */
  readonly remaining: number[];
  remainingInAll: number;
  readonly reads: readonly AccessQueue[];
  readonly writes: readonly AccessQueue[];
  /** By accessor: its count of events with effects on others, at the last read that was queued. */
  readonly readAt: number[];
  lastWriter = -1;
  lastWriteTime = 0;
  lastWriteCopy = -1;

  constructor(number: number, { threads, counts }: Accessors) {
    this.number = number;
    this.threads = threads;
    this.remaining = [...counts];
    this.remainingInAll = counts.reduce((sum, count) => sum + count, 0);
    this.reads = threads.map(() => new AccessQueue(threads.length));
    this.writes = threads.map(() => new AccessQueue(threads.length));
    this.readAt = threads.map(() => -1);
  }

  /** Counts an access that has come; returns true if other accessors still have some before them. */
  countDown(accessor: number): boolean {
    this.remaining[accessor]! -= 1;
    this.remainingInAll -= 1;
    return this.remainingInAll > this.remaining[accessor]!;
  }
}

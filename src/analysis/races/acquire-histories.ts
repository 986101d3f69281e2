// All acquires of locks so far, and the closure that sync-preserving races are about: a set of events that holds two acquires of a lock
// must hold the release of the earlier one, because the order of a lock's critical sections is to stay as it was.
import type { ClockPool } from "./clock-pool.js";
import { lastAtMost } from "./sorted-numbers.js";

const noCopy = -1;

/** One thread's acquires of one lock, in order. */
interface History {
  thread: number;
  /** The thread's times of the acquires; rising. */
  times: number[];
  /** The acquires' places among all of the trace's. */
  places: number[];
  /** The clocks at the releases: a copy in the pool, or -1 while the lock is held, and the thread's own time. */
  copies: number[];
  releaseTimes: number[];
  /** Acquires more than releases, and the index of the first of these. */
  depth: number;
  outermost: number;
}

/** One thread's acquires of all locks, in order. */
interface Timeline {
  times: number[];
  locks: number[];
}

export class AcquireHistories {
  private readonly pool: ClockPool;
  private readonly byLock: (History[] | undefined)[] = [];
  private readonly usedLocks: number[] = [];
  private readonly timelines: Timeline[];
  private places = 0;
  /** Of close(): for each thread, the time up to which its acquires were looked at; the locks to look at; the round that marked them. */
  private readonly done: Int32Array;
  private readonly touched: number[] = [];
  private readonly marks: number[] = [];
  private round = 0;

  constructor(pool: ClockPool, threads: number) {
    this.pool = pool;
    this.timelines = Array.from({ length: threads }, () => ({ times: [], locks: [] }));
    this.done = new Int32Array(threads);
  }

  /** Adds an acquire at a thread's time. */
  acquire(thread: number, lock: number, time: number): void {
    const history = this.history(thread, lock);
    if (history.depth === 0) history.outermost = history.times.length;
    history.depth += 1;
    this.places += 1;
    history.times.push(time);
    history.places.push(this.places);
    history.copies.push(noCopy);
    history.releaseTimes.push(0);
    const timeline = this.timelines[thread]!;
    timeline.times.push(time);
    timeline.locks.push(lock);
  }

  /**
   * Adds a release, with a copy of the thread's clock that it keeps. It is the end of the last acquire's section, as in RAPID, whatever
   * came between: so is one too many, and one of an outer acquire. The outermost one ends all sections that have no end yet.
   */
  release(thread: number, lock: number, time: number, copy: number): void {
    const { pool } = this;
    const history = this.history(thread, lock);
    const { copies, releaseTimes } = history;
    history.depth = Math.max(history.depth - 1, 0);
    const last = copies.length - 1;
    if (last >= 0 && copies[last] !== noCopy) {
      pool.drop(copies[last]!);
      copies[last] = noCopy;
    }
    for (let index = history.depth > 0 ? last : history.outermost; index <= last; index += 1) {
      if (copies[index] !== noCopy) continue;
      pool.keep(copy);
      copies[index] = copy;
      releaseTimes[index] = time;
    }
    pool.drop(copy);
  }

  /** Raises `ideal`, a time for each thread, until it is closed. The times at `base[at]`, which are less or equal, must be closed. */
  close(ideal: Int32Array, base: Int32Array, at: number): void {
    const { done, touched } = this;
    for (let thread = 0; thread < done.length; thread += 1) done[thread] = base[at + thread]!;
    for (;;) {
      this.touchNew(ideal);
      if (touched.length === 0) return;
      for (const lock of touched) this.settle(this.byLock[lock]!, ideal);
    }
  }

  /** Collects the locks with acquires in `ideal` that weren't looked at. */
  private touchNew(ideal: Int32Array): void {
    const { done, touched, marks, timelines } = this;
    touched.length = 0;
    this.round += 1;
    for (let thread = 0; thread < done.length; thread += 1) {
      const to = ideal[thread]!;
      if (to <= done[thread]!) continue;
      const { times, locks } = timelines[thread]!;
      const from = lastAtMost(times, done[thread]!);
      const last = lastAtMost(times, to);
      done[thread] = to;
      // more acquires than locks: it costs less to look at all of these
      if (last - from > this.usedLocks.length) {
        touched.length = 0;
        touched.push(...this.usedLocks);
        for (let other = thread + 1; other < done.length; other += 1)
          done[other] = Math.max(done[other]!, ideal[other]!);
        return;
      }
      for (let index = from + 1; index <= last; index += 1) {
        const lock = locks[index]!;
        if (marks[lock] === this.round) continue;
        marks[lock] = this.round;
        touched.push(lock);
      }
    }
  }

  /** Puts into `ideal` the releases that belong to all of a lock's acquires in it but the last one. */
  private settle(histories: readonly History[], ideal: Int32Array): void {
    let latest: History | undefined;
    let latestAt = -1;
    for (const history of histories) {
      const at = lastAtMost(history.times, ideal[history.thread]!);
      if (at < 0) continue;
      if (latest === undefined || history.places[at]! > latest.places[latestAt]!) {
        if (latest !== undefined) this.include(latest, latestAt, ideal);
        latest = history;
        latestAt = at;
      } else this.include(history, at, ideal);
    }
  }

  private include({ thread, copies, releaseTimes }: History, at: number, ideal: Int32Array): void {
    const copy = copies[at]!;
    if (copy === noCopy) return;
    this.pool.raise(ideal, copy, thread, releaseTimes[at]!);
  }

  private history(thread: number, lock: number): History {
    let histories = this.byLock[lock];
    if (histories === undefined) {
      histories = this.byLock[lock] = [];
      this.usedLocks.push(lock);
    }
    for (const history of histories) if (history.thread === thread) return history;
    const history = { thread, times: [], places: [], copies: [], releaseTimes: [], depth: 0, outermost: 0 };
    histories.push(history);
    return history;
  }
}

// Sync-preserving races (Mathur, Pavlogiannis, Viswanathan 2021): two accesses race if some reordering of the trace's events has them side
// by side, in which each thread does what it did, each read gets its value from the same write, and each lock's critical sections keep
// their order. So a race counts that another schedule would have shown, and happens-before's are among them, as far as they are real.
//
// For a pair it works out the ideal: the least set of events that must come before both. They race if the earlier access isn't in it.
import { AcquireHistories } from "./acquire-histories.js";
import { ClockPool } from "./clock-pool.js";
import { ClockRows } from "./clock-rows.js";
import type { Detector, RaceSink } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";
import { CandidateSets, HeldLocks } from "./lock-sets.js";
import { type AccessQueue, SharedVariable } from "./shared-variable.js";
import type { TraceSurvey } from "./trace-survey.js";

export class SyncPreserving implements Detector {
  private readonly races: RaceSink;
  private readonly survey: TraceSurvey;
  /** Each thread's clock: the events that must come before its next one, which is closed where `isDirty` is false. */
  private readonly clocks = new ClockRows();
  /** Each thread's clock as it was last closed. */
  private readonly closed = new ClockRows();
  private readonly isDirty: boolean[] = [];
  /** By thread: number of events that others may have in their past without what follows. */
  private readonly effects: number[] = [];
  private readonly pool = new ClockPool();
  private readonly acquires: AcquireHistories;
  private readonly held = new HeldLocks();
  private readonly candidates = new CandidateSets(this.held);
  /** By number; null for variables that can't race. */
  private readonly variables: (SharedVariable | null)[] = [];
  private readonly ideal: Int32Array;
  private readonly later = { kind: 0, thread: 0, location: 0, event: 0 };
  private readonly earlier = { kind: 0, thread: 0, location: 0 };

  /** `survey` has walked the same trace. */
  constructor(races: RaceSink, survey: TraceSurvey) {
    this.races = races;
    this.survey = survey;
    const { threads } = survey;
    for (const rows of [this.clocks, this.closed, this.pool.rows]) rows.widen(threads);
    this.clocks.addThreads(threads);
    for (let thread = 0; thread < threads; thread += 1) {
      this.closed.add();
      this.isDirty.push(false);
      this.effects.push(0);
    }
    this.ideal = new Int32Array(threads);
    this.acquires = new AcquireHistories(this.pool, threads);
  }

  take({ kinds, threads, targets, locations, length, firstEvent }: EventBatch): void {
    const { later } = this;
    for (let index = 0; index < length; index += 1) {
      const kind = kinds[index]!;
      const thread = threads[index]!;
      const target = targets[index]!;
      if (kind <= EventKind.write) {
        const variable = this.variable(target);
        if (variable === null) continue;
        Object.assign(later, { kind, thread, location: locations[index]!, event: firstEvent + index });
        this.access(variable);
      } else if (kind <= EventKind.release) {
        if (this.survey.isCommon(target)) this.lock(kind, thread, target);
      } else if (kind <= EventKind.join && target !== thread) this.forkOrJoin(kind, thread, target);
    }
  }

  private variable(number: number): SharedVariable | null {
    let variable = this.variables[number];
    if (variable === undefined) {
      const accessors = this.survey.accessorsOf(number);
      variable = accessors === undefined ? null : new SharedVariable(number, accessors);
      while (this.variables.length < number) this.variables.push(undefined as never);
      this.variables[number] = variable;
    }
    return variable;
  }

  private access(variable: SharedVariable): void {
    const { kind, thread, location, event } = this.later;
    const { clocks, pool } = this;
    const isWrite = kind === EventKind.write;
    const accessor = variable.threads.indexOf(thread);
    this.close(thread);
    this.passKnown(variable, accessor);
    const isUnlocked = this.candidates.access(variable.number, thread, isWrite);
    if (isUnlocked && this.isRacy(variable, accessor)) this.races.racy(event, variable.number);
    // the clock before the access
    const copy = pool.take(clocks, thread);
    const time = this.tick(thread);
    if (isWrite) this.setLastWrite(variable, time);
    else this.followLastWrite(variable);
    const queue = (isWrite ? variable.writes : variable.reads)[accessor]!;
    const isWanted = variable.countDown(accessor);
    // A read that follows another, with nothing between that others may see, races with an event only if the first one does.
    const isRepeated = !isWrite && variable.readAt[accessor] === this.effects[thread];
    if (!isWanted || isRepeated) {
      pool.drop(copy);
      return;
    }
    if (!isWrite) variable.readAt[accessor] = this.effects[thread]!;
    queue.push(time, copy, location);
    queue.cut((other) => other === accessor || variable.remaining[other] === 0, pool);
  }

  /** Moves an accessor's places in the others' queues behind what is in its past: that can't race any more. */
  private passKnown({ threads, reads, writes }: SharedVariable, accessor: number): void {
    const { values, width } = this.clocks;
    const at = threads[accessor]! * width;
    for (const [other, thread] of threads.entries()) {
      if (other === accessor) continue;
      const known = values[at + thread]!;
      for (const { firsts, times } of [reads[other]!, writes[other]!]) {
        while ((times[firsts[accessor]!] ?? known + 1) <= known) firsts[accessor]! += 1;
      }
    }
  }

  private isRacy(variable: SharedVariable, accessor: number): boolean {
    let isRacy = false;
    for (const other of variable.threads.keys()) {
      if (other !== accessor && this.racesWith(variable, accessor, other)) isRacy = true;
    }
    return isRacy;
  }

  /** Looks for the first access by another accessor that races with the present one. Places in the queues move behind those that can't. */
  private racesWith(variable: SharedVariable, accessor: number, other: number): boolean {
    const { clocks, ideal, earlier, later } = this;
    const at = later.thread * clocks.width;
    const thread = variable.threads[other]!;
    for (;;) {
      const kind = this.firstConflict(variable, accessor, other);
      if (kind === undefined) return false;
      const queue = (kind === EventKind.write ? variable.writes : variable.reads)[other]!;
      const entry = queue.firsts[accessor]!;
      const time = queue.times[entry]!;
      if (time > clocks.values[at + thread]!) {
        this.workOutIdeal(thread, queue, entry);
        if (time > ideal[thread]!) {
          Object.assign(earlier, { kind, thread, location: queue.locations[entry]! });
          this.races.pair(variable.number, earlier, later);
          return true;
        }
        this.passImplied(variable, accessor, thread, time);
      }
      if (queue.firsts[accessor] === entry) queue.firsts[accessor] = entry + 1;
    }
  }

  /** The kind of the first entry that conflicts with the present access, of those of one thread. */
  private firstConflict({ reads, writes }: SharedVariable, accessor: number, other: number): number | undefined {
    const write = writes[other]!.firstTime(accessor);
    const read = this.later.kind === EventKind.write ? reads[other]!.firstTime(accessor) : 0;
    if (write === 0 && read === 0) return undefined;
    return read === 0 || (write !== 0 && write < read) ? EventKind.write : EventKind.read;
  }

  /** Works out the least closed set of events that must come before an entry of a thread's queue and the present access. */
  private workOutIdeal(thread: number, queue: AccessQueue, entry: number): void {
    const { clocks, ideal, pool, later } = this;
    const { values, width } = clocks;
    const at = later.thread * width;
    for (let one = 0; one < ideal.length; one += 1) ideal[one] = values[at + one]!;
    pool.raise(ideal, queue.copies[entry]!, thread, queue.times[entry]! - 1);
    this.acquires.close(ideal, values, at);
  }

  /**
   * Moves an accessor's places behind entries that are in the ideal, and after the access of `thread` at `time`, for which it was worked
   * out: their own ideals hold this one.
   */
  private passImplied(
    { threads, reads, writes }: SharedVariable,
    accessor: number,
    thread: number,
    time: number,
  ): void {
    const { ideal, pool, later } = this;
    const { values, width } = pool.rows;
    for (const [other, accessing] of threads.entries()) {
      if (other === accessor) continue;
      for (const queue of later.kind === EventKind.write ? [reads[other]!, writes[other]!] : [writes[other]!]) {
        for (;;) {
          const entry = queue.firsts[accessor]!;
          const own = queue.times[entry];
          if (own === undefined || own > ideal[accessing]!) break;
          const seen = accessing === thread ? own - 1 : values[queue.copies[entry]! * width + thread]!;
          if (seen < time) break;
          queue.firsts[accessor] = entry + 1;
        }
      }
    }
  }

  private setLastWrite(variable: SharedVariable, time: number): void {
    const { thread } = this.later;
    this.effects[thread]! += 1;
    const copy = this.pool.take(this.clocks, thread);
    if (variable.lastWriter >= 0) this.pool.drop(variable.lastWriteCopy);
    variable.lastWriter = thread;
    variable.lastWriteTime = time;
    variable.lastWriteCopy = copy;
  }

  private followLastWrite({ lastWriter, lastWriteTime, lastWriteCopy }: SharedVariable): void {
    if (lastWriter < 0) return;
    const { clocks, pool } = this;
    const { thread } = this.later;
    const row = clocks.values.subarray(thread * clocks.width, thread * clocks.width + clocks.threads);
    if (row[lastWriter]! >= lastWriteTime) return;
    pool.raise(row, lastWriteCopy, lastWriter, lastWriteTime);
    pool.changed(thread);
    this.isDirty[thread] = true;
    this.close(thread);
  }

  private lock(kind: number, thread: number, lock: number): void {
    const time = this.tick(thread);
    if (kind === EventKind.acquire) {
      this.held.acquire(thread, lock);
      this.acquires.acquire(thread, lock, time);
      this.isDirty[thread] = true;
      return;
    }
    this.close(thread);
    this.held.release(thread, lock);
    this.acquires.release(thread, lock, time, this.pool.take(this.clocks, thread));
    this.effects[thread]! += 1;
  }

  private forkOrJoin(kind: number, thread: number, target: number): void {
    const { clocks, closed, pool } = this;
    const { values, width } = clocks;
    if (kind === EventKind.fork) {
      this.close(thread);
      const own = values[target * width + target]!;
      clocks.copy(clocks, thread, target);
      values[target * width + target] = own;
      closed.copy(clocks, thread, target);
      closed.values[target * width + target] = 0;
      pool.changed(target);
      this.effects[thread]! += 1;
    } else {
      // a thread that goes on after it was joined, as none does, is seen up to here
      this.effects[target]! += 1;
      if (clocks.join(clocks, target, thread)) {
        pool.changed(thread);
        this.isDirty[thread] = true;
      }
    }
    this.tick(thread);
  }

  private tick(thread: number): number {
    const { values, width } = this.clocks;
    const own = thread * width + thread;
    values[own]! += 1;
    return values[own]!;
  }

  /** Closes a thread's clock. */
  private close(thread: number): void {
    if (!this.isDirty[thread]) return;
    this.isDirty[thread] = false;
    const { clocks, closed, ideal } = this;
    const at = thread * clocks.width;
    let isChanged = false;
    for (let other = 0; other < ideal.length; other += 1) ideal[other] = clocks.values[at + other]!;
    this.acquires.close(ideal, closed.values, at);
    for (let other = 0; other < ideal.length; other += 1) {
      if (clocks.values[at + other] !== ideal[other]) isChanged = true;
      clocks.values[at + other] = ideal[other]!;
    }
    closed.copy(clocks, thread, thread);
    if (isChanged) this.pool.changed(thread);
  }
}

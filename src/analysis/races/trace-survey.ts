// A first walk over a trace, for an algorithm that keeps less if it knows what is to come: which variables can race at all, by whom they
// will be accessed and how often, and which locks have several users.
import type { Detector } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";
import { grown } from "./name-table.js";
import { SchedulableHappensBefore } from "./schedulable.js";

const firstLength = 256;

/** Accesses to a variable: `counts[i]` by `threads[i]`. */
export interface Accessors {
  threads: number[];
  counts: number[];
}

export class TraceSurvey implements Detector {
  threads = 0;
  locks = 0;
  variables = 0;
  /** The variables' accessors, of those that have several. */
  private readonly accessors = new Map<number, Accessors>();
  /** Of the others: the only thread plus 1, or 0, and its accesses. */
  private onlyThreads = new Int32Array(firstLength);
  private onlyCounts = new Int32Array(firstLength);
  /** Variables with conflicting accesses that not even fork, join and the values read put in order. */
  private readonly unordered = new Set<number>();
  private readonly order = new SchedulableHappensBefore(
    { racy: (_event, variable) => void this.unordered.add(variable), pair: () => {} },
    false,
  );
  /** Each lock's only thread plus 1; 0 for a lock without events. */
  private lockThreads = new Int32Array(firstLength);
  private readonly commonLocks = new Set<number>();

  take(batch: EventBatch): void {
    const { kinds, threads, targets, length, threadCount, lockCount, variableCount } = batch;
    this.threads = threadCount;
    this.locks = lockCount;
    this.variables = variableCount;
    if (variableCount > this.onlyThreads.length) {
      this.onlyThreads = grown(this.onlyThreads, 2 * variableCount);
      this.onlyCounts = grown(this.onlyCounts, 2 * variableCount);
    }
    if (lockCount > this.lockThreads.length) this.lockThreads = grown(this.lockThreads, 2 * lockCount);
    for (let index = 0; index < length; index += 1) {
      const kind = kinds[index]!;
      if (kind <= EventKind.write) this.access(targets[index]!, threads[index]!);
      else if (kind <= EventKind.release) this.lock(targets[index]!, threads[index]!);
    }
    this.order.take(batch);
  }

  /** Returns the accessors of a variable that can race, else undefined. */
  accessorsOf(variable: number): Accessors | undefined {
    const known = this.unordered.has(variable) ? this.accessors.get(variable) : undefined;
    // the first thread's accesses are counted on their own
    if (known !== undefined) known.counts[0] = this.onlyCounts[variable]!;
    return known;
  }

  /** Returns true for a lock that several threads use. */
  isCommon(lock: number): boolean {
    return this.commonLocks.has(lock);
  }

  private access(variable: number, thread: number): void {
    const { onlyThreads, onlyCounts } = this;
    const only = onlyThreads[variable]! - 1;
    if (only === thread || only < 0) {
      onlyThreads[variable] = thread + 1;
      onlyCounts[variable]! += 1;
      return;
    }
    let known = this.accessors.get(variable);
    if (known === undefined) {
      known = { threads: [only], counts: [0] };
      this.accessors.set(variable, known);
    }
    const place = known.threads.indexOf(thread);
    if (place >= 0) known.counts[place]! += 1;
    else {
      known.threads.push(thread);
      known.counts.push(1);
    }
  }

  private lock(lock: number, thread: number): void {
    const only = this.lockThreads[lock]!;
    if (only === 0) this.lockThreads[lock] = thread + 1;
    else if (only !== thread + 1) this.commonLocks.add(lock);
  }
}

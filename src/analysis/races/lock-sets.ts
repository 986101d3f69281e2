// Sets of locks as numbers: equal sets have one number, and each step from set to set is worked out once. 0 is the empty set.

/** More than the greatest number of a lock or set: two of them make one key. */
const numbersMax = 2 ** 26;

export class LockSets {
  /** The locks of each set, in rising order. */
  private readonly sets: (readonly number[])[] = [[]];
  private readonly byText = new Map<string, number>([["", 0]]);
  private readonly additions = new Map<number, number>();
  private readonly removals = new Map<number, number>();
  private readonly meetings = new Map<number, number>();

  /** The set with one more lock. */
  plus(set: number, lock: number): number {
    return remembered(this.additions, set * numbersMax + lock, () => {
      const locks = this.sets[set]!;
      return locks.includes(lock) ? set : this.number([...locks, lock].sort((a, b) => a - b));
    });
  }

  /** The set without a lock. */
  minus(set: number, lock: number): number {
    return remembered(this.removals, set * numbersMax + lock, () =>
      this.number(this.sets[set]!.filter((one) => one !== lock)),
    );
  }

  /** The locks in both sets. */
  meet(first: number, second: number): number {
    if (first === second || first === 0) return first;
    if (second === 0) return 0;
    return remembered(this.meetings, first * numbersMax + second, () =>
      this.number(this.sets[first]!.filter((lock) => this.sets[second]!.includes(lock))),
    );
  }

  private number(locks: readonly number[]): number {
    return remembered(this.byText, locks.join(), () => this.sets.push(locks) - 1);
  }
}

function remembered<K>(known: Map<K, number>, key: K, workOut: () => number): number {
  const before = known.get(key);
  if (before !== undefined) return before;
  const number = workOut();
  known.set(key, number);
  return number;
}

/** The locks that each thread holds, as sets. A lock that was acquired twice is held until it was released twice. */
export class HeldLocks {
  readonly sets = new LockSets();
  private readonly held: number[] = [];
  /** By thread and lock: acquires more than releases, which may be less than 0. */
  private readonly depths = new Map<number, number>();

  /** The set that a thread holds. */
  of(thread: number): number {
    return this.held[thread] ?? 0;
  }

  acquire(thread: number, lock: number): void {
    const key = thread * numbersMax + lock;
    this.depths.set(key, (this.depths.get(key) ?? 0) + 1);
    this.held[thread] = this.sets.plus(this.of(thread), lock);
  }

  /** Takes a release. One of a lock that the thread never acquired changes nothing. */
  release(thread: number, lock: number): void {
    const key = thread * numbersMax + lock;
    const depth = this.depths.get(key);
    if (depth === undefined) return;
    this.depths.set(key, depth - 1);
    // a release too many leaves a depth below 0; RAPID then counts a later acquire as none, but the lock as held
    if (depth === 1) this.held[thread] = this.sets.minus(this.of(thread), lock);
  }
}

/** A variable that only one thread has used, or that was only read: then no lock is needed. */
const severalThreads = -2;
const unused = -1;

/** For each variable the locks that were held at each of its accesses, as Eraser keeps them. */
export class CandidateSets {
  private readonly locks: HeldLocks;
  /** Each variable's only thread, or one of the constants above. */
  private readonly threads: number[] = [];
  private readonly written: boolean[] = [];
  private readonly candidates: number[] = [];

  constructor(locks: HeldLocks) {
    this.locks = locks;
  }

  /** Takes an access; returns true if now no lock was held at all of the variable's accesses, though it needs one. */
  access(variable: number, thread: number, isWrite: boolean): boolean {
    const { threads, written, candidates, locks } = this;
    while (threads.length <= variable) {
      threads.push(unused);
      written.push(false);
      candidates.push(0);
    }
    const held = locks.of(thread);
    const before = threads[variable]!;
    const set = before === unused ? held : locks.sets.meet(candidates[variable]!, held);
    candidates[variable] = set;
    if (before !== thread) threads[variable] = before === unused ? thread : severalThreads;
    if (isWrite) written[variable] = true;
    return set === 0 && threads[variable] === severalThreads && written[variable]!;
  }
}

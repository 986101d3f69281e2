// Copies of threads' clocks that many may share. Between two moments at which a thread learns of others only its own element changes:
// so one copy serves all events between, each of which has its own time beside it. A copy that nobody uses is given out again.
import { ClockRows } from "./clock-rows.js";

const noCopy = -1;

export class ClockPool {
  /** The copies. The element of the thread itself is not to be used. */
  readonly rows = new ClockRows();
  private readonly uses: number[] = [];
  private readonly free: number[] = [];
  /** Each thread's copy that is still true. */
  private readonly current: number[] = [];

  /** Returns a copy of row `thread` of `clocks`, which the caller must drop once. */
  take(clocks: ClockRows, thread: number): number {
    const { current, uses, rows } = this;
    while (current.length <= thread) current.push(noCopy);
    let copy = current[thread]!;
    if (copy === noCopy) {
      copy = this.free.pop() ?? rows.add();
      rows.copy(clocks, thread, copy);
      // the thread's own use
      uses[copy] = 1;
      current[thread] = copy;
    }
    uses[copy]! += 1;
    return copy;
  }

  /** Adds a use of a copy, to be dropped like the first one. */
  keep(copy: number): void {
    this.uses[copy]! += 1;
  }

  drop(copy: number): void {
    this.uses[copy]! -= 1;
    if (this.uses[copy] === 0) this.free.push(copy);
  }

  /** Tells that a thread's clock has changed in elements of others. */
  changed(thread: number): void {
    const copy = this.current[thread] ?? noCopy;
    if (copy === noCopy) return;
    this.current[thread] = noCopy;
    this.drop(copy);
  }

  /** Raises `times` to a copy, with `own` as the time of the thread that the copy is of. */
  raise(times: Int32Array, copy: number, thread: number, own: number): void {
    const { values, width } = this.rows;
    const at = copy * width;
    const before = times[thread]!;
    for (let other = 0; other < times.length; other += 1) {
      const time = values[at + other]!;
      if (time > times[other]!) times[other] = time;
    }
    times[thread] = Math.max(before, own);
  }
}

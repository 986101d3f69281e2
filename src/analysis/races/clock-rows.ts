// Vector clocks as rows of one array: an element a thread. Rows grow as threads come; rows are given out by number.
import { UserError } from "../../base/errors.js";
import { grown } from "./name-table.js";

/** The greatest number of threads: their clocks alone take the square of it, four times. */
export const threadsMax = 16_384;

const firstWidth = 8;
const firstRows = 16;

export class ClockRows {
  /** The elements: thread t's of row r is `values[r * width + t]`. Growing replaces it. */
  values = new Int32Array(firstRows * firstWidth);
  /** Elements a row, of which the first `threads` are in use. */
  width = firstWidth;
  threads = 0;
  rows = 0;

  /** Makes room for this many threads in each row. */
  widen(threads: number): void {
    this.threads = threads;
    if (threads <= this.width) return;
    if (threads > threadsMax)
      throw new UserError(`the trace has more than ${threadsMax} threads, too many for their clocks`);
    let width = this.width;
    while (width < threads) width *= 2;
    const values = new Int32Array((this.values.length / this.width) * width);
    for (let row = 0; row < this.rows; row += 1) {
      values.set(this.values.subarray(row * this.width, (row + 1) * this.width), row * width);
    }
    this.values = values;
    this.width = width;
  }

  /** Adds a row of zeros; returns its number. */
  add(): number {
    const row = this.rows;
    this.rows += 1;
    const needed = this.rows * this.width;
    if (needed > this.values.length) this.values = grown(this.values, 2 * needed);
    return row;
  }

  /** Adds a row for each thread up to this many, with the thread's own element at 1. */
  addThreads(threads: number): void {
    while (this.rows < threads) {
      const thread = this.add();
      this.values[thread * this.width + thread] = 1;
    }
  }

  /** Makes row `to` equal to row `from` of `source`, which has the same threads. */
  copy(source: ClockRows, from: number, to: number): void {
    const { values, width, threads } = this;
    const others = source.values;
    const first = to * width;
    const firstOther = from * width;
    for (let thread = 0; thread < threads; thread += 1) values[first + thread] = others[firstOther + thread]!;
  }

  /** Raises each element of row `to` to that of row `from` of `source`. Returns true if any was less. */
  join(source: ClockRows, from: number, to: number): boolean {
    const { values, width, threads } = this;
    const others = source.values;
    const first = to * width;
    const firstOther = from * width;
    let isChanged = false;
    for (let thread = 0; thread < threads; thread += 1) {
      const value = others[firstOther + thread]!;
      if (value <= values[first + thread]!) continue;
      values[first + thread] = value;
      isChanged = true;
    }
    return isChanged;
  }
}

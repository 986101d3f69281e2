// Counts for some accesses: their number, bytes, times, and distances in time.
import type { AccessEvent } from "../../trace/events.js";

/** Counts of some accesses. */
export interface TallyResult {
  accesses: number;
  reads: number;
  writes: number;
  read_bytes: number;
  written_bytes: number;
  /** Times of the first and the last access; null if there was none. */
  first_s: number | null;
  last_s: number | null;
  /** Times from each access to the next; null if there were fewer than two. */
  between_s: { least: number; mean: number; greatest: number } | null;
}

export class Tally {
  reads = 0;
  writes = 0;
  private read_bytes = 0;
  private written_bytes = 0;
  private first = 0;
  private last = 0;
  private least = Number.POSITIVE_INFINITY;
  private greatest = 0;

  get accesses(): number {
    return this.reads + this.writes;
  }

  /** Counts an access; `ticks` is its time since recording began. */
  add(event: AccessEvent, ticks: number): void {
    if (this.reads + this.writes === 0) this.first = ticks;
    else {
      // The time stamps of racing CPUs may go back.
      const gap = Math.max(ticks - this.last, 0);
      if (gap < this.least) this.least = gap;
      if (gap > this.greatest) this.greatest = gap;
    }
    this.last = Math.max(this.last, ticks);
    if (event.kind === "read") {
      this.reads += 1;
      this.read_bytes += event.width_bytes;
    } else {
      this.writes += 1;
      this.written_bytes += event.width_bytes;
    }
  }

  result(tscFrequency_hz: number): TallyResult {
    const { reads, writes, read_bytes, written_bytes, first, last } = this;
    const accesses = reads + writes;
    const seconds = (ticks: number) => ticks / tscFrequency_hz;
    return {
      ...{ accesses, reads, writes, read_bytes, written_bytes },
      first_s: accesses === 0 ? null : seconds(first),
      last_s: accesses === 0 ? null : seconds(last),
      between_s:
        accesses < 2
          ? null
          : {
              least: seconds(this.least),
              mean: seconds((last - first) / (accesses - 1)),
              greatest: seconds(this.greatest),
            },
    };
  }
}

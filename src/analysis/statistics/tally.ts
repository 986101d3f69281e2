// Counts for some accesses: their number, bytes, times, and distances in time.
import type { AccessEvent } from "../../trace/events.js";

/** Counts of some accesses. */
export interface TallyResult {
  readonly accesses: number;
  readonly reads: number;
  readonly writes: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
  /** Time of the first access, in seconds since recording began; null if there was none, or the log has no times. */
  readonly first_s: number | null;
  /** Time of the last access; null if there was none, or the log has no times. */
  readonly last_s: number | null;
  /** Times from each access to the next; null if fewer than two have a time. */
  readonly between_s: { readonly least: number; readonly mean: number; readonly greatest: number } | null;
}

export class Tally {
  reads = 0;
  writes = 0;
  private read_bytes = 0;
  private written_bytes = 0;
  /** Accesses that have a time. */
  private timed = 0;
  private first = 0;
  private last = 0;
  private least = Number.POSITIVE_INFINITY;
  private greatest = 0;

  get accesses(): number {
    return this.reads + this.writes;
  }

  /** Counts an access; `ticks` is its time since recording began, NaN if it has none. */
  add(event: AccessEvent, ticks: number): void {
    if (!Number.isNaN(ticks)) this.addTime(ticks);
    if (event.kind === "read") {
      this.reads += 1;
      this.read_bytes += event.width_bytes;
    } else {
      this.writes += 1;
      this.written_bytes += event.width_bytes;
    }
  }

  private addTime(ticks: number): void {
    if (this.timed === 0) this.first = ticks;
    else {
      // The time stamps of racing CPUs may go back.
      const gap = Math.max(ticks - this.last, 0);
      if (gap < this.least) this.least = gap;
      if (gap > this.greatest) this.greatest = gap;
    }
    this.timed += 1;
    this.last = Math.max(this.last, ticks);
  }

  result(tscFrequency_hz: number): TallyResult {
    const { reads, writes, read_bytes, written_bytes, timed, first, last } = this;
    const accesses = reads + writes;
    const seconds = (ticks: number) => ticks / tscFrequency_hz;
    return {
      ...{ accesses, reads, writes, read_bytes, written_bytes },
      first_s: timed === 0 ? null : seconds(first),
      last_s: timed === 0 ? null : seconds(last),
      between_s:
        timed < 2
          ? null
          : {
              least: seconds(this.least),
              mean: seconds((last - first) / (timed - 1)),
              greatest: seconds(this.greatest),
            },
    };
  }
}

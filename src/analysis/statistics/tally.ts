// Counts for some accesses: their number, bytes, times, and distances in time.
import type { AccessEvent } from "../../trace/events.js";

/** Counts of some accesses. */
export interface TallyResult {
  readonly accesses: number;
  readonly reads: number;
  readonly writes: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
  /** The least time of an access, in seconds since recording began, or since boot (mmiotrace, rwmmio); null if there was none, or the log has no times. */
  readonly first_s: number | null;
  /** The greatest time; null if there was none, or the log has no times. */
  readonly last_s: number | null;
  /** Times from each access to the next that isn't earlier; null if there is none. */
  readonly between_s: { readonly least: number; readonly mean: number; readonly greatest: number } | null;
}

export class Tally {
  reads = 0;
  writes = 0;
  private read_bytes = 0;
  private written_bytes = 0;
  /** Accesses that have a time. */
  private timed = 0;
  private first = Number.POSITIVE_INFINITY;
  private greatestTime = Number.NEGATIVE_INFINITY;
  private last = 0;
  private gaps = 0;
  private sum = 0;
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
    // the time between is unknown where times go back
    if (this.timed > 0 && ticks >= this.last) {
      const gap = ticks - this.last;
      this.gaps += 1;
      this.sum += gap;
      if (gap < this.least) this.least = gap;
      if (gap > this.greatest) this.greatest = gap;
    }
    this.timed += 1;
    this.last = ticks;
    if (ticks < this.first) this.first = ticks;
    if (ticks > this.greatestTime) this.greatestTime = ticks;
  }

  result(tscFrequency_hz: number): TallyResult {
    const { reads, writes, read_bytes, written_bytes, timed, first, greatestTime, gaps } = this;
    const accesses = reads + writes;
    const seconds = (ticks: number) => ticks / tscFrequency_hz;
    return {
      ...{ accesses, reads, writes, read_bytes, written_bytes },
      first_s: timed === 0 ? null : seconds(first),
      last_s: timed === 0 ? null : seconds(greatestTime),
      between_s:
        gaps === 0
          ? null
          : {
              least: seconds(this.least),
              mean: seconds(this.sum / gaps),
              greatest: seconds(this.greatest),
            },
    };
  }
}

// Watches the times of accesses, in the order of the trace: of a log that was joined from several, or whose clock was set, they go back.
import { countOf, countText, durationText } from "../../base/units.js";
import type { AccessEvent } from "../../trace/events.js";

/** The places where times go back. */
export interface TimesBack {
  /** Number of the first access that is earlier than the one before it. */
  readonly event: number;
  /** Number of such accesses. */
  readonly count: number;
  /** The greatest step back, in seconds. */
  readonly most_s: number;
}

export class TimeOrder {
  private last = 0n;
  private first: number | undefined;
  private count = 0;
  private most = 0n;

  /** Takes the next access; one without a time changes nothing. */
  take({ tsc, number }: AccessEvent): void {
    if (tsc === 0n) return;
    if (tsc < this.last) {
      this.first ??= number;
      this.count += 1;
      if (this.last - tsc > this.most) this.most = this.last - tsc;
    }
    this.last = tsc;
  }

  /** Returns the places where times went back; null if there was none. */
  result(tscFrequency_hz: number): TimesBack | null {
    const { first: event, count, most } = this;
    return event === undefined ? null : { event, count, most_s: Number(most) / tscFrequency_hz };
  }
}

/** Describes where times go back: `times go back at event 12, by 1.19 s`. */
export function timesBackSentence({ event, count, most_s }: TimesBack): string {
  const where = `at event ${countText(event)}`;
  if (count === 1) return `times go back ${where}, by ${durationText(most_s)}`;
  return `times go back at ${countOf(count, "event")}, first ${where}, by ${durationText(most_s)} at most`;
}

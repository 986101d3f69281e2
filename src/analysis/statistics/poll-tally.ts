// Counts polls: the same read by the same code, several times in a row on one CPU in one process. Accesses of others
// don't end a poll here; polls.ts, which shows polls in their place, is stricter.
import { type AccessEvent, codeOf } from "../../trace/events.js";

/** The polls of one register by one instruction, called from one place. */
export interface PollStatistics {
  /** PCI address, or null outside all memory BARs. */
  readonly device: string | null;
  readonly driver: string | null;
  readonly bar: number | null;
  /** Offset from the BAR's start, or the physical address if there is no BAR. */
  readonly offset: string | null;
  readonly register: string | null;
  /** `function+0x12 [module]`, or the address, with its caller if it has one; null if none was recorded. */
  readonly site: string | null;
  readonly polls: number;
  readonly reads: number;
  /** Reads of the longest poll. */
  readonly longest: number;
  /** Sum of the times from each poll's first read to its last; null where the log has no times. */
  readonly duration_s: number | null;
}

/** Fewest reads of a poll. */
const pollMin = 3;

interface Run<R> {
  address: bigint;
  width_bytes: number;
  /** codeOf() the reads. */
  code: bigint;
  register: R;
  count: number;
  first: bigint;
  last: bigint;
}

interface PollEntry<R> {
  register: R;
  /** codeOf() the reads. */
  code: bigint;
  polls: number;
  reads: number;
  longest: number;
  /** Null if no poll had times. */
  ticks: number | null;
}

/** Counts the polls of registers; `R` is a register's object. */
export class PollTally<R extends object> {
  private readonly tscFrequency_hz: number;
  /** By CPU and process. */
  private readonly runs = new Map<number, Run<R>>();
  private readonly entries = new Map<R, Map<bigint, PollEntry<R>>>();

  constructor(tscFrequency_hz: number) {
    this.tscFrequency_hz = tscFrequency_hz;
  }

  add(event: AccessEvent, register: R): void {
    const task = event.cpu * 2 ** 32 + event.pid;
    const run = this.runs.get(task);
    const { address, width_bytes, tsc } = event;
    const code = codeOf(event);
    if (run !== undefined) {
      // a poll ends where times go back
      const same = run.address === address && run.width_bytes === width_bytes && run.code === code && tsc >= run.last;
      if (event.kind === "read" && same) {
        run.count += 1;
        run.last = tsc;
        return;
      }
      if (run.count >= pollMin) this.take(run);
    }
    if (event.kind === "write") {
      if (run !== undefined) this.runs.delete(task);
    } else this.runs.set(task, { address, width_bytes, code, register, count: 1, first: tsc, last: tsc });
  }

  /** Ends all polls: what came in between is lost. */
  breakOff(): void {
    for (const run of this.runs.values()) if (run.count >= pollMin) this.take(run);
    this.runs.clear();
  }

  private take(run: Run<R>): void {
    const { register, code, count } = run;
    let byCode = this.entries.get(register);
    if (byCode === undefined) {
      byCode = new Map();
      this.entries.set(register, byCode);
    }
    let entry = byCode.get(code);
    if (entry === undefined) {
      entry = { register, code, polls: 0, reads: 0, longest: 0, ticks: null };
      byCode.set(code, entry);
    }
    entry.polls += 1;
    entry.reads += count;
    entry.longest = Math.max(entry.longest, count);
    if (run.first !== 0n && run.last !== 0n) entry.ticks = (entry.ticks ?? 0) + Number(run.last - run.first);
  }

  /** Returns the counts, those with most reads first. Unfinished polls count as ended. */
  result(
    tell: (register: R, code: bigint) => Omit<PollStatistics, "polls" | "reads" | "longest" | "duration_s">,
  ): PollStatistics[] {
    this.breakOff();
    return [...this.entries.values()]
      .flatMap((byCode) => [...byCode.values()])
      .sort((a, b) => b.reads - a.reads)
      .map(({ register, code, polls, reads, longest, ticks }) => {
        const { device, driver, bar, offset, register: name, site: symbol } = tell(register, code);
        const duration_s = ticks === null ? null : ticks / this.tscFrequency_hz;
        return { device, driver, bar, offset, register: name, site: symbol, polls, reads, longest, duration_s };
      });
  }
}

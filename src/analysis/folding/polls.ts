// Finds polls: the same read again and again, by the same code. Takes events in order; gives polls and the events between
// them in order.
import type { AccessEvent, TraceEvent } from "../../trace/events.js";
import type { RegisterAccess } from "../view/access-registers.js";

export interface Poll {
  kind: "poll";
  first: AccessEvent;
  last: AccessEvent;
  /** Number of reads, at least two. */
  count: number;
  /** `same`: always one value. `until`: one value, and another at the end. `varying`: each differs from the one before. */
  ending: "same" | "until" | "varying";
  /** The value before the last one. */
  before: bigint;
  register: RegisterAccess | undefined;
}

/** Returns the ticks from a poll's first read to its last; undefined if one of them has no time. */
export function pollTicks({ first, last }: Poll): bigint | undefined {
  return first.tsc === 0n || last.tsc === 0n ? undefined : last.tsc - first.tsc;
}

export interface Single {
  kind: "single";
  event: TraceEvent;
  register: RegisterAccess | undefined;
}

/** Fewest reads with differing values that are a poll; fewer are shown one by one. */
const varyingMin = 4;

interface Run {
  /** Its first reads, which may have to be shown one by one. */
  singles: Single[];
  first: AccessEvent;
  last: AccessEvent;
  beforeLast: AccessEvent;
  count: number;
  varying: boolean;
  register: RegisterAccess | undefined;
}

export class PollFinder {
  private readonly emit: (item: Poll | Single) => void;
  private run: Run | undefined;

  constructor(emit: (item: Poll | Single) => void) {
    this.emit = emit;
  }

  add(event: TraceEvent, register: RegisterAccess | undefined): void {
    const { run } = this;
    const read = event.kind === "read" ? event : undefined;
    if (run === undefined || read === undefined || !goesOn(run.last, read)) {
      this.end();
      if (read === undefined) this.emit({ kind: "single", event, register });
      else this.begin(read, register);
      return;
    }
    const same = read.value === run.last.value;
    if (!same && !run.varying && run.count >= 2) {
      this.extend(run, read, register);
      this.run = undefined;
      this.emitPoll(run, "until");
    } else if (same && run.varying) {
      // The last read was the first one of a waiting poll.
      this.end(run.count - 1);
      this.begin(run.last, run.register);
      this.extend(this.run!, read, register);
    } else {
      run.varying = !same;
      this.extend(run, read, register);
    }
  }

  /** Gives out the events held back; of a run, its first `count` reads. */
  end(count = this.run?.count ?? 0): void {
    const { run } = this;
    this.run = undefined;
    if (run === undefined) return;
    if (run.varying && count < varyingMin) for (const single of run.singles.slice(0, count)) this.emit(single);
    else if (count === 1) this.emit(run.singles[0]!);
    else if (count === run.count) this.emitPoll(run, run.varying ? "varying" : "same");
    else this.emitPoll({ ...run, count, last: run.beforeLast }, "varying");
  }

  private begin(event: AccessEvent, register: RegisterAccess | undefined): void {
    const single: Single = { kind: "single", event, register };
    this.run = {
      ...{ singles: [single], first: event, last: event, beforeLast: event, count: 1, varying: false, register },
    };
  }

  private extend(run: Run, event: AccessEvent, register: RegisterAccess | undefined): void {
    if (run.singles.length < varyingMin) run.singles.push({ kind: "single", event, register });
    run.beforeLast = run.last;
    run.last = event;
    run.count += 1;
    run.register = register;
  }

  private emitPoll(run: Run, ending: Poll["ending"]): void {
    const { first, last, count, beforeLast, register } = run;
    this.emit({ kind: "poll", first, last, count, ending, before: beforeLast.value, register });
  }
}

function goesOn(last: AccessEvent, next: AccessEvent): boolean {
  return (
    last.address === next.address &&
    last.width_bytes === next.width_bytes &&
    last.site === next.site &&
    last.caller === next.caller &&
    last.cpu === next.cpu &&
    last.pid === next.pid &&
    last.flags === next.flags &&
    // a poll ends where times go back
    next.tsc >= last.tsc
  );
}

/** Describes a poll's end: `until bit 1 set (LU)`. */
export function endingWords(poll: Poll): string {
  if (poll.ending === "same") return "always the same";
  if (poll.ending === "varying") return "each time another value";
  const words = newWords(poll);
  return `until ${bitWords(poll.before, poll.last.value)}${words === "" ? "" : ` (${words})`}`;
}

const bitsNamedMax = 4;

function bitWords(before: bigint, after: bigint): string {
  const set = bitNumbers(after & ~before);
  const cleared = bitNumbers(before & ~after);
  if (set.length + cleared.length > bitsNamedMax) return `it was 0x${after.toString(16)}`;
  const named = (bits: number[], what: string) =>
    bits.length === 0 ? [] : [`${bits.length === 1 ? "bit" : "bits"} ${bits.join(", ")} ${what}`];
  return [...named(set, "set"), ...named(cleared, "cleared")].join(" and ");
}

function bitNumbers(mask: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 0; mask >> BigInt(bit) !== 0n; bit += 1) if ((mask >> BigInt(bit)) & 1n) bits.push(bit);
  return bits;
}

/** Returns the words that the register's new value adds to those of the value before, or that it lacks. */
function newWords({ register, before, last }: Poll): string {
  const wordsOf = (value: bigint) =>
    (register?.meaningOf(value) ?? "")
      .split(" | ")
      .filter((word) => word !== "" && word !== "0" && !word.startsWith("unknown="));
  const [old, now] = [wordsOf(before), wordsOf(last.value)];
  const came = now.filter((word) => !old.includes(word));
  if (came.length > 0) return came.join(" | ");
  const went = old.filter((word) => !now.includes(word));
  return went.length === 0 ? "" : `no longer ${went.join(" | ")}`;
}

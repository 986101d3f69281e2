// The lines that ftrace itself prints among the events of any tracer: the head of its `trace` file, and its reports of lost
// events. kernel/trace/trace.c: print_event_info(), print_trace_header(), print_trace_line(), test_cpu_buff_start(); trace-cmd's
// report prints losses in words of its own.

import { countOf, countText } from "../base/units.js";

/** A loss that a line reports. */
export interface LossReport {
  /** Undefined where the line says only that events were lost. */
  count: bigint | undefined;
  /** The CPU whose buffer lost them; undefined for the sum of all. */
  cpu: number | undefined;
}

const digitsMax = 15;
const inBuffer = new RegExp(
  `^# +entries-in-buffer/entries-written: (\\d{1,${digitsMax}})/(\\d{1,${digitsMax}})(?: |$)`,
);
const inLatencyHead = new RegExp(`^# latency: \\d+ us, #(\\d{1,${digitsMax}})/(\\d{1,${digitsMax}}), CPU#`);
const onCpu = new RegExp(
  `^CPU:(\\d{1,5}) \\[(?:LOST (?:(\\d{1,${digitsMax}}) )?EVENTS|(?:(\\d{1,${digitsMax}}) )?EVENTS DROPPED)\\]$`,
);

/** Counts the entries in a log against the numbers in its heads, of which a log may have several. */
export class EntryCount {
  /** Entries that the last head announced; undefined before the first. */
  private announced: number | undefined;
  /** The last head's line, and lines since it that are no entries. */
  private headLine = 0;
  private otherLines = 0;
  /** Sentences about heads whose entries aren't all there. */
  readonly missing: string[] = [];

  /** Takes a line that is no entry: a comment, or a report of losses. */
  take(line: string, lineNumber: number): void {
    const head = headOf(line);
    if (head === undefined) {
      this.otherLines += 1;
      return;
    }
    this.end(lineNumber);
    this.announced = Number(head.inBuffer);
    this.headLine = lineNumber;
    this.otherLines = 0;
  }

  /** Ends the entries of the last head before line `lineNumber`. An entry may have several lines, so that there are at most so many. */
  end(lineNumber: number): void {
    const { announced, headLine, otherLines } = this;
    if (announced === undefined) return;
    const most = Math.max(lineNumber - headLine - 1 - otherLines, 0);
    if (most >= announced) return;
    const head = `the head in line ${headLine} announces ${countOf(announced, "entry", "entries")}`;
    this.missing.push(
      `${head}, of which ${most === 0 ? "none is" : `at most ${countText(most)} ${most === 1 ? "is" : "are"}`} in the log`,
    );
  }
}

function headOf(line: string): { inBuffer: bigint; overwritten: bigint } | undefined {
  const found = inBuffer.exec(line) ?? inLatencyHead.exec(line);
  return found === null
    ? undefined
    : { inBuffer: BigInt(found[1]!), overwritten: BigInt(found[2]!) - BigInt(found[1]!) };
}

/** Returns true for a line of the head of ftrace's `trace` file: a comment. */
export function isFtraceComment(line: string): boolean {
  return line.startsWith("#");
}

/** Reads the loss that a line of ftrace's own reports; undefined for any other line. `line` has no line end. */
export function lossOfLine(line: string): LossReport | undefined {
  const head = headOf(line);
  if (head !== undefined) return head.overwritten > 0n ? { count: head.overwritten, cpu: undefined } : undefined;
  const found = onCpu.exec(line);
  if (found === null) return undefined;
  const [, cpu, lost, dropped] = found;
  const count = lost ?? dropped;
  return { count: count === undefined ? undefined : BigInt(count), cpu: Number(cpu) };
}

/** Returns true for mmiotrace's own mark of lost events. */
export function isLostMark(line: string): boolean {
  return /^MARK 0\.000000 Lost [1-9]\d* events\.$/.test(line);
}

/** Returns true for a line with a number of lost events, or of entries, which is that of its own log alone. */
export function isCountOfLog(line: string): boolean {
  return headOf(line) !== undefined || onCpu.test(line) || isLostMark(line);
}

/**
 * Losses that the kernel may report twice: mmiotrace's mark counts what all CPUs lost, and since 2.6.35 trace_pipe also prints
 * each CPU's losses where they happened. The greater sum counts.
 */
export class ReportedLosses {
  private marks = 0n;
  private cpus = 0n;

  /** Takes a mark's count; returns the part of it that no line has reported before. */
  ofMark(count: bigint): bigint {
    const before = this.all;
    this.marks += count;
    return this.all - before;
  }

  /** Does the same for a CPU's line. */
  ofCpu(count: bigint): bigint {
    const before = this.all;
    this.cpus += count;
    return this.all - before;
  }

  private get all(): bigint {
    const { marks, cpus } = this;
    if (marks > cpus) return marks;
    return cpus;
  }
}

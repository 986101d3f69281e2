// A guest kernel's complaints in its console's output, and the report of the one that ended the machine.

/**
 * The first line of a report that tells its cause: `BUG: …`, `kernel BUG at …`, or an exception's name with its error code and the
 * number of this oops, `invalid opcode: 0000 [#1]`.
 */
const fatalCause = /BUG:|kernel BUG at|Oops|general protection fault|: [0-9a-f]{4} \[#\d+\]|Kernel panic/;

/** A warning says `CPU: 0 PID: 123 at FILE:LINE FUNCTION` in 6.12, `FILE:LINE at FUNCTION, CPU#0: modprobe/123` in 7.2. */
const milderComplaint =
  /WARNING: (CPU|.* CPU#\d|possible|inconsistent|suspicious|bad|Nested)|Call Trace:|INFO: (task .* blocked|trying to register)|soft lockup|rcu.*detected stall|UBSAN:|ODEBUG:|DEBUG_LOCKS_WARN_ON|turning off the locking correctness validator/;

/** Pattern of a kernel's complaints on its console. */
export const kernelComplaint = new RegExp(`${fatalCause.source}|${milderComplaint.source}`);

const panic = /Kernel panic - /;
const panicOnWarning = /Kernel panic - .*panic_on_warn/;
const backtrace = /Call Trace:/;
const endOfReport = /---\[ end trace /;
const warning = /WARNING: /;

/** Lines of a report shown, from its cause on. */
const report_lines = 40;
/** Search distance before a backtrace for the line that names its CPU and process. */
const heading_lines = 8;
/** Longest distance from a complaint to its own backtrace: messages of other CPUs may come between. */
const backtrace_lines = 20;

/** Returns the console's lines from the kernel's first complaint on, as many as are needed; undefined if there is none. */
export function complaintIn(consoleLog: string): string | undefined {
  return complaintsIn(consoleLog)[0];
}

/**
 * Returns the report of each of the kernel's complaints, as `complaintIn` does. A backtrace belongs to the complaint before it only
 * if that has had none and its report isn't over; else it is a complaint of its own.
 */
export function complaintsIn(consoleLog: string): string[] {
  const lines = linesOf(consoleLog);
  const reports: string[] = [];
  let ownUntil = -1;
  for (const [at, line] of lines.entries()) {
    if (endOfReport.test(line)) ownUntil = -1;
    if (!kernelComplaint.test(line)) continue;
    const isBacktrace = backtrace.test(line);
    if (!isBacktrace || at > ownUntil) reports.push(reportFrom(lines, headingOf(lines, at)));
    ownUntil = isBacktrace ? -1 : at + backtrace_lines;
  }
  return reports;
}

/**
 * Returns the report of the panic that ended the machine, from its cause on: an earlier complaint that the kernel survived isn't in
 * it. Without a panic it is the first complaint; undefined if there is none.
 */
export function crashIn(consoleLog: string): string | undefined {
  const lines = linesOf(consoleLog);
  const end = lines.findIndex((line) => panic.test(line));
  if (end < 0) return complaintIn(consoleLog);
  const start = causeOf(lines, end);
  const report = reportFrom(lines, start);
  return end < start + report_lines ? report : `${report}\n…\n${lines[end]}`;
}

/** A console ends its lines with CR and LF. */
function linesOf(consoleLog: string): string[] {
  return consoleLog.trimEnd().split(/\r?\n/);
}

function reportFrom(lines: readonly string[], first: number): string {
  return lines.slice(first, first + report_lines).join("\n");
}

/** Finds the line at which the report of the panic in line `end` begins. */
function causeOf(lines: readonly string[], end: number): number {
  const before = lines.slice(0, end);
  if (panicOnWarning.test(lines[end]!))
    return Math.max(
      before.findLastIndex((line) => warning.test(line)),
      0,
    );
  // The oops that the panic follows has an end of its own; the reports of those before it end earlier.
  const ownEnd = before.findLastIndex((line) => endOfReport.test(line));
  const otherEnd = before.slice(0, Math.max(ownEnd, 0)).findLastIndex((line) => endOfReport.test(line));
  const cause = before.findIndex((line, at) => at > otherEnd && fatalCause.test(line));
  return cause < 0 ? end : cause;
}

/** Returns the first line of a backtrace's heading, `CPU: 0 PID: 1 …`, with the line before it, which says why. */
function headingOf(lines: readonly string[], first: number): number {
  if (!backtrace.test(lines[first]!)) return first;
  for (let at = first - 1; at >= Math.max(1, first - heading_lines); at--) {
    if (/CPU: \d+ .*PID: \d+/.test(lines[at]!)) return at - 1;
  }
  return first;
}

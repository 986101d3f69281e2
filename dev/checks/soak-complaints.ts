// Sorts the complaints of a soaked machine's kernel: those that it makes without a recording, too, and the others.
import { complaintsIn } from "../../src/lab/console-log.js";

export interface SortedComplaints {
  /** The reports that no lap without a recording has shown. */
  faults: string[];
  /** The first lines of the others, without their times. */
  own: string[];
}

/**
 * Sorts the complaints in `messages` by those in `before`, the messages until the first recording: the same complaint has the same
 * first line, but for time, CPU, process and addresses. Both texts are of dmesg or of the console.
 */
export function sortComplaints(messages: string, before: string): SortedComplaints {
  const known = new Set(complaintsIn(before).map(gistOf));
  // a backtrace that nothing explains is like any other
  known.delete(gistOf("Call Trace:"));
  const sorted: SortedComplaints = { faults: [], own: [] };
  for (const report of complaintsIn(messages)) {
    if (known.has(gistOf(report))) sorted.own.push(firstLine(report));
    else sorted.faults.push(report);
  }
  return sorted;
}

/** Returns a report's first line without its time. */
function firstLine(report: string): string {
  return report.split("\n", 1)[0]!.replace(/^\[ *\d+\.\d+\] /, "");
}

/** Returns a report's first line without that which differs from one time to the next. */
function gistOf(report: string): string {
  return firstLine(report)
    .replace(/\bCPU: \d+ PID: \d+ /, "")
    .replace(/, CPU#\d+: .*\/\d+$/, "")
    .replace(/\b(0x)?[0-9a-f]{16}\b/g, "#");
}

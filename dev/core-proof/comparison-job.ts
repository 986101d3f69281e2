// One piece of a decoder comparison, run in a worker thread: made-up strings, or the code in files. The job comes as a
// message, and so does the outcome.
import { parentPort } from "node:worker_threads";
import { ByteStrings, Random, stringStride } from "./byte-strings.js";
import { DecoderComparison, type Mismatch } from "./decoder-comparison.js";
import { codeOfFile } from "./executable-code.js";

/** `stream` makes the strings of a job differ from those of every other job with the same seed. */
export type ComparisonJob =
  | { kind: "strings"; seed: number; stream: number; count: number }
  | { kind: "files"; files: string[] };

/** A job's findings. */
export interface ComparisonOutcome {
  compared: number;
  valid: number;
  mismatches: Mismatch[];
  /** Occurrences by iced code number: of every form, and of those with a memory operand. */
  met: Uint32Array;
  metWithMemory: Uint32Array;
}

/** Mismatches that a job reports before it stops. */
const mismatchesMax = 20;
const stringsAtOnce = 32768;

/** Runs a job to its end, or until it found `mismatchesMax` mismatches. */
export function runComparisonJob(job: ComparisonJob): ComparisonOutcome {
  const comparison = new DecoderComparison();
  try {
    const mismatches = job.kind === "strings" ? compareStrings(comparison, job) : compareFiles(comparison, job.files);
    return {
      compared: comparison.valid + comparison.invalid,
      valid: comparison.valid,
      mismatches,
      met: comparison.met,
      metWithMemory: comparison.metWithMemory,
    };
  } finally {
    comparison.free();
  }
}

function compareStrings(
  comparison: DecoderComparison,
  job: { seed: number; stream: number; count: number },
): Mismatch[] {
  const strings = new ByteStrings(new Random(job.seed, job.stream));
  const bytes = new Uint8Array(stringsAtOnce * stringStride);
  const offsets = Uint32Array.from({ length: stringsAtOnce }, (_, n) => n * stringStride);
  const mismatches: Mismatch[] = [];
  for (let done = 0; done < job.count && mismatches.length < mismatchesMax; ) {
    const count = Math.min(stringsAtOnce, job.count - done);
    strings.fill(bytes, count);
    mismatches.push(...comparison.compare(bytes, offsets, count, mismatchesMax - mismatches.length));
    done += count;
  }
  return mismatches;
}

function compareFiles(comparison: DecoderComparison, files: string[]): Mismatch[] {
  const mismatches: Mismatch[] = [];
  for (const file of files) {
    for (const section of codeOfFile(file)) {
      if (mismatches.length < mismatchesMax) {
        mismatches.push(...comparison.sweep(section.bytes, mismatchesMax - mismatches.length));
      }
    }
  }
  return mismatches;
}

parentPort?.on("message", (job: ComparisonJob) => {
  parentPort?.postMessage(runComparisonJob(job));
});

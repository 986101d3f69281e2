// Compares a trace with QEMU's log in cases that `verify` refuses: recordings that were cut, and those with holes.
import { expect } from "vitest";
import { verify } from "../../../src/analysis/verify/verify.js";
import type { VerifyOptions } from "../../../src/analysis/verify/verify-result.js";
import type { TraceEvent } from "../../../src/trace/events.js";
import type { TraceHeader, TraceSummary } from "../../../src/trace/header.js";
import { openTrace, withFileSource } from "../../../src/trace/node/file-source.js";
import { type TruthAccess, truthAccesses } from "./in-lab.js";

export interface WholeTrace {
  header: TraceHeader;
  summary: TraceSummary | null;
  /** The reason why the trace ends before its summary. */
  damage: string | undefined;
  events: TraceEvent[];
}

/** Reads all of a trace into memory. */
export async function readTrace(path: string): Promise<WholeTrace> {
  const reader = await openTrace(path);
  try {
    const events: TraceEvent[] = [];
    for await (const batch of reader.batches()) events.push(...batch.events);
    return { header: reader.header, summary: reader.summary, damage: reader.damage?.what, events };
  } finally {
    await reader.close();
  }
}

/** Expects the trace to have exactly the accesses in QEMU's log of this recording, and at least so many. */
export async function expectIdentical(
  trace: string,
  truthFile: string,
  accessesMin: number,
  options: VerifyOptions = {},
): Promise<void> {
  const reader = await openTrace(trace);
  try {
    const result = await withFileSource(truthFile, (log) => verify(reader, log, options));
    expect(result.reasons).toEqual([]);
    expect(result.identical).toBe(true);
    expect(result.compared).toBeGreaterThanOrEqual(accessesMin);
  } finally {
    await reader.close();
  }
}

export const isAccess = (event: TraceEvent) => event.kind === "read" || event.kind === "write";

/** A device's accesses, and the places among them where `truth_mark` wrote to port 0x80. */
export interface Truth {
  accesses: TruthAccess[];
  /** Each byte that was written to port 0x80 three times in a row, and the number of `accesses` before it. */
  notes: { byte: number; at: number }[];
}

/**
 * Reads the accesses to one of QEMU's memory regions, `DEVICE-mmio`, from the log, from the beginning of a recording's fence if one is
 * given. With a fence, which engine emulate makes, those to the device's configuration space belong to them.
 */
export function truthSince(truthFile: string, fence: string | null, region: string): Truth {
  const regions = fence === null ? [region] : [region, `${region.split("-")[0]} configuration`];
  const wanted = fence === null ? [] : [0x4d, 0x4d, 0x53, 0x01, ...Buffer.from(fence, "hex")];
  const truth: Truth = { accesses: [], notes: [] };
  let matched = 0;
  let last = { byte: -1, at: 0, times: 0 };
  for (const access of truthAccesses(truthFile)) {
    const isNote = access.region === "ioport80" && access.direction === "write";
    if (matched < wanted.length) {
      if (isNote) matched = Number(access.value) === wanted[matched] ? matched + 1 : 0;
    } else if (isNote) {
      const byte = Number(access.value);
      last = byte === last.byte ? { ...last, times: last.times + 1 } : { byte, at: truth.accesses.length, times: 1 };
      if (last.times === 3) truth.notes.push({ byte, at: last.at });
    }
    if (matched === wanted.length && regions.includes(access.region)) truth.accesses.push(access);
  }
  expect(matched, `the fence ${fence} in ${truthFile}`).toBe(wanted.length);
  return truth;
}

/** Returns the number of the device's accesses before `letter` was written to port 0x80. */
export function accessesBefore(truth: Truth, letter: string): number {
  const note = truth.notes.find(({ byte }) => byte === letter.charCodeAt(0));
  expect(note, `the note ${letter}`).toBeDefined();
  return note!.at;
}

/**
 * Walks the events along the truth: each access must be the device's next one, and a LOST event skips as many accesses as it
 * says. Every lost record must have been an access. Returns the number of accesses of the truth that were passed.
 */
export function walkAlong(events: readonly TraceEvent[], truth: Truth): number {
  let at = 0;
  for (const event of events) {
    if (event.kind === "lost") at += Number(event.count);
    if (event.kind !== "read" && event.kind !== "write") continue;
    const { direction, address, value, width } = truth.accesses[at++] ?? {};
    const seen = [event.kind, event.address, event.value, event.width_bytes];
    // without expect(): a million of its comparisons would take minutes
    if (seen[0] === direction && seen[1] === address && seen[2] === value && seen[3] === width) continue;
    expect({ at, seen }).toEqual({ at, seen: [direction, address, value, width] });
  }
  return at;
}

// Holds a trace against QEMU's log where `verify` has nothing to say: recordings that were cut, and those with holes.
import { expect } from "vitest";
import { verify } from "../../../src/analysis/verify/verify.js";
import type { VerifyOptions } from "../../../src/analysis/verify/verify-result.js";
import type { TraceEvent } from "../../../src/trace/events.js";
import type { TraceHeader, TraceSummary } from "../../../src/trace/header.js";
import { openTrace } from "../../../src/trace/node/file-source.js";
import { type TruthAccess, truthAccesses } from "./in-lab.js";

export interface WholeTrace {
  header: TraceHeader;
  summary: TraceSummary | null;
  /** Why the trace ends before its summary. */
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

/** The trace has exactly what QEMU's log has of this recording, and at least so many accesses. */
export async function expectIdentical(
  trace: string,
  truthFile: string,
  accessesMin: number,
  options: VerifyOptions = {},
): Promise<void> {
  const reader = await openTrace(trace);
  try {
    const result = await verify(reader, truthFile, options);
    expect(result.reasons).toEqual([]);
    expect(result.identical).toBe(true);
    expect(result.compared).toBeGreaterThanOrEqual(accessesMin);
  } finally {
    await reader.close();
  }
}

export const isAccess = (event: TraceEvent) => event.kind === "read" || event.kind === "write";

/** What a device received, and where `truth_mark` wrote to port 0x80 meanwhile. */
export interface Truth {
  accesses: TruthAccess[];
  /** Each byte that was written to port 0x80 three times in a row, and how many of `accesses` come before it. */
  notes: { byte: number; at: number }[];
}

/** The accesses to one of QEMU's memory regions, to the log's end: since the fence of a recording began, if one is given. */
export function truthSince(truthFile: string, fence: string | null, region: string): Truth {
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
    if (matched === wanted.length && access.region === region) truth.accesses.push(access);
  }
  expect(matched, `the fence ${fence} in ${truthFile}`).toBe(wanted.length);
  return truth;
}

/** How many accesses the device had got when `letter` was written to port 0x80. */
export function accessesBefore(truth: Truth, letter: string): number {
  const note = truth.notes.find(({ byte }) => byte === letter.charCodeAt(0));
  expect(note, `the note ${letter}`).toBeDefined();
  return note!.at;
}

/**
 * Walks the events along the truth, a LOST event skipping as many accesses as it says: each access must be the next one
 * that the device got. Every lost record must have been an access. Returns how many accesses of the truth were passed.
 */
export function walkAlong(events: readonly TraceEvent[], truth: Truth): number {
  let at = 0;
  for (const event of events) {
    if (event.kind === "lost") at += Number(event.count);
    if (event.kind !== "read" && event.kind !== "write") continue;
    const { direction, address, value, width } = truth.accesses[at++] ?? {};
    const seen = [event.kind, event.address, event.value, event.width_bytes];
    // made by hand: an expectation for each of a million accesses would take minutes
    if (seen[0] === direction && seen[1] === address && seen[2] === value && seen[3] === width) continue;
    expect({ at, seen }).toEqual({ at, seen: [direction, address, value, width] });
  }
  return at;
}

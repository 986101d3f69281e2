// Results from whole traces: counts, polls, the difference between two. Runs in pages. Thin: analysis/ does the work.
import { type CollectedAccesses, collectDiffAccesses } from "../analysis/diff/access-sequence.js";
import { type DiffResult, diffTraces, Masks, type ValueMask } from "../analysis/diff/diff-traces.js";
import { endingWords, PollFinder, type Poll as RoomPoll } from "../analysis/folding/polls.js";
import type { DmaStatistics, InterruptStatistics } from "../analysis/statistics/event-tally.js";
import type { PollStatistics } from "../analysis/statistics/poll-tally.js";
import {
  type CpuStatistics,
  type DeviceStatistics,
  type RegisterStatistics,
  type Statistics as RoomStatistics,
  type SiteStatistics,
  StatisticsCollector,
} from "../analysis/statistics/statistics.js";
import type { TallyResult } from "../analysis/statistics/tally.js";
import { verify as verifyReader } from "../analysis/verify/verify.js";
import type { VerifyOptions, VerifyResult } from "../analysis/verify/verify-result.js";
import { selectedViews } from "../analysis/view/selection.js";
import type { AccessEvent as RoomAccess, TraceEvent as RoomEvent } from "../trace/events.js";
import { BlobSource, type ByteSource, MemorySource } from "../trace/file/source.js";
import { type AccessEvent, EventMaker } from "./events.js";
import { bytesOf, type TraceBytes } from "./open.js";
import { internalsOf, roomSelection, type Selection, type Trace } from "./trace.js";

export type {
  DeviceComparison,
  DifferenceKind,
  DiffResult,
  TraceDifference,
  ValueMask,
} from "../analysis/diff/diff-traces.js";
export type { ComparedBy, SequenceEntry } from "../analysis/diff/sequence-pairs.js";
export type { DmaStatistics, InterruptStatistics } from "../analysis/statistics/event-tally.js";
export type { PollStatistics } from "../analysis/statistics/poll-tally.js";
export type {
  CpuStatistics,
  DeviceStatistics,
  RegisterStatistics,
  SiteStatistics,
} from "../analysis/statistics/statistics.js";
export type { TallyResult } from "../analysis/statistics/tally.js";
export type {
  AccessText,
  RegionResult,
  ReportedDifference,
  VerifyOptions,
  VerifyResult,
} from "../analysis/verify/verify-result.js";

/** Counts of a trace; times in seconds since recording began. Each table has the most frequent first. `stat --json` prints it. */
export interface Statistics extends TallyResult {
  readonly events: number;
  /** Records that were lost. */
  readonly lost: number;
  /** Instructions that escaped emulation. */
  readonly escaped: number;
  /** Mappings that got no decoy: accesses through them are not in the trace. */
  readonly unrecorded: number;
  readonly devices: readonly DeviceStatistics[];
  /** The places first; then the sums of many places, whose offset is null. */
  readonly registers: readonly RegisterStatistics[];
  /** Number of `registers`' first rows, which are a place each. */
  readonly places: number;
  readonly sites: readonly SiteStatistics[];
  /** By number. */
  readonly cpus: readonly CpuStatistics[];
  /** By register and site: reads by the same code, three in a row or more. */
  readonly polls: readonly PollStatistics[];
  /** By interrupt, handler and CPU. */
  readonly interrupts: readonly InterruptStatistics[];
  /** By PCI function, way and direction. */
  readonly dma: readonly DmaStatistics[];
}

/**
 * Counts accesses by device, register, site and CPU, and finds polls.
 * Throws FilterError, FormatError and UserError as reading does.
 */
export async function statistics(trace: Trace, selection: Selection = {}): Promise<Statistics> {
  const { reader, makeRegisters } = internalsOf(trace);
  const collector = new StatisticsCollector(reader.header);
  for await (const { views } of selectedViews(reader, makeRegisters(), roomSelection(selection))) {
    for (const view of views) collector.add(view);
  }
  return plain(collector.result());
}

function plain(result: RoomStatistics): Statistics {
  const { devices, registers, sites, cpus, polls, interrupts, dma } = result;
  const tables = { devices: [...devices], registers: [...registers], sites: [...sites] };
  return { ...result, ...tables, cpus: [...cpus], polls: [...polls], interrupts: [...interrupts], dma: [...dma] };
}

/** The same read by the same code again and again, with no other selected event in between. */
export interface Poll {
  readonly first: AccessEvent;
  /** The read that ended it; for `same`, the last one. */
  readonly last: AccessEvent;
  /** Number of reads, at least two. */
  readonly count: number;
  /** From the first read to the last; null where a log of another format has no times. */
  readonly duration_s: number | null;
  /** `same`: always one value. `until`: one value, and another at the end. `varying`: each differs from the one before. */
  readonly ending: "same" | "until" | "varying";
  /** The ending in words: `until bit 1 set (LU)`. */
  readonly words: string;
}

/** Yields the polls of the selected events, in their order, as in `report --fold`. Throws the errors of reading. */
export async function* findPolls(trace: Trace, selection: Selection = {}): AsyncGenerator<Poll, void, undefined> {
  const { reader, makeRegisters } = internalsOf(trace);
  const maker = new EventMaker({});
  const made = new WeakMap<RoomEvent, AccessEvent>();
  const eventOf = (access: RoomAccess) => made.get(access)!;
  let found: Poll[] = [];
  const finder = new PollFinder((item) => {
    if (item.kind === "poll") found.push(pollOf(item, eventOf));
  });
  for await (const { views } of selectedViews(reader, makeRegisters(), roomSelection(selection))) {
    for (const view of views) {
      if (view.event.kind === "read") made.set(view.event, maker.make(view) as AccessEvent);
      finder.add(view.event, view.register);
    }
    yield* found;
    found = [];
  }
  finder.end();
  yield* found;
}

function pollOf(poll: RoomPoll, eventOf: (access: RoomAccess) => AccessEvent): Poll {
  const { count, ending } = poll;
  const [first, last] = [eventOf(poll.first), eventOf(poll.last)];
  const duration_s = first.time_s === null || last.time_s === null ? null : last.time_s - first.time_s;
  return Object.freeze({ first, last, count, duration_s, ending, words: endingWords(poll) });
}

/** Options of a comparison of two traces. */
export interface DiffOptions {
  /** The part of both traces that is compared. */
  selection?: Selection;
  /** The part of the second trace, if it is another one. */
  secondSelection?: Selection;
  /** Bits of registers that may differ. */
  masks?: readonly ValueMask[];
  /** Further runs of the same work as the first: a register's bits that differ among them may differ in the second, too. */
  likeFirst?: readonly Trace[];
}

/**
 * Compares two runs of a driver, for example a working and a broken one: aligns them by the registers that they touch one after the
 * other, and lists different values, missing accesses and new ones. All accesses of both are in memory meanwhile.
 * Throws the errors of reading, and InvalidValueError for a mask that fits no register and for a like run of other accesses.
 */
export async function diff(first: Trace, second: Trace, options: DiffOptions = {}): Promise<DiffResult> {
  const { selection = {}, secondSelection = selection, masks: given = [], likeFirst = [] } = options;
  const masks = new Masks();
  for (const mask of given) masks.add(mask);
  const good = await accessesOf(first, selection);
  for (const other of likeFirst) masks.learn(good, await accessesOf(other, selection));
  return diffTraces(good, await accessesOf(second, secondSelection), masks);
}

async function accessesOf(trace: Trace, selection: Selection): Promise<CollectedAccesses> {
  const { reader, makeRegisters } = internalsOf(trace);
  return collectDiffAccesses(reader, makeRegisters(), roomSelection(selection));
}

/**
 * Compares a trace, access by access, with the accesses that the devices received according to QEMU: its log of
 * `-trace memory_region_ops_*`, not packed. All accesses of both are in memory meanwhile.
 * Throws FormatError and UserError if trace or log can't be read, or if the log doesn't have the trace's fence.
 */
export async function verify(trace: Trace, truth: TraceBytes, options: VerifyOptions = {}): Promise<VerifyResult> {
  const bytes = bytesOf(truth);
  const log = bytes instanceof Blob ? new BlobSource(bytes, "the log") : new MemorySource(bytes, "the log");
  return verifyWith(trace, log, options);
}

/** The same with a log from anywhere; doesn't close it. */
export async function verifyWith(trace: Trace, log: ByteSource, options: VerifyOptions): Promise<VerifyResult> {
  return verifyReader(internalsOf(trace).reader, log, options);
}

// Finds the races in a trace of RAPID's STD format, by the algorithm of one's choice.
import { UserError } from "../../base/errors.js";
import type { Detector, RaceSink } from "./detector.js";
import type { EventBatch } from "./event-batch.js";
import { HappensBefore } from "./happens-before.js";
import { LockSet } from "./lockset.js";
import { Oddities } from "./oddities.js";
import { RaceTally, type RacingAccess } from "./race-tally.js";
import { SchedulableHappensBefore } from "./schedulable.js";
import { StdReader } from "./std.js";
import { SyncPreserving } from "./sync-preserving.js";
import { TraceSurvey } from "./trace-survey.js";

export const raceAlgorithms = ["hb", "shb", "syncp", "lockset"] as const;
export type RaceAlgorithm = (typeof raceAlgorithms)[number];

/** The algorithms that need one walk over the trace. */
const detectors: Record<Exclude<RaceAlgorithm, "syncp">, new (races: RaceSink) => Detector> = {
  hb: HappensBefore,
  shb: SchedulableHappensBefore,
  lockset: LockSet,
};

/** Returns true for an algorithm that walks over the trace twice. */
export const readsTwice = (algorithm: RaceAlgorithm): boolean => algorithm === "syncp";

/** A folded pair of racing accesses, or a variable's unlocked access, with names. */
export interface Race {
  variable: string;
  /** Null for locksets, which find no pairs. */
  earlier: RacingAccess | null;
  later: RacingAccess;
  count: number;
  /** The later access of the pair that was found first: its event's number, from 1, and both threads. */
  first: { event: number; threads: string[] };
}

export interface RacesFound {
  algorithm: RaceAlgorithm;
  events: number;
  threads: number;
  locks: number;
  variables: number;
  /** Events that race with an earlier one, each counted once, as RAPID counts them. */
  racyEvents: number;
  /** Names of the variables of these events, with the number of them, in the order in which the trace first names the variables. */
  racyVariables: { name: string; racyEvents: number }[];
  /** The most frequent first. */
  races: Race[];
  /** Pairs beyond the limit of distinct ones, which `races` lacks. */
  unfolded: number;
  /** Sentences about events that no program makes, which weaken the result. */
  notes: string[];
}

export interface FindRacesOptions {
  algorithm: RaceAlgorithm;
  /** The file's name in messages. */
  file: string;
  /** Gets the number of each racy event, from 1, in order. */
  onRacy?: ((event: number) => void) | undefined;
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Reads a trace and finds its races. `open` begins the trace anew at each call; it is called once, or twice if `readsTwice(algorithm)`.
 * Throws FormatError for a line that isn't in the format, UserError if the memory isn't enough, or the trace isn't the same the second
 * time.
 */
export async function findRaces(open: () => Chunks | Promise<Chunks>, options: FindRacesOptions): Promise<RacesFound> {
  try {
    return await (options.algorithm === "syncp"
      ? readingTwice(open, options)
      : readingOnce(open, options.algorithm, options));
  } catch (error) {
    // an array that can't be made
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`the threads, locks and variables of ${options.file} need more memory than there is`, {
      cause: error,
    });
  }
}

async function readingOnce(
  open: () => Chunks | Promise<Chunks>,
  algorithm: keyof typeof detectors,
  { file, onRacy }: FindRacesOptions,
): Promise<RacesFound> {
  const tally = new RaceTally(onRacy);
  const oddities = new Oddities();
  const detector = new detectors[algorithm](tally);
  const reader = new StdReader(file, (batch) => {
    oddities.take(batch);
    detector.take(batch);
  });
  await readAll(reader, await open());
  return resultOf(algorithm, reader, tally, oddities);
}

async function readingTwice(
  open: () => Chunks | Promise<Chunks>,
  { algorithm, file, onRacy }: FindRacesOptions,
): Promise<RacesFound> {
  const tally = new RaceTally(onRacy);
  const oddities = new Oddities();
  const survey = new TraceSurvey();
  const first = new StdReader(file, (batch) => survey.take(batch));
  await readAll(first, await open());
  const detector = new SyncPreserving(tally, survey);
  const take = (batch: EventBatch) => {
    const { threads, locks, variables } = survey;
    const isKnown = batch.threadCount <= threads && batch.lockCount <= locks && batch.variableCount <= variables;
    if (!isKnown) throw new TraceChangedError(file);
    oddities.take(batch);
    detector.take(batch);
  };
  const second = new StdReader(file, take, first.names);
  await readAll(second, await open());
  if (second.events !== first.events) throw new TraceChangedError(file);
  return resultOf(algorithm, second, tally, oddities);
}

/** The trace became another one between two walks over it. */
class TraceChangedError extends UserError {
  override readonly name = "TraceChangedError";
  constructor(file: string) {
    super(`${file} changed while it was read: syncp reads it twice`);
  }
}

async function readAll(reader: StdReader, chunks: Chunks): Promise<void> {
  for await (const chunk of chunks) reader.push(chunk);
  reader.finish();
}

function resultOf(
  algorithm: RaceAlgorithm,
  { names, events }: StdReader,
  tally: RaceTally,
  oddities: Oddities,
): RacesFound {
  const { threads, locks, variables } = names;
  return {
    algorithm,
    events,
    threads: threads.count,
    locks: locks.count,
    variables: variables.count,
    racyEvents: tally.racyEvents,
    racyVariables: [...tally.racyVariables()].map(({ variable, events: racyEvents }) => ({
      name: variables.text(variable),
      racyEvents,
    })),
    races: tally.folded().map(({ variable, earlier, later, count, firstEvent, firstThreads }) => ({
      variable: variables.text(variable),
      earlier,
      later,
      count,
      first: { event: firstEvent, threads: firstThreads.map((thread) => threads.text(thread)) },
    })),
    unfolded: tally.unfolded,
    notes: oddities.notes(),
  };
}

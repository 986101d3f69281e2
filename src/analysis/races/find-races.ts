// Finds the races in a trace of RAPID's STD format, by the algorithm of one's choice.
import type { Detector } from "./detector.js";
import { HappensBefore } from "./happens-before.js";
import { RaceTally, type RacingAccess } from "./race-tally.js";
import { StdReader } from "./std.js";

export const raceAlgorithms = ["hb"] as const;
export type RaceAlgorithm = (typeof raceAlgorithms)[number];

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
}

export interface FindRacesOptions {
  algorithm: RaceAlgorithm;
  /** The file's name in messages. */
  file: string;
  /** Gets the number of each racy event, from 1, in order. */
  onRacy?: ((event: number) => void) | undefined;
}

/** Reads a trace and finds its races. Throws FormatError for a line that isn't in the format. */
export async function findRaces(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { algorithm, file, onRacy }: FindRacesOptions,
): Promise<RacesFound> {
  const tally = new RaceTally(onRacy);
  const detector: Detector = new HappensBefore(tally);
  const reader = new StdReader(file, (batch) => detector.take(batch));
  for await (const chunk of chunks) reader.push(chunk);
  reader.finish();
  return resultOf(algorithm, reader, tally);
}

function resultOf(algorithm: RaceAlgorithm, { names, events }: StdReader, tally: RaceTally): RacesFound {
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
  };
}

// `mmiostrider races`: finds data races in a trace of threads' events.
import { statSync } from "node:fs";
import type { Command } from "commander";
import {
  findRaces,
  type Race,
  type RaceAlgorithm,
  type RacesFound,
  raceAlgorithms,
  readsTwice,
} from "../../analysis/races/find-races.js";
import { printable } from "../../base/printable.js";
import { countOf, countText } from "../../base/units.js";
import { openBytes, type PlainBytes } from "../../trace/node/open-log.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { writeJson } from "../shared/json-output.js";
import { Progress } from "../shared/progress.js";
import { tableLines } from "../shared/table.js";
import { TextOutput, untilReaderIsGone } from "../shared/text-output.js";

interface RacesOptions {
  from?: "std";
  algorithm: RaceAlgorithm;
  events?: true;
  json?: true;
}

export function addRaces(program: Command): void {
  program
    .command("races")
    .summary("find data races in a trace of threads' events")
    .description(
      "Finds data races in a trace that has each memory access, lock operation, fork and join of several threads. Prints the " +
        "pairs of accesses that race, folded by variable and locations, the most frequent first. mmiostrider's own traces have " +
        "the accesses to devices only, no other memory and no locks: they can't be searched for races yet.",
    )
    .argument("<file>", "the trace, packed with gzip or not; - is standard input")
    .addOption(
      program
        .createOption(
          "--from <format>",
          "the trace's format; needed, and std is the only one yet: RAPID's text, a line an event",
        )
        .choices(["std"]),
    )
    .addOption(
      program
        .createOption("--algorithm <name>", `the definition of a race: ${algorithmWords}`)
        .choices(raceAlgorithms)
        .default("hb"),
    )
    .option("--events", "also tell the number of each racy event, which is its line's")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider races --from std trace.std
  mmiostrider races --from std --json trace.std | jq '.racyEvents, .variables'

An event is racy if it races with an earlier one. docs/races.md says what each algorithm can prove.

Exit codes: 0 no races found, 1 some found, or failed, 2 wrong usage, 3 no races found, but the trace isn't whole.`,
    )
    .action(async (file: string, options: RacesOptions) => {
      if (options.from === undefined) {
        throw new UsageError("races needs --from std: mmiostrider can't record traces with all memory accesses yet", {
          advice: "mmiostrider races --from std FILE reads a trace in RAPID's STD format",
        });
      }
      process.exitCode = await races(file, options);
    });
}

const algorithmWords =
  "hb happens-before, shb schedulable happens-before, syncp sync-preserving (other orders of the same run), lockset no common lock";

async function races(file: string, options: RacesOptions): Promise<ExitCode> {
  const { algorithm } = options;
  if (readsTwice(algorithm) && !isRegularFile(file)) {
    throw new UsageError(
      `--algorithm ${algorithm} reads the trace twice: ${file === "-" ? "standard input" : file} is no file`,
    );
  }
  const progress = new Progress(`reading ${file}`);
  const eventNumbers: number[] = [];
  const onRacy = options.events === true ? (event: number) => void eventNumbers.push(event) : undefined;
  const name = file === "-" ? "standard input" : file;
  let input: PlainBytes | undefined;
  const open = async () => {
    input?.close();
    input = await openBytes(file, (done, whole) => progress.update(done, whole));
    return input.chunks;
  };
  let found: RacesFound;
  try {
    found = await findRaces(open, { algorithm, file: name, onRacy });
  } finally {
    progress.end();
    input?.close();
  }
  const incomplete = input?.incomplete ?? [];
  for (const what of [...incomplete, ...found.notes]) process.stderr.write(`mmiostrider: ${name}: note: ${what}\n`);
  const output = new TextOutput();
  await untilReaderIsGone(async () => {
    if (options.json) await writeJson(output, jsonOf(found, options, eventNumbers, incomplete));
    else for (const line of linesOf(found, eventNumbers)) await output.write(`${line}\n`);
    await output.flush();
  });
  if (found.racyEvents > 0) return ExitCode.failed;
  return incomplete.length > 0 ? ExitCode.incomplete : ExitCode.done;
}

/** Returns true for a regular file, and for one that isn't there: opening it says so. */
function isRegularFile(path: string): boolean {
  return path !== "-" && statSync(path, { throwIfNoEntry: false })?.isFile() !== false;
}

function jsonOf(
  found: RacesFound,
  options: RacesOptions,
  eventNumbers: number[],
  incomplete: readonly string[],
): object {
  const { algorithm, events, threads, variables, locks, racyEvents, racyVariables, races, unfolded, notes } = found;
  return {
    algorithm,
    read: { events, threads, variables, locks },
    racyEvents,
    variables: racyVariables.map(({ name }) => name),
    ...(options.events ? { eventNumbers } : {}),
    races,
    unfolded,
    notes,
    incomplete,
  };
}

function* linesOf(found: RacesFound, eventNumbers: readonly number[]): Generator<string> {
  if (found.races.length > 0) {
    const names = [">count", "variable", "earlier access", "later access", "first found"];
    yield* tableLines([names, ...found.races.map(cellsOf)]);
  }
  if (found.unfolded > 0) yield `and ${countOf(found.unfolded, "pair")} more, beyond the limit of distinct ones`;
  for (const event of eventNumbers) yield `event ${event}`;
  yield summaryOf(found);
}

function cellsOf({ variable, earlier, later, count, first: { event, threads } }: Race): string[] {
  return [
    countText(count),
    printable(variable),
    earlier === null ? "" : `${earlier.operation} at ${earlier.location}`,
    `${later.operation} at ${later.location}`,
    `event ${event} by ${threads.map(printable).reverse().join(" after ")}`,
  ];
}

function summaryOf({ algorithm, racyEvents, racyVariables, events, threads, variables, locks }: RacesFound): string {
  const racy =
    racyEvents === 0
      ? "no races"
      : `${countOf(racyEvents, "racy event")} on ${countOf(racyVariables.length, "variable")}`;
  return (
    `${racy} (${algorithm}) in ${countOf(events, "event")} of ${countOf(threads, "thread")} ` +
    `on ${countOf(variables, "variable")} and ${countOf(locks, "lock")}`
  );
}

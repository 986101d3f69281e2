// `mmiostrider grep`: prints the lines of reports that match a regular expression.
import type { Command } from "commander";
import type { AccessRegisters } from "../../analysis/view/access-registers.js";
import type { Selection } from "../../analysis/view/range.js";
import { selectedViews } from "../../analysis/view/selection.js";
import { UserError } from "../../base/errors.js";
import type { TraceEvent } from "../../trace/events.js";
import { EventRows, traceName } from "../../trace/export/event-rows.js";
import { jsonLine } from "../../trace/export/row-text.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { TraceState } from "../../trace/state.js";
import { type TellRegister, TextWriter } from "../../trace/text.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { openReadable } from "../shared/open-input.js";
import { wholeNumber } from "../shared/option-values.js";
import { type ColorChoice, colorChoices, paintFor, requireTextForColor } from "../shared/paint.js";
import { Progress } from "../shared/progress.js";
import { RegisterNames, type RegisterOptions } from "../shared/register-names.js";
import {
  addFilterOption,
  addRangeOptions,
  addRegisterOptions,
  type SelectionOptions,
  selectionOf,
} from "../shared/selection-options.js";
import { shownError } from "../shared/shown-error.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";
import { OutputClosed, TextOutput, untilReaderIsGone } from "../shared/text-output.js";

const contextMax = 10_000;

interface GrepOptions extends SelectionOptions, RegisterOptions {
  ignoreCase?: true;
  invertMatch?: true;
  count?: true;
  filesWithMatches?: true;
  afterContext?: number;
  beforeContext?: number;
  context?: number;
  json?: true;
  color: ColorChoice;
}

export function addGrep(program: Command): void {
  const command = program
    .command("grep")
    .summary("print the lines of traces that match a regular expression")
    .description(
      "Prints the lines of traces, in report's form, that match a regular expression (JavaScript's). " +
        "Filters are faster, and can tell registers from values.",
    )
    .argument("<expression>", "the regular expression")
    .argument("<files...>", "the traces, or logs that convert reads; - is standard input")
    .option("-i, --ignore-case", "treat upper and lower case alike")
    .option("-v, --invert-match", "print the lines that don't match")
    .option("-c, --count", "print only the number of lines, for each file")
    .option("-l, --files-with-matches", "print only the names of the files with matches")
    .option("-A, --after-context <lines>", "also print this many lines after each match", (text) =>
      wholeNumber("--after-context", text, 0, contextMax),
    )
    .option("-B, --before-context <lines>", "also print this many lines before each match", (text) =>
      wholeNumber("--before-context", text, 0, contextMax),
    )
    .option("-C, --context <lines>", "both of these", (text) => wholeNumber("--context", text, 0, contextMax))
    .option("--json", "print the events as JSON Lines, like report --format jsonl");
  addFilterOption(command);
  addRangeOptions(command);
  addRegisterOptions(command)
    .addOption(program.createOption("--color <when>", "colours").choices(colorChoices).default("auto"))
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider grep 'CTRL .*RST' e1000.mmt
  mmiostrider grep -c watchdog *.mmt
  mmiostrider grep -C 3 'mark: cable' --filter 'access or op == mark' e1000.mmt
  mmiostrider grep --json watchdog *.mmt | jq '[.trace, .event, .register]'

Exit codes: 0 found, 1 not found, or a file couldn't be read (a message says so, and the others are searched), 2 wrong usage,
3 not found, but a trace is incomplete.`,
    )
    .action(async (expression: string, files: string[], options: GrepOptions) => {
      const search = searchFor(expression, files, options);
      const found = await untilReaderIsGone(async () => {
        const results: Searched[] = [];
        for (const file of files) results.push(await searchOne(file, search, files.length > 1));
        await search.output.flush();
        return results;
      });
      if (found !== undefined) process.exitCode = exitCodeFor(found, search);
    });
}

function exitCodeFor(found: readonly Searched[], { names }: Search): number {
  const failures = found.flatMap(({ failure }) => failure ?? []);
  if (failures.length > 0) return failures.includes(ExitCode.failed) ? ExitCode.failed : ExitCode.usage;
  names.requireUse();
  if (names.tell()) return ExitCode.failed;
  if (found.some(({ matches }) => matches > 0)) return ExitCode.done;
  return found.some(({ incomplete }) => incomplete) ? ExitCode.incomplete : ExitCode.failed;
}

/** A search: its pattern, and the form of its output. */
interface Search {
  options: GrepOptions;
  pattern: RegExp;
  selection: Selection;
  names: RegisterNames;
  output: TextOutput;
  /** Lines begin with their file's name. */
  named: boolean;
}

/** Makes the search. Throws UsageError. */
function searchFor(expression: string, files: readonly string[], options: GrepOptions): Search {
  const selection = selectionOf(options);
  const names = new RegisterNames(options);
  const withLines = options.afterContext ?? options.beforeContext ?? options.context;
  if (options.json === true && (withLines !== undefined || options.count || options.filesWithMatches)) {
    throw new UsageError("--json prints events: it doesn't go with -c, -l, -A, -B or -C");
  }
  if (withLines !== undefined && (options.count || options.filesWithMatches)) {
    throw new UsageError("-c and -l print no lines: they don't go with -A, -B or -C");
  }
  requireTextForColor(options.color, options.json === true, "--json");
  const pattern = patternOf(expression, options.ignoreCase === true);
  const named = files.length > 1 && options.json !== true;
  return { options, pattern, selection, names, output: new TextOutput(), named };
}

interface Searched {
  matches: number;
  incomplete: boolean;
  /** The exit code for a file that couldn't be searched. */
  failure?: ExitCode;
}

/** Searches a file; with several, one that can't be searched is reported, and the others are searched all the same. */
async function searchOne(file: string, search: Search, several: boolean): Promise<Searched> {
  try {
    return await searchFile(file, search);
  } catch (error) {
    if (!several || !(error instanceof UserError) || error instanceof OutputClosed) throw error;
    const { message, advice, exitCode } = shownError(error);
    await search.output.flush();
    process.stderr.write(`mmiostrider: ${message}\n${advice === undefined ? "" : `  ${advice}\n`}`);
    return { matches: 0, incomplete: false, failure: exitCode };
  }
}

async function searchFile(file: string, { options, output, named, ...search }: Search): Promise<Searched> {
  const reader = await openReadable(file);
  const progress = new Progress(`searching ${file}`, { whilePrinting: true });
  try {
    const prefix = named ? `${file}:` : "";
    const matches = new Matches(output, prefix, options);
    const registers = search.names.namerFor(reader);
    const lines = new EventLines(reader, registers, options);
    walk: for await (const { block, views } of selectedViews(reader, registers, search.selection)) {
      for (const { event, state } of views) {
        const line = lines.searched(event, state);
        if (line === "") continue;
        const isMatch = search.pattern.test(line.trimEnd()) !== (options.invertMatch === true);
        const written = matches.take(lines.shown(event, state, isMatch) ?? line, isMatch);
        if (written !== undefined) await written;
        if (isMatch && options.filesWithMatches === true) break walk;
      }
      progress.update(block.firstEvent + block.events, reader.events);
    }
    if (options.count === true) await output.write(`${prefix}${matches.count}\n`);
    else if (options.filesWithMatches === true && matches.count > 0) await output.write(`${file}\n`);
    return { matches: matches.count, incomplete: tellIncomplete(reader) };
  } finally {
    progress.end();
    await reader.close();
  }
}

/** An event's line in two forms: searched and shown. */
class EventLines {
  private readonly plain: TextWriter;
  private readonly painted: TextWriter | undefined;
  private readonly rows: EventRows | undefined;

  constructor({ header, source }: TraceReader, registers: AccessRegisters, options: GrepOptions) {
    const tell: TellRegister = (event, place) => registers.see(event, place);
    const paint = paintFor(options.color);
    this.plain = new TextWriter(header, tell);
    this.painted = paint && new TextWriter(header, tell, paint);
    this.rows = options.json ? new EventRows(header, traceName(source.name), tell) : undefined;
  }

  /** Makes the line to search; empty for events that aren't shown. */
  searched(event: TraceEvent, state: TraceState): string {
    return this.plain.line(event, state);
  }

  /** Makes the line to show; undefined if it is the searched one. */
  shown(event: TraceEvent, state: TraceState, isMatch: boolean): string | undefined {
    const row = isMatch ? this.rows?.row(event, state) : undefined;
    return row === undefined ? this.painted?.line(event, state) : jsonLine(row);
  }
}

function patternOf(expression: string, ignoreCase: boolean): RegExp {
  try {
    return new RegExp(expression, ignoreCase ? "iu" : "u");
  } catch (error) {
    throw new UsageError(`"${expression}" is no regular expression: ${(error as Error).message.replace(/^.*: /, "")}`);
  }
}

/** Prints matching lines, and those around them. */
class Matches {
  count = 0;
  private readonly output: TextOutput;
  private readonly prefix: string;
  private readonly quiet: boolean;
  private readonly before: number;
  private readonly after: number;
  /** Lines that are printed if a match follows. */
  private readonly waiting: string[] = [];
  /** Number of lines still to print after a match. */
  private due = 0;
  private skipped = false;
  private printed = false;

  constructor(output: TextOutput, prefix: string, options: GrepOptions) {
    this.output = output;
    this.prefix = prefix;
    this.quiet = options.count === true || options.filesWithMatches === true;
    this.before = options.beforeContext ?? options.context ?? 0;
    this.after = options.afterContext ?? options.context ?? 0;
  }

  take(line: string, isMatch: boolean): Promise<void> | undefined {
    if (isMatch) this.count += 1;
    if (this.quiet) return undefined;
    if (isMatch) {
      const gap = this.skipped && this.printed && this.before + this.after > 0 ? "--\n" : "";
      const text = [...this.waiting.splice(0), line].map((one) => this.prefix + one).join("");
      this.due = this.after;
      this.skipped = false;
      this.printed = true;
      return this.output.write(gap + text);
    }
    if (this.due > 0) {
      this.due -= 1;
      return this.output.write(this.prefix + line);
    }
    this.waiting.push(line);
    if (this.waiting.length > this.before) {
      this.waiting.shift();
      this.skipped = true;
    }
    return undefined;
  }
}

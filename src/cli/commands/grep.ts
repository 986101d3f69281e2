// `mmiostrider grep`: the lines of reports that a regular expression is found in.
import type { Command } from "commander";
import { selectedViews } from "../../analysis/view/selection.js";
import { ExitCode, UsageError } from "../../base/errors.js";
import { EventRows, traceName } from "../../trace/export/event-rows.js";
import { jsonLine } from "../../trace/export/row-text.js";
import { TextWriter } from "../../trace/text.js";
import { openReadable } from "../shared/open-input.js";
import { type ColorChoice, colorChoices, paintFor } from "../shared/paint.js";
import { Progress } from "../shared/progress.js";
import {
  addFilterOption,
  addRangeOptions,
  addRegisterOptions,
  type RegisterOptions,
  registersOf,
  type SelectionOptions,
  selectionOf,
} from "../shared/selection-options.js";
import { OutputClosed, TextOutput } from "../shared/text-output.js";
import { tellIncomplete } from "./report.js";

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
    .summary("print the lines of traces that a regular expression is found in")
    .description(
      "Prints those lines of traces, as report prints them, in which the regular expression is found (JavaScript's). " +
        "Filters are faster, and know what is a register and what a value.",
    )
    .argument("<expression>", "the regular expression")
    .argument("<files...>", "the traces, or logs that convert reads; - is standard input")
    .option("-i, --ignore-case", "upper and lower case are the same")
    .option("-v, --invert-match", "the lines in which it isn't found")
    .option("-c, --count", "only how many lines, for each file")
    .option("-l, --files-with-matches", "only the names of the files in which it is found")
    .option("-A, --after-context <lines>", "so many lines after each, too", parseLines)
    .option("-B, --before-context <lines>", "so many lines before each, too", parseLines)
    .option("-C, --context <lines>", "both", parseLines)
    .option("--json", "the events as JSON Lines, an object each as report --format jsonl has them");
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

Exit codes: 0 found, 1 not found (or failed, with a message), 2 wrong usage, 3 not found, but a trace is incomplete.`,
    )
    .action(async (expression: string, files: string[], options: GrepOptions) => {
      const selection = selectionOf(options);
      const makeRegisters = registersOf(options);
      const withLines = options.afterContext ?? options.beforeContext ?? options.context;
      if (options.json === true && (withLines !== undefined || options.count || options.filesWithMatches)) {
        throw new UsageError("--json prints events: it doesn't go with -c, -l, -A, -B or -C");
      }
      const pattern = patternOf(expression, options.ignoreCase === true);
      const output = new TextOutput();
      let found = false;
      let incomplete = false;
      try {
        for (const file of files) {
          const reader = await openReadable(file);
          const progress = new Progress(`searching ${file}`, { whilePrinting: true });
          try {
            const prefix = files.length > 1 && options.json !== true ? `${file}:` : "";
            const matches = new Matches(output, prefix, options);
            const registers = makeRegisters();
            const plain = new TextWriter(reader.header, (event, place) => registers.see(event, place));
            const paint = paintFor(options.color);
            const painted =
              paint && new TextWriter(reader.header, (event, place) => registers.see(event, place), paint);
            const rows = options.json
              ? new EventRows(reader.header, traceName(reader.source.name), (event, place) =>
                  registers.see(event, place),
                )
              : undefined;
            search: for await (const { block, views } of selectedViews(reader, registers, selection)) {
              for (const { event, state } of views) {
                const line = plain.line(event, state);
                if (line === "") continue;
                const isMatch = pattern.test(line.trimEnd()) !== (options.invertMatch === true);
                const row = isMatch ? rows?.row(event, state) : undefined;
                const shown = row === undefined ? (painted?.line(event, state) ?? line) : jsonLine(row);
                const written = matches.take(shown, isMatch);
                if (written !== undefined) await written;
                if (isMatch && options.filesWithMatches === true) break search;
              }
              progress.update(block.firstEvent + block.events, reader.events);
            }
            if (options.count === true) await output.write(`${prefix}${matches.count}\n`);
            else if (options.filesWithMatches === true && matches.count > 0) await output.write(`${file}\n`);
            found ||= matches.count > 0;
            incomplete = tellIncomplete(reader) || incomplete;
          } finally {
            progress.end();
            await reader.close();
          }
        }
        await output.flush();
      } catch (error) {
        if (!(error instanceof OutputClosed)) throw error;
        return;
      }
      if (!found) process.exitCode = incomplete ? ExitCode.incomplete : ExitCode.failed;
    });
}

function patternOf(expression: string, ignoreCase: boolean): RegExp {
  try {
    return new RegExp(expression, ignoreCase ? "iu" : "u");
  } catch (error) {
    throw new UsageError(`"${expression}" is no regular expression: ${(error as Error).message.replace(/^.*: /, "")}`);
  }
}

const contextMax = 10_000;

function parseLines(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > contextMax) {
    throw new UsageError(`${text} isn't a number of lines, 0 to ${contextMax}`);
  }
  return Number(text);
}

/** Prints lines that match, and those around them. */
class Matches {
  count = 0;
  private readonly output: TextOutput;
  private readonly prefix: string;
  private readonly quiet: boolean;
  private readonly before: number;
  private readonly after: number;
  /** Lines that may have to be printed before a match. */
  private readonly waiting: string[] = [];
  /** Lines still to be printed after a match. */
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

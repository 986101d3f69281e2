// `mmiostrider report`: prints a trace, one line an event.
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { endingWords, type Poll, PollFinder, pollTicks } from "../../analysis/folding/polls.js";
import type { AccessRegisters, RegisterAccess } from "../../analysis/view/access-registers.js";
import type { EventView } from "../../analysis/view/event-view.js";
import { followedViews } from "../../analysis/view/follow.js";
import type { Selection } from "../../analysis/view/range.js";
import { selectedViews, type ViewBatch } from "../../analysis/view/selection.js";
import { TimeOrder, timesBackSentence } from "../../analysis/view/time-order.js";
import { FormatError } from "../../base/errors.js";
import { shellQuoted } from "../../base/shell-quote.js";
import { countOf, countText, durationText } from "../../base/units.js";
import { traceName } from "../../trace/export/event-rows.js";
import { textExportOf } from "../../trace/export/text-formats.js";
import { incompleteOf } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { openInput } from "../../trace/node/open-log.js";
import { RecordFlag } from "../../trace/record.js";
import { TraceState } from "../../trace/state.js";
import { TextWriter } from "../../trace/text.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { type Losses, lossesText } from "../shared/losses.js";
import { openReadableOrLive, type ShownInput } from "../shared/open-input.js";
import { Pager } from "../shared/pager.js";
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
import { StopSignals } from "../shared/stop-signals.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";
import { TextOutput, untilReaderIsGone } from "../shared/text-output.js";

const formats = ["text", "mmiotrace", "jsonl", "csv"] as const;
type Format = (typeof formats)[number];

/** Time between looks at a followed trace; the recorder flushes twice a second. */
const followEvery_ms = 200;
/** Length of the pieces in which lines are written: a call for each line costs more than the line. */
const linesAtOnce_chars = 16 * 1024;

interface ReportOptions extends SelectionOptions, RegisterOptions {
  format: Format;
  follow?: true;
  fold?: true;
  color: ColorChoice;
  pager: boolean;
}

export function addReport(program: Command): void {
  const command = program
    .command("report")
    .summary("print a trace, one line an access")
    .description("Prints a trace, one line an access. On a terminal it comes through $PAGER, or less.")
    .argument("<file>", "the trace, or a log that convert reads; - is standard input, printed as it comes")
    .addOption(program.createOption("--format <format>", "form of the lines").choices(formats).default("text"));
  addFilterOption(command);
  addRangeOptions(command);
  command
    .option("--follow", "continue while the trace is being recorded, until its end or Ctrl-C")
    .option("--fold", "one line for a poll: the same read by the same code again and again");
  addRegisterOptions(command)
    .addOption(program.createOption("--color <when>", "colours").choices(colorChoices).default("auto"))
    .option("--no-pager", "print straight to the terminal")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider report e1000.mmt
  mmiostrider report --filter 'register == CTRL and write' e1000.mmt
  mmiostrider report --filter 'site ~ "reset_hw" or value & 0x40' --from 0.7 --to 900ms e1000.mmt
  mmiostrider report --fold --from mark:ping nic.mmt
  mmiostrider report --follow nic.mmt                    (while record writes it)
  mmiostrider record --driver nvme -o - | mmiostrider report -
  cat /sys/kernel/tracing/trace_pipe | mmiostrider report -
  mmiostrider report --registers rnndb/nv_mmio.xml:NV_MMIO mmiotrace.txt.gz
  mmiostrider report --format mmiotrace e1000.mmt > e1000.txt
  mmiostrider report --format jsonl e1000.mmt | jq 'select(.op == "write") | .register'

docs/filter.md describes the filters. Lost records are always shown, with any filter.

Exit codes: 0 done, 1 failed, 2 wrong usage (a filter that can't be read), 3 the trace is incomplete: cut, or with lost or
escaped records.`,
    )
    .action(async (file: string, options: ReportOptions) => {
      const selection = selectionOf(options);
      const names = new RegisterNames(options);
      if (options.fold === true && options.format !== "text") {
        throw new UsageError(`--fold needs --format text, not ${options.format}`);
      }
      requireTextForColor(options.color, options.format !== "text", `--format ${options.format}`);
      const opened = options.follow === true ? await openFollowed(file) : await openReadableOrLive(file);
      const { reader, live } = opened;
      const pager = options.pager && options.follow !== true ? Pager.start() : undefined;
      const output = pager === undefined ? new TextOutput() : new TextOutput(pager.input);
      let printed: Walk | undefined;
      try {
        printed = await untilReaderIsGone(async () => {
          const registers = names.namerFor(reader);
          if (!live) names.requireUse();
          const walk = new Walk(reader, registers, selection, live ? output : undefined);
          await print(walk, output, options);
          await output.flush();
          return walk;
        });
      } finally {
        await reader.close();
        await pager?.end();
      }
      if (printed === undefined) {
        // the rest of a live trace may still come
        if (!live && tellIncomplete(reader)) process.exitCode = ExitCode.incomplete;
        return;
      }
      opened.tellNotes();
      tellTimesBack(printed);
      if (tellIncomplete(reader)) process.exitCode = ExitCode.incomplete;
      if (names.tell()) process.exitCode = ExitCode.failed;
      names.look(reader);
      names.requireUse();
    });
}

/** Opens a trace that is being recorded. Throws UsageError for a log. */
async function openFollowed(file: string): Promise<ShownInput> {
  try {
    return { reader: await openTrace(file), live: true, tellNotes: () => {} };
  } catch (error) {
    if (!(error instanceof FormatError) || !(await isLog(file))) throw error;
    throw new UsageError(`--follow follows traces, and ${file} is a log of another format`, {
      advice: `tail -n +1 -f ${shellQuoted(file)} | mmiostrider report - prints it as it comes`,
    });
  }
}

async function isLog(file: string): Promise<boolean> {
  const input = await openInput(file).catch(() => undefined);
  input?.close();
  return input !== undefined && input.format !== "mmt";
}

/** Walks through the events to print, in order; waits for more if the trace is followed. */
class Walk {
  readonly reader: TraceReader;
  private readonly registers: AccessRegisters;
  private readonly selection: Selection;
  /** The output, flushed whenever there is nothing more to print for now. Undefined if the trace isn't followed. */
  private readonly followed: TextOutput | undefined;
  /** Of the printed accesses. */
  readonly timeOrder = new TimeOrder();
  private readonly progress = new Progress("printing", { whilePrinting: true });

  constructor(reader: TraceReader, registers: AccessRegisters, selection: Selection, followed: TextOutput | undefined) {
    this.reader = reader;
    this.registers = registers;
    this.selection = selection;
    this.followed = followed;
  }

  /** Yields the batches; the caller must tell `timeOrder` the accesses. */
  async *batches(): AsyncGenerator<ViewBatch, void, undefined> {
    const { reader, registers, selection, followed } = this;
    if (followed !== undefined) {
      yield* this.followedBatches(followed);
      return;
    }
    try {
      for await (const batch of selectedViews(reader, registers, selection)) {
        yield batch;
        this.progress.update(batch.block.firstEvent + batch.block.events, reader.events);
      }
    } finally {
      this.progress.end();
    }
  }

  private async *followedBatches(output: TextOutput): AsyncGenerator<ViewBatch, void, undefined> {
    const { reader, registers, selection } = this;
    const piped = reader.source.coming !== undefined;
    // Ctrl-C ends the recorder at the pipe's other end, and we still print its last events; a second one ends us.
    if (piped) process.once("SIGINT", ignore);
    const signals = piped ? undefined : new StopSignals();
    const wait = async () => {
      if (signals?.received !== undefined) return false;
      await Promise.race([sleep(followEvery_ms), ...(signals === undefined ? [] : [signals.first])]);
      return true;
    };
    try {
      yield* followedViews(reader, registers, selection, { caughtUp: () => output.flush(), wait });
    } finally {
      signals?.release();
      process.off("SIGINT", ignore);
    }
  }
}

function ignore(): void {}

function tellTimesBack({ reader, timeOrder }: Walk): void {
  const found = timeOrder.result(reader.header.clock.tscFrequency_hz);
  if (found !== null) process.stderr.write(`mmiostrider: ${reader.source.name}: note: ${timesBackSentence(found)}\n`);
}

function print(walk: Walk, output: TextOutput, options: ReportOptions): Promise<void> {
  return options.format === "text" ? printText(walk, output, options) : printExport(walk, output, options.format);
}

async function printExport(walk: Walk, output: TextOutput, format: Exclude<Format, "text">): Promise<void> {
  const { reader } = walk;
  let register: RegisterAccess | undefined;
  const text = textExportOf(format, reader, traceName(reader.source.name), () => register);
  await output.write(text.head());
  for await (const { views } of walk.batches()) {
    for (const view of views) {
      register = view.register;
      if (view.access !== undefined) walk.timeOrder.take(view.access);
      const written = output.write(text.event(view.event, view.state));
      if (written !== undefined) await written;
    }
  }
  await output.write(text.end());
}

async function printText(walk: Walk, output: TextOutput, options: ReportOptions): Promise<void> {
  const { reader } = walk;
  let register: RegisterAccess | undefined;
  const text = new TextWriter(reader.header, () => register, paintFor(options.color));
  await output.write(text.head());
  let state = new TraceState(reader.header);
  const counted = { accesses: 0, lost: 0, lostUncounted: 0, escaped: 0 };
  let lines = "";
  const polls = new PollFinder((item) => {
    register = item.register;
    if (item.kind === "single") lines += text.line(item.event, state);
    else lines += text.accessLine({ ...item.last, tsc: item.first.tsc }, state, pollWords(item, reader));
  });
  const print =
    options.fold === true
      ? (view: EventView) => polls.add(view.event, view.register)
      : (view: EventView) => {
          register = view.register;
          lines += text.line(view.event, state);
        };
  for await (const batch of walk.batches()) {
    // Events held back are printed with their own state.
    if (batch.state !== state) polls.end();
    state = batch.state;
    for (const view of batch.views) {
      if (view.access !== undefined) {
        counted.accesses += 1;
        walk.timeOrder.take(view.access);
      } else if (view.event.kind === "lost" && (view.event.flags & RecordFlag.gone) === 0) {
        counted.lost += Number(view.event.count);
        if (view.event.count === 0n) counted.lostUncounted += 1;
      } else if (view.event.kind === "escape") counted.escaped += 1;
      print(view);
      if (lines.length < linesAtOnce_chars) continue;
      const written = output.write(lines);
      lines = "";
      if (written !== undefined) await written;
    }
    const written = output.write(lines);
    lines = "";
    if (written !== undefined) await written;
  }
  polls.end();
  await output.write(`${lines}# ${counts(reader, counted)}\n`);
}

function pollWords(poll: Poll, reader: TraceReader): string {
  const ticks = pollTicks(poll);
  const duration =
    ticks === undefined ? "" : ` in ${durationText(Number(ticks) / reader.header.clock.tscFrequency_hz)}`;
  return `×${countText(poll.count)}${duration}, ${endingWords(poll)}`;
}

/**
 * Makes the line with the number of printed accesses, of how many if not all were, and the recorder's numbers of the whole trace; of a
 * cut one those of the printed part.
 */
function counts(reader: TraceReader, { accesses, ...losses }: { accesses: number } & Losses): string {
  const { summary } = reader;
  const rest =
    summary === null
      ? `cut: ${lossesText(losses)} in this part, the rest isn't known`
      : `${lossesText(summary)}, ${countOf(summary.mappings, "mapping")}`;
  const unreadable = reader.holes.reduce((sum, { records }) => sum + records, 0);
  const damaged = reader.holes.length === 0 ? "" : `, ${countText(unreadable)} unreadable`;
  const complete = incompleteOf(reader).length === 0;
  // a log of text may have been cut at any line's end: none tells that it is whole
  const isImported = reader.header.engine === "import";
  const isPart = (summary?.part ?? []).length > 0;
  const lacksNothing = isImported ? ", nothing known to be missing" : ", complete";
  const whole = isPart ? ", a part of a trace" : lacksNothing;
  const all = summary?.accesses ?? accesses;
  const printed = accesses === all ? "" : `${countText(accesses)} of `;
  return `${printed}${countOf(all, "access", "accesses")}, ${rest}${damaged}${complete ? whole : ", INCOMPLETE"}`;
}

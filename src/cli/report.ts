// `mmiostrider report`: prints a trace, one line an event.
import type { Command } from "commander";
import { AccessRegisters } from "../analysis/access-registers.js";
import { ExitCode } from "../base/errors.js";
import { openTrace } from "../trace/file-source.js";
import { MmiotraceWriter } from "../trace/formats/mmiotrace.js";
import { TextWriter } from "../trace/formats/text.js";
import type { TraceReader } from "../trace/reader.js";
import { TraceState } from "../trace/state.js";
import { OutputClosed, TextOutput } from "./text-output.js";

const formats = ["text", "mmiotrace"] as const;
type Format = (typeof formats)[number];

export function addReport(program: Command): void {
  program
    .command("report")
    .description("print a trace, one line an access")
    .argument("<file>", "the trace; - is standard input")
    .addOption(program.createOption("--format <format>", "how the lines look").choices(formats).default("text"))
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider report e1000.mmt | less
  mmiostrider report --format mmiotrace e1000.mmt > e1000.txt

Exits with 0, or with 3 where the trace is incomplete: cut, or with lost or escaped records.`,
    )
    .action(async (file: string, options: { format: Format }) => {
      const reader = await openTrace(file);
      const output = new TextOutput();
      try {
        await (options.format === "text" ? printText(reader, output) : printMmiotrace(reader, output));
        await output.flush();
      } catch (error) {
        if (!(error instanceof OutputClosed)) throw error;
        return;
      } finally {
        await reader.close();
      }
      if (tellIncomplete(reader)) process.exitCode = ExitCode.incomplete;
    });
}

async function printText(reader: TraceReader, output: TextOutput): Promise<void> {
  const registers = new AccessRegisters();
  const text = new TextWriter(reader.header, (event, place) => registers.tell(event, place));
  await output.write(text.head());
  let accesses = 0;
  for await (const { events, state } of reader.batches()) {
    for (const event of events) {
      if (event.kind === "read" || event.kind === "write") accesses += 1;
      const written = output.write(text.line(event, state));
      if (written !== undefined) await written;
    }
  }
  await output.write(`# ${counts(reader, accesses)}\n`);
}

async function printMmiotrace(reader: TraceReader, output: TextOutput): Promise<void> {
  const text = new MmiotraceWriter(reader.header.clock.tscFrequency_hz);
  // The kernel prints the devices once; a driver that was bound later is named there all the same.
  const state = new TraceState(reader.header);
  for (const { update } of reader.updates) state.update(update);
  await output.write(text.head(state.pciFunctions));
  for await (const { events } of reader.batches()) {
    for (const event of events) {
      const written = output.write(text.lines(event));
      if (written !== undefined) await written;
    }
  }
}

function counts(reader: TraceReader, accesses: number): string {
  const number = (value: number) => value.toLocaleString("en-US");
  const { summary } = reader;
  const rest =
    summary === null
      ? "cut: lost and escaped are not known"
      : `${number(summary.lost)} lost, ${number(summary.escaped)} escaped, ${number(summary.mappings)} mappings`;
  const complete = reader.complete && summary?.incomplete.length === 0;
  return `${number(accesses)} accesses, ${rest}${complete ? ", complete" : ", INCOMPLETE"}`;
}

/** Says on standard error what is missing from the trace. Returns whether anything is. */
export function tellIncomplete(reader: TraceReader): boolean {
  const { damage, summary } = reader;
  const missing = summary === null ? [] : [...summary.incomplete];
  if (damage !== null) missing.unshift(`the trace is cut at byte ${damage.offset}: ${damage.what}`);
  if (summary !== null && missing.length === 0 && (summary.lost > 0 || summary.escaped > 0)) {
    missing.push(`${summary.lost} records were lost and ${summary.escaped} instructions escaped emulation`);
  }
  for (const what of missing) process.stderr.write(`mmiostrider: ${reader.source.name}: incomplete: ${what}\n`);
  return missing.length > 0;
}

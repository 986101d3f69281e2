// `mmiostrider convert`: converts one trace format to another.
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { tellerOf } from "../../analysis/view/learn-from-block.js";
import { messageOf, UserError } from "../../base/errors.js";
import { producer } from "../../base/version.js";
import { virtualRanges } from "../../machine/vmallocinfo.js";
import type { TraceReader } from "../../trace/file/reader.js";
import {
  type InputFormat,
  inputFormats,
  type OutputFormat,
  outputFormatOf,
  outputFormats,
} from "../../trace/import/formats.js";
import {
  type Converted,
  type ConvertOptions,
  convert,
  convertPartitioned,
  isFolder,
} from "../../trace/node/convert.js";
import { type PartitionKey, partitionKeys } from "../../trace/node/partitions.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { Progress } from "../shared/progress.js";
import { RegisterNames, type RegisterOptions } from "../shared/register-names.js";
import { addRegisterOptions } from "../shared/selection-options.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";
import { untilReaderIsGone } from "../shared/text-output.js";

interface Options extends RegisterOptions {
  from?: InputFormat;
  to?: OutputFormat;
  partition?: string;
  vmallocinfo?: string;
}

export function addConvert(program: Command): void {
  const command = program
    .command("convert")
    .summary("convert between traces and other formats")
    .description(
      "Converts between trace formats. IN's format is detected from its content, OUT's from its name. Both may be packed with gzip.",
    )
    .argument("<in>", "the input; - is standard input; with --partition, it may be a folder of traces")
    .argument("[out]", "the output; - is standard output; with --partition, a folder (default: <in>.parquet)")
    .addOption(
      program.createOption("--from <format>", "IN's format, if its content doesn't tell").choices(inputFormats),
    )
    .addOption(program.createOption("--to <format>", "OUT's format, if its name doesn't tell").choices(outputFormats))
    .option(
      "--partition <keys>",
      `a Parquet data set in folders by these comma-separated keys: ${partitionKeys.join(", ")}`,
    )
    .option("--vmallocinfo <file>", "a copy of /proc/vmallocinfo: makes rwmmio's virtual addresses physical");
  addRegisterOptions(command)
    .addHelpText(
      "after",
      `
Formats:
  mmt        mmiostrider's own                          in   out   .mmt
  mmiotrace  the kernel's mmiotrace, its text           in   out   .txt .log .mmiotrace
  qemu       QEMU's log of -trace 'memory_region_ops_*' in
  vfio       QEMU's log of -trace 'vfio_region_*'       in
  rwmmio     ftrace's rwmmio events, as text            in
  jsonl      JSON Lines, an object an event                  out   .jsonl .ndjson
  csv        CSV, a line an event                            out   .csv
  parquet    Parquet, a row an event                         out   .parquet
  perfetto   for ui.perfetto.dev and chrome://tracing        out   .json .trace

Examples:
  mmiostrider convert mmiotrace.txt e1000.mmt
  mmiostrider convert e1000.mmt e1000.parquet
  mmiostrider convert e1000.mmt e1000.json.gz             (open it in ui.perfetto.dev)
  mmiostrider convert --to jsonl e1000.mmt - | jq .register
  cat /sys/kernel/tracing/trace_pipe | mmiostrider convert - live.mmt
  mmiostrider convert --to parquet --partition device,date traces/ traces.parquet/

docs/convert.md describes the formats and the columns.

Exit codes: 0 done, 1 failed and nothing written, 2 wrong usage, 3 written, but the input is incomplete.`,
    )
    .action(run);
}

async function run(from: string, out: string | undefined, options: Options): Promise<void> {
  const keys = options.partition === undefined ? undefined : partitionKeysOf(options.partition);
  const names = new RegisterNames(options);
  const progress = new Progress("converting");
  let opened: TraceReader | undefined;
  const shared = {
    from: options.from,
    advice: "--from names the format if it can't be detected",
    ranges: options.vmallocinfo === undefined ? undefined : rangesOf(options.vmallocinfo),
    makeTeller: (reader: TraceReader) => {
      opened = reader;
      const registers = names.namerFor(reader);
      if (keys === undefined) names.requireUse();
      return tellerOf(registers);
    },
    producer,
    onProgress: (done_bytes: number, whole_bytes: number) => progress.update(done_bytes, whole_bytes),
  };
  try {
    const result = await untilReaderIsGone(() =>
      keys === undefined ? convertOne(from, out, options, shared) : convertSet(from, out, keys, options, shared),
    );
    progress.end();
    if (result === undefined) {
      if (opened !== undefined && tellIncomplete(opened)) process.exitCode = ExitCode.incomplete;
      return;
    }
    for (const note of result.notes) process.stderr.write(`mmiostrider: note: ${note}\n`);
    for (const what of result.incomplete) process.stderr.write(`mmiostrider: incomplete: ${what}\n`);
    if (result.incomplete.length > 0) process.exitCode = ExitCode.incomplete;
    if (names.tell()) process.exitCode = ExitCode.failed;
    names.requireUse();
  } finally {
    progress.end();
  }
}

type SharedOptions = Omit<ConvertOptions, "to">;

function convertOne(
  from: string,
  out: string | undefined,
  options: Options,
  shared: SharedOptions,
): Promise<Converted> {
  if (out === undefined) throw new UsageError("convert needs IN and OUT; - is standard input or output");
  if (isFolder(from)) throw new UsageError(`${from} is a folder: --partition makes a data set of it`);
  const to = options.to ?? outputFormatOf(out);
  if (to === undefined) {
    throw new UsageError(`the name of ${out === "-" ? "standard output" : out} doesn't tell a format`, {
      advice: `--to names it: ${outputFormats.join(", ")}`,
    });
  }
  if (options.registers !== undefined && (to === "mmt" || to === "mmiotrace")) {
    throw new UsageError(`--registers has no effect: ${to} has no names of registers`);
  }
  return convert(from, out, { ...shared, to });
}

function convertSet(
  from: string,
  out: string | undefined,
  keys: readonly PartitionKey[],
  { to: format }: Options,
  shared: SharedOptions,
): Promise<Converted> {
  if (format !== undefined && format !== "parquet") throw new UsageError(`--partition makes Parquet, not ${format}`);
  const to = out ?? (from === "-" ? undefined : `${from.replace(/\/+$/, "")}.parquet`);
  if (to === undefined || to === "-") throw new UsageError("--partition needs a folder to write to");
  return convertPartitioned(from, to, keys, { ...shared, to: "parquet" });
}

function partitionKeysOf(text: string): PartitionKey[] {
  const keys = text.split(",").map((key) => key.trim());
  for (const key of keys) {
    if (!(partitionKeys as readonly string[]).includes(key)) {
      throw new UsageError(`--partition knows no ${key === "" ? "empty key" : key}`, {
        advice: `it knows ${partitionKeys.join(", ")}`,
      });
    }
  }
  if (new Set(keys).size < keys.length) throw new UsageError("--partition names a key twice");
  return keys as PartitionKey[];
}

function rangesOf(path: string) {
  try {
    return virtualRanges(readFileSync(path, "latin1"), path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`reading ${path} failed: ${messageOf(error)}`, { cause: error });
  }
}

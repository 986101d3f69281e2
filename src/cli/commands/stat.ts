// `mmiostrider stat`: counts a trace by device, register, site and CPU, finds polls, and counts interrupts and DMA.

import type { Command } from "commander";
import {
  type RegisterStatistics,
  Rows,
  registersMax,
  type Statistics,
  StatisticsCollector,
} from "../../analysis/statistics/statistics.js";
import type { TallyResult } from "../../analysis/statistics/tally.js";
import { selectedViews } from "../../analysis/view/selection.js";
import { timesBackSentence } from "../../analysis/view/time-order.js";
import { assertUnreachable } from "../../base/assert.js";
import { bytesText, countOf, countText, durationText } from "../../base/units.js";
import { incompleteOf } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { barName } from "../../trace/header.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { writeJson } from "../shared/json-output.js";
import { lossesText } from "../shared/losses.js";
import { openReadable } from "../shared/open-input.js";
import { wholeNumber } from "../shared/option-values.js";
import { Progress } from "../shared/progress.js";
import { RegisterNames, type RegisterOptions } from "../shared/register-names.js";
import {
  addFilterOption,
  addRangeOptions,
  addRegisterOptions,
  type SelectionOptions,
  selectionOf,
} from "../shared/selection-options.js";
import { tableLines } from "../shared/table.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";
import { TextOutput, untilReaderIsGone } from "../shared/text-output.js";

const subjects = ["device", "register", "site", "cpu", "poll", "interrupt", "dma"] as const;
type Subject = (typeof subjects)[number];
const topDefault = 10;

interface StatOptions extends SelectionOptions, RegisterOptions {
  by?: Subject[];
  top: number;
  json?: true;
}

export function addStat(program: Command): void {
  const command = program
    .command("stat")
    .summary("count accesses by device, register, site and CPU, polls, interrupts and DMA")
    .description(
      "Counts a trace's accesses, bytes and the time between accesses by device, register, site and CPU, and finds " +
        "polls: the same read by the same code three times in a row or more. Counts the runs of interrupts' handlers and " +
        "their time by handler and CPU, and the memory given to devices for direct access (DMA).",
    )
    .argument("<file>", "the trace, or a log that convert reads; - is standard input")
    .addOption(
      program
        .createOption("--by <subject>", "only this table; repeatable")
        .choices(subjects)
        .argParser((value: string, before: Subject[] = []) => {
          if (!(subjects as readonly string[]).includes(value)) {
            throw new UsageError(`--by ${value}: there is no such table`, {
              advice: `there are ${subjects.join(", ")}`,
            });
          }
          return [...before, value as Subject];
        }),
    )
    .option(
      "--top <number>",
      "rows a table, the most frequent first; 0 is all",
      (text) => wholeNumber("--top", text, 0),
      topDefault,
    );
  addFilterOption(command);
  addRangeOptions(command);
  addRegisterOptions(command)
    .option("--json", "print everything as JSON")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider stat e1000.mmt
  mmiostrider stat --by register --top 0 e1000.mmt
  mmiostrider stat --filter 'context == hardirq' --from 1.5 e1000.mmt
  mmiostrider stat --json e1000.mmt | jq '.registers[0]'

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the trace is incomplete.`,
    )
    .action(async (file: string, options: StatOptions, self: Command) => {
      const limitsRows = options.top !== 0 && self.getOptionValueSource("top") === "cli";
      if (options.json === true && (options.by !== undefined || limitsRows)) {
        throw new UsageError("--by and --top have no effect with --json, which prints all rows of all tables");
      }
      const selection = selectionOf(options);
      const names = new RegisterNames(options);
      const reader = await openReadable(file);
      const progress = new Progress("counting");
      const output = new TextOutput();
      try {
        const registers = names.namerFor(reader);
        names.requireUse();
        const collector = new StatisticsCollector(reader.header);
        for await (const { block, views } of selectedViews(reader, registers, selection)) {
          for (const view of views) collector.add(view);
          progress.update(block.firstEvent + block.events, reader.events);
        }
        progress.end();
        const result = collector.result();
        await untilReaderIsGone(async () => {
          if (options.json) await writeJson(output, { ...result, incomplete: incompleteOf(reader) });
          else await output.write(textOf(result, options, reader));
          await output.flush();
        });
      } finally {
        progress.end();
        await reader.close();
      }
      if (tellIncomplete(reader)) process.exitCode = ExitCode.incomplete;
      if (names.tell()) process.exitCode = ExitCode.failed;
    });
}

/** Names the place of accesses to no device. */
function elsewhereOf({ header, updates }: TraceReader): string {
  const isKnown = [header, ...updates.map(({ update }) => update)].some(
    ({ pciFunctions = [] }) => pciFunctions.length > 0,
  );
  return isKnown ? "in no BAR" : "no device known";
}

function textOf(result: Statistics, options: StatOptions, reader: TraceReader): string {
  const { accesses, reads, writes, read_bytes, written_bytes, first_s, last_s, timesBack } = result;
  const hasSpan = first_s !== null && last_s !== null && timesBack === null;
  const span = hasSpan ? ` in ${durationText(last_s - first_s)}` : "";
  const lines = [
    `${countOf(accesses, "access", "accesses")}${span}: ${countOf(reads, "read")} (${bytesText(read_bytes)}), ` +
      `${countOf(writes, "write")} (${bytesText(written_bytes)})`,
  ];
  const losses = lossesLine(result, reader);
  if (losses !== undefined) lines.push(losses);
  if (result.unreadable > 0) lines.push(`${countOf(result.unreadable, "record")} unreadable`);
  if (timesBack !== null) lines.push(`${timesBackSentence(timesBack)}: no time between accesses is counted there`);
  if (result.unrecorded > 0) lines.push(`${countText(result.unrecorded)} mappings without a decoy, not recorded`);
  for (const subject of options.by ?? subjects.filter((one) => !isAbsent(one, result)))
    lines.push("", ...tableOf(subject, result, options.top, elsewhereOf(reader)));
  return `${lines.join("\n")}\n`;
}

/** Returns true for a table about events that most traces don't have, if there are none of them. */
function isAbsent(subject: Subject, { interrupts, dma }: Statistics): boolean {
  return (subject === "interrupt" && interrupts.length === 0) || (subject === "dma" && dma.length === 0);
}

/** Tells the losses of the whole trace as its recorder counted them, and those of the counted part where they differ. */
function lossesLine(counted: Statistics, { summary }: TraceReader): string | undefined {
  if (summary === null) return `${lossesText(counted)} in the counted part; the trace is cut: the rest isn't known`;
  const { lost, lostUncounted = 0, escaped } = summary;
  const isSame = counted.lost === lost && counted.lostUncounted === lostUncounted && counted.escaped === escaped;
  if (!isSame) return `${lossesText(summary)} in the whole trace; of these ${lossesText(counted)} in the counted part`;
  return lost + lostUncounted + escaped > 0 ? lossesText(summary) : undefined;
}

const tallyNames = [">accesses", ">reads", ">writes", ">bytes", ">between: least", ">mean", ">greatest"];

function tallyCells(tally: TallyResult): string[] {
  const { accesses, reads, writes, read_bytes, written_bytes, between_s } = tally;
  return [
    countText(accesses),
    countText(reads),
    countText(writes),
    bytesText(read_bytes + written_bytes),
    ...(between_s === null ? ["", "", ""] : [between_s.least, between_s.mean, between_s.greatest].map(durationText)),
  ];
}

function tableOf(subject: Subject, result: Statistics, top: number, elsewhere: string): string[] {
  switch (subject) {
    case "device":
      return cut(top, ["device", ...tallyNames], result.devices, (row) => [
        row.device === null ? elsewhere : deviceText(row),
        ...tallyCells(row),
      ]);
    case "register":
      return registerTable(result, top);
    case "site":
      return siteTable(result, top);
    case "cpu":
      if (result.cpus.length === 0 && result.accesses > 0) return ["the log doesn't tell the CPUs"];
      return cut(top, ["CPU", ...tallyNames, ">hardirq", ">softirq"], result.cpus, (row) => [
        `${row.cpu}`,
        ...tallyCells(row),
        row.hardirq === null ? "" : countText(row.hardirq),
        row.softirq === null ? "" : countText(row.softirq),
      ]);
    case "poll":
      if (result.polls.length === 0) return ["nothing was polled"];
      return cut(top, ["polled", "where", ">polls", ">reads", ">longest", ">in all", "site"], result.polls, (row) => [
        row.register ?? "",
        placeText(row),
        countText(row.polls),
        countText(row.reads),
        countText(row.longest),
        row.duration_s === null ? "" : durationText(row.duration_s),
        row.site ?? "",
      ]);
    case "interrupt":
      return interruptTable(result, top);
    case "dma":
      return dmaTable(result, top);
    default:
      return assertUnreachable(subject);
  }
}

function siteTable({ accesses, sites, withoutSite }: Statistics, top: number): string[] {
  if (accesses > 0 && withoutSite === accesses) return ["no access has a site"];
  const lines = cut(top, ["site", ...tallyNames], sites, (row) => [row.site, ...tallyCells(row)]);
  if (withoutSite > 0) lines.push(`not in this table: ${countOf(withoutSite, "access", "accesses")} without a site`);
  return lines;
}

function interruptTable({ interrupts }: Statistics, top: number): string[] {
  if (interrupts.length === 0) return ["no interrupts"];
  const names = ["interrupt", "of", "handler", ">CPU", ">runs", ">handled", ">time", ">mean", ">greatest"];
  return cut(top, names, interrupts, (row) => {
    const { time_s } = row;
    return [
      `${row.irq}`,
      deviceText(row),
      `${row.handler ?? ""}${row.inThread ? ", in its thread" : ""}`,
      `${row.cpu}`,
      countText(row.runs),
      countText(row.handled),
      ...(time_s === null ? ["", "", ""] : [time_s.all, time_s.mean, time_s.greatest].map(durationText)),
    ];
  });
}

function dmaTable({ dma }: Statistics, top: number): string[] {
  if (dma.length === 0) return ["no DMA buffers"];
  const names = ["DMA of", "way", "direction", ">buffers", ">bytes", ">greatest", ">ended", ">older ended"];
  return cut(top, names, dma, (row) => [
    deviceText(row),
    row.way,
    row.direction,
    countText(row.buffers),
    bytesText(row.bytes),
    bytesText(row.greatest_bytes),
    countText(row.ended),
    countText(row.endedUnknown),
  ]);
}

function registerTable({ registers, places }: Statistics, top: number): string[] {
  const names = ["register", "where", ">width", ...tallyNames, ">values", ">last"];
  const only = new Rows(places, (index) => registers.at(index));
  const lines = cut(top, names, only, (row) => [
    row.register ?? "",
    placeText(row),
    `${row.width_bytes}`,
    ...tallyCells(row),
    `${countText(row.values)}${row.moreValues ? "+" : ""}`,
    row.last,
  ]);
  for (let index = places; index < registers.length; index += 1) {
    const { accesses, ...row } = registers.at(index);
    const where = row.bar === null ? "in no BAR" : `in ${deviceText(row)} ${barName(row.bar)}`;
    lines.push(
      `not in this table: ${countOf(accesses, "access", "accesses")} ${where} to places behind the limit of ${countText(registersMax)}`,
    );
  }
  return lines;
}

/** Makes a table of the first `top` rows, and a line with the number of the others. */
function cut<T>(top: number, names: string[], rows: Rows<T>, cells: (row: T) => string[]): string[] {
  const shown = rows.first(top === 0 ? rows.length : top);
  const lines = tableLines([names, ...shown.map(cells)]);
  if (shown.length < rows.length) lines.push(`… and ${countText(rows.length - shown.length)} more (--top 0 shows all)`);
  return lines;
}

function deviceText({ device, driver }: { device: string | null; driver: string | null }): string {
  return device === null ? "in no BAR" : driver === null ? device : `${device} ${driver}`;
}

function placeText(row: Pick<RegisterStatistics, "device" | "driver" | "bar" | "offset">): string {
  return row.bar === null ? `${row.offset}` : `${deviceText(row)} ${barName(row.bar)}+${row.offset}`;
}

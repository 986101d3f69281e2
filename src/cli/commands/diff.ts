// `mmiostrider diff`: lists the differences between two recordings of a driver.
import type { Command } from "commander";
import { type CollectedAccesses, collectDiffAccesses } from "../../analysis/diff/access-sequence.js";
import {
  type DeviceComparison,
  type DiffResult,
  differencesMax,
  diffTraces,
  Masks,
  type TraceDifference,
} from "../../analysis/diff/diff-traces.js";
import type { SequenceEntry } from "../../analysis/diff/sequence-pairs.js";
import { countOf, countText, secondsText, type TimeDigits } from "../../base/units.js";
import { incompleteOf } from "../../trace/file/incomplete.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { writeJson } from "../shared/json-output.js";
import { openReadable } from "../shared/open-input.js";
import { collect, wholeNumber } from "../shared/option-values.js";
import { type ColorChoice, colorChoices, paintFor } from "../shared/paint.js";
import { Progress } from "../shared/progress.js";
import { RegisterNames, type RegisterOptions } from "../shared/register-names.js";
import {
  addFilterOption,
  addRegisterOptions,
  type SelectionOptions,
  selectionOf,
} from "../shared/selection-options.js";
import { tableLines } from "../shared/table.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";
import { TextOutput, untilReaderIsGone } from "../shared/text-output.js";

const topDefault = 50;

interface DiffOptions extends SelectionOptions, RegisterOptions {
  mask?: string[];
  likeA?: string[];
  reads?: true;
  top: number;
  json?: true;
  color: ColorChoice;
}

const help = `
Examples:
  mmiostrider diff working.mmt broken.mmt
  mmiostrider diff --mask 'TDBA?' --mask 'RDBA?' --mask CTRL=0x40 working.mmt broken.mmt
  mmiostrider diff --like-a working-again.mmt working.mmt broken.mmt
  mmiostrider diff --filter 'register != EECD' --json a.mmt b.mmt | jq .differences

A device that both traces know is compared by BAR and offset, whatever its addresses. All other accesses are compared by offset
in mappings of the same range, else of the same size, or else by physical address, virtual one (of rwmmio's logs) or port.

Both traces' accesses are kept in memory: of very large traces, compare parts (cut, --filter).

Exit codes: 0 the same, 1 different, or nothing to compare (or failed, with a message), 2 wrong usage, a --mask that fits no
register or a --like-a of other accesses, too, 3 the same as far as the traces go, but one of them is incomplete.`;

export function addDiff(program: Command): void {
  const command = program
    .command("diff")
    .summary("list the differences between two recordings of a driver")
    .description(
      "Aligns two traces of one driver by the registers it touches one after the other, device by device, and lists " +
        "the writes that are missing, new, or have another value. An immediately repeated read counts as one.",
    )
    .argument("<a>", "the first trace, for example of a working run")
    .argument("<b>", "the second trace")
    .option(
      "--mask <register[=bits]>",
      "values that may differ: TDBAL, 'RD*', STATUS=0x80000, BAR0+0x10, or as listed with the device before it; repeatable",
      collect,
    )
    .option(
      "--like-a <file>",
      "another trace of the same work as A: values that vary between the two may differ; repeatable",
      collect,
    )
    .option("--reads", "also list reads with another value, and count them as differences")
    .option(
      "--top <number>",
      `differences to list; 0 is all, but at most ${countText(differencesMax)} of reads and as many others`,
      (text) => wholeNumber("--top", text, 0),
      topDefault,
    );
  addFilterOption(command);
  addRegisterOptions(command)
    .addOption(program.createOption("--color <when>", "colours").choices(colorChoices).default("auto"))
    .option("--json", "print everything as JSON")
    .addHelpText("after", help)
    .action(diff);
}

async function diff(a: string, b: string, options: DiffOptions, self: Command): Promise<void> {
  if (options.json === true && options.top !== 0 && self.getOptionValueSource("top") === "cli") {
    throw new UsageError("--top has no effect with --json, which prints all differences that are listed at all");
  }
  const masks = masksOf(options.mask ?? []);
  const selection = selectionOf(options);
  const names = new RegisterNames(options);
  const incomplete: string[] = [];
  const read = async (file: string): Promise<CollectedAccesses> => {
    const reader = await openReadable(file);
    const progress = new Progress(`reading ${file}`);
    try {
      return await collectDiffAccesses(reader, names.namerFor(reader), selection, (done) =>
        progress.update(done, reader.events),
      );
    } finally {
      progress.end();
      tellIncomplete(reader);
      incomplete.push(...incompleteOf(reader).map((what) => `${reader.source.name}: ${what}`));
      await reader.close();
    }
  };
  const first = await read(a);
  const second = await read(b);
  for (const like of options.likeA ?? []) masks.learn(first, await read(like));
  names.requireUse();
  const result = diffTraces(first, second, masks);
  const readsDiffer = options.reads === true && result.devices.some(({ read: count }) => count > 0);
  const same = result.same && !readsDiffer;
  const output = new TextOutput();
  await untilReaderIsGone(async () => {
    if (options.json) await writeJson(output, { ...result, same, incomplete });
    else {
      const digits = { first: first.timeDigits, second: second.timeDigits };
      await output.write(textOf({ ...result, same }, incomplete.length > 0, digits, options));
    }
    await output.flush();
  });
  if (names.tell() || !same) process.exitCode = ExitCode.failed;
  else if (incomplete.length > 0) process.exitCode = ExitCode.incomplete;
}

function masksOf(texts: readonly string[]): Masks {
  const masks = new Masks();
  for (const text of texts) {
    const equals = text.lastIndexOf("=");
    const bits = equals < 0 ? "0xffffffffffffffffffffffffffffffff" : text.slice(equals + 1);
    const register = equals < 0 ? text : text.slice(0, equals);
    if (register === "" || !/^(0x[0-9a-f]{1,32}|\d{1,38})$/i.test(bits)) {
      throw new UsageError(`--mask ${text} is no register's name, or name and bits`, {
        advice: "such as TDBAL, STATUS=0x80000 or BAR0+0x10=0xff",
      });
    }
    masks.add({ register, bits: BigInt(bits) });
  }
  return masks;
}

function textOf(
  result: DiffResult,
  incomplete: boolean,
  digits: { first: TimeDigits; second: TimeDigits },
  options: DiffOptions,
): string {
  if (result.compared === 0) {
    return `nothing was compared: neither trace has an access${options.filter === undefined ? "" : " that fits the filter"}\n`;
  }
  const paint = paintFor(options.color) ?? ((_part, text) => text);
  const rows = result.devices.map((row) => [
    deviceText(row),
    ...[row.aligned, row.written, row.read, row.missing, row.extra].map(countText),
    row.both ? "" : row.missing > 0 ? "only A accesses it" : "only B accesses it",
  ]);
  const names = ["device", ">in both", ">written differently", ">read differently", ">only in A", ">only in B", ""];
  const lines = tableLines([names, ...rows]);
  const listed = result.differences.filter(({ kind }) => options.reads === true || kind !== "read");
  const shown = options.top === 0 ? listed : listed.slice(0, options.top);
  let before: TraceDifference | undefined;
  for (const difference of shown) {
    if (!follows(before, difference)) lines.push("");
    before = difference;
    const { kind, device, first, second } = difference;
    if (first !== null) lines.push(paint("alarm", line("-", device, first, digits.first)));
    if (second !== null) lines.push(paint("read", line("+", device, second, digits.second)));
    if (kind === "written" || kind === "read") before = undefined;
  }
  const differing = (row: DeviceComparison) =>
    row.written + row.missing + row.extra + (options.reads === true ? row.read : 0);
  const all = sum(result.devices.map(differing));
  if (shown.length < all) {
    const rest = `… and ${countText(all - shown.length)} more`;
    if (shown.length === listed.length) lines.push("", `${rest}: at most ${countText(differencesMax)} are listed`);
    else lines.push("", `${rest} (--top 0 lists ${listed.length < all ? countText(listed.length) : "all"})`);
  }
  lines.push("", result.same ? sameText(result, incomplete) : "DIFFERENT");
  return `${lines.join("\n")}\n`;
}

function deviceText({ device, otherDevice, driver }: DeviceComparison): string {
  const named = driver === null ? device : `${device} ${driver}`;
  return otherDevice === null ? named : `${named} (in B: ${otherDevice})`;
}

/** Says that the traces are the same, and what wasn't compared. */
function sameText({ devices }: DiffResult, incomplete: boolean): string {
  const read = sum(devices.map((row) => row.read));
  const masked = sum(devices.map((row) => row.masked));
  const exceptions = [
    ...(read === 0 ? [] : [`the values of ${countOf(read, "read")} (--reads counts them)`]),
    ...(masked === 0 ? [] : [`${countOf(masked, "value")} that --mask or --like-a may let differ`]),
  ];
  const but = exceptions.length === 0 ? "" : `, but for ${exceptions.join(" and ")}`;
  return `the same${incomplete ? " as far as the traces go" : ""}${but}`;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0);
}

/** Returns true if two differences belong together: the second is the next access of the same trace. */
function follows(before: TraceDifference | undefined, next: TraceDifference): boolean {
  return before !== undefined && before.kind === next.kind && before.device === next.device;
}

function line(sign: string, device: string, entry: SequenceEntry, digits: TimeDigits): string {
  const op = `${entry.kind === "read" ? "R" : "W"} ${entry.width_bytes}`;
  const value = `0x${entry.value.toString(16).padStart(2 * entry.width_bytes, "0")}`;
  const times = entry.count > 1 ? ` ×${countText(entry.count)}` : "";
  const where = `${device} ${entry.register.padEnd(14)}`;
  const time = entry.time_s === null ? "" : ` ${secondsText(entry.time_s, digits)}`;
  return `${sign} @${entry.event}${time} ${op} ${where} ${value}${times} ${entry.site}`.trimEnd();
}

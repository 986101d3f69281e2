// Options of several commands: for choosing a part of a trace, and register databases.
import type { Command } from "commander";
import { parseTime_s } from "../../analysis/filter/comparisons.js";
import { compileFilter } from "../../analysis/filter/filter.js";
import type { Bound, Selection } from "../../analysis/view/range.js";
import { UsageError } from "./exit-code.js";
import { collect } from "./option-values.js";

export interface SelectionOptions {
  filter?: string;
  from?: string;
  to?: string;
}

export function addFilterOption(command: Command): Command {
  return command.option("--filter <expr>", "only events that fit, such as 'register == STATUS and cpu == 1'");
}

export function addRangeOptions(command: Command): Command {
  return command
    .option("--from <place>", "begin at 1.5, 300ms (a time as report shows it), @1234 (event), mark:TEXT")
    .option("--to <place>", "end at this place, included");
}

export function addRegisterOptions(command: Command): Command {
  return command
    .option(
      "--registers <database>",
      "[DEVICE=]NAME or [DEVICE=]PATH[:DOMAIN[@BAR[+OFFSET]],…]: names registers instead of the built-in one; repeatable",
      collect,
    )
    .option("--variant <[enum=]name>", "hardware variant for --registers; repeatable", collect);
}

/** Throws UsageError. */
export function parseBound(text: string, option: string): Bound {
  if (text.startsWith("mark:") && text.length > 5) return { kind: "mark", text: text.slice(5) };
  if (/^@\d{1,15}$/.test(text)) return { kind: "event", number: Number(text.slice(1)) };
  const time_s = parseTime_s(text);
  if (time_s === undefined) {
    throw new UsageError(`${option} ${text} is no place in a trace`, {
      advice: "places are times such as 1.5 or 300ms, @1234 for an event's number, mark:TEXT for a marker",
    });
  }
  return { kind: "time", time_s };
}

/** Throws UsageError, FilterError. */
export function selectionOf(options: SelectionOptions): Selection {
  const from = options.from === undefined ? undefined : parseBound(options.from, "--from");
  const to = options.to === undefined ? undefined : parseBound(options.to, "--to");
  if (from !== undefined && to !== undefined && isBehind(from, to)) {
    throw new UsageError(`--from ${options.from} is behind --to ${options.to}: nothing lies between`);
  }
  const filter = options.filter === undefined ? undefined : compileFilter(options.filter);
  return { from, to, filter, boundsMustOccur: true };
}

/** Returns true if `from` is behind `to` in any trace. */
function isBehind(from: Bound, to: Bound): boolean {
  if (from.kind === "time" && to.kind === "time") return from.time_s > to.time_s;
  return from.kind === "event" && to.kind === "event" && from.number > to.number;
}

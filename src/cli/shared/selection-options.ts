// Options of several commands: for choosing a part of a trace, and register databases.
import type { Command } from "commander";
import { parseTime_s } from "../../analysis/filter/comparisons.js";
import { compileFilter } from "../../analysis/filter/filter.js";
import { AccessRegisters } from "../../analysis/view/access-registers.js";
import { isNamed } from "../../analysis/view/device-names.js";
import type { Bound, Selection } from "../../analysis/view/selection.js";
import { builtInFor, chooseDatabase } from "../../registers/files/index.js";
import type { RegisterDatabase } from "../../registers/index.js";
import { UsageError } from "./exit-code.js";
import { collect } from "./option-values.js";

export interface SelectionOptions {
  filter?: string;
  from?: string;
  to?: string;
}

export interface RegisterOptions {
  registers?: string[];
  variant?: string[];
}

export function addFilterOption(command: Command): Command {
  return command.option("--filter <expr>", "only events that fit, such as 'register == STATUS and cpu == 1'");
}

export function addRangeOptions(command: Command): Command {
  return command
    .option("--from <place>", "begin at 1.5, 300ms (since recording began), @1234 (event), mark:TEXT")
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
  return {
    from: options.from === undefined ? undefined : parseBound(options.from, "--from"),
    to: options.to === undefined ? undefined : parseBound(options.to, "--to"),
    filter: options.filter === undefined ? undefined : compileFilter(options.filter),
  };
}

/** Returns a function that makes the namer of a trace's registers: a new one for each trace, because it learns from the devices. */
export function registersOf(options: RegisterOptions): () => AccessRegisters {
  const { registers = [], variant } = options;
  if (registers.length === 0) {
    if (variant !== undefined) throw new UsageError("--variant needs --registers");
    return () => new AccessRegisters(builtInFor);
  }
  const choices = registers.map((text) => {
    const parts = /^([^=/]+)=(.+)$/s.exec(text);
    return { device: parts?.[1], database: chooseDatabase(parts?.[2] ?? text, variant) };
  });
  return () =>
    new AccessRegisters((found): RegisterDatabase | undefined => {
      const named = choices.find(({ device }) => device !== undefined && isNamed(found, device));
      return (named ?? choices.find(({ device }) => device === undefined))?.database ?? builtInFor(found);
    });
}

// The program's commands, options and arguments as data, for shell completions and the manual.
import type { EventEmitter } from "node:events";
import type { Command, Option } from "commander";

export interface CommandInfo {
  /** `mmiostrider registers lookup` without the first word; empty for the program itself. */
  path: string[];
  summary: string;
  description: string;
  usage: string;
  arguments: { name: string; description: string; variadic: boolean; required: boolean }[];
  options: OptionInfo[];
  /** The text of its --help after the options. */
  after: string;
  commands: CommandInfo[];
}

export interface OptionInfo {
  flags: string;
  short: string | undefined;
  long: string | undefined;
  description: string;
  /** It takes a value. */
  valued: boolean;
  choices: readonly string[];
}

/** Collects `command`, the program or one of its commands, and everything below it. */
export function commandInfo(command: Command, path: string[] = []): CommandInfo {
  const help = command.createHelp();
  return {
    path,
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      description: argument.description,
      variadic: argument.variadic,
      required: argument.required,
    })),
    options: help.visibleOptions(command).map(optionInfo),
    after: textAfter(command),
    commands: help
      .visibleCommands(command)
      .filter((sub) => sub.name() !== "help")
      .map((sub) => commandInfo(sub, [...path, sub.name()])),
  };
}

function optionInfo(option: Option): OptionInfo {
  const byDefault =
    option.defaultValue === undefined || typeof option.defaultValue === "boolean"
      ? ""
      : ` (default: ${option.defaultValue})`;
  return {
    flags: option.flags,
    short: option.short,
    long: option.long,
    description: `${option.description}${byDefault}`,
    valued: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}

/** Returns the text given to addHelpText("after"). */
function textAfter(command: Command): string {
  let text = "";
  const write = (piece: string) => {
    text += piece;
  };
  // A command is an emitter, though its types don't say so.
  (command as unknown as EventEmitter).emit("afterHelp", { error: false, command, write });
  return text.trim();
}

// `mmiostrider manual`: prints the manual page, from the commands' own definitions. docs/man/mmiostrider.1 is its output.
import type { Command } from "commander";
import { type CommandInfo, commandInfo } from "../shared/command-tree.js";

export function addManual(program: Command): void {
  program
    .command("manual")
    .summary("print the manual page")
    .description("Prints the manual page for man. It has the text of every command's --help.")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider manual | man -l -
  mmiostrider manual > /usr/local/share/man/man1/mmiostrider.1`,
    )
    .action(() => {
      process.stdout.write(manualPage(commandInfo(program), program.version() ?? ""));
    });
}

/** Escapes a text for roff, so that no part of it is taken for a request or an escape. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replaceAll(/^([.'])/gm, "\\&$1");
}

function manualPage(tree: CommandInfo, version: string): string {
  const lines = [
    '.\\" Made by "mmiostrider manual" from the commands\' own definitions.',
    `.TH MMIOSTRIDER 1 "" "mmiostrider ${roff(version)}" "User Commands"`,
    ".SH NAME",
    "mmiostrider \\- record and read what drivers do to memory\\-mapped I/O",
    ".SH SYNOPSIS",
    ".B mmiostrider",
    ".I command",
    "[options]",
    ".SH DESCRIPTION",
    roff(tree.description),
    ".SH COMMANDS",
  ];
  for (const command of tree.commands) lines.push(...commandSection(command));
  lines.push(
    ".SH EXIT STATUS",
    ...item("0", "done"),
    ...item("1", "failed; for those that compare or search: different, nothing to compare, not found"),
    ...item("2", "wrong usage"),
    ...item(
      "3",
      "recorded, but incomplete: records were lost, instructions escaped emulation, mappings got no decoy, or a trace is cut",
    ),
    ".SH ENVIRONMENT",
    ...item("PAGER", "what report prints through on a terminal; less otherwise, nothing where it is empty"),
    ...item("NO_COLOR", "when it is set, there are no colours unless asked for"),
    ...item("MMIOSTRIDER_CACHE", "where the core, kernels and machines are kept between runs"),
    ".SH FILES",
    ...item("/dev/mmiostrider", "the core's control device"),
  );
  return `${lines.join("\n")}\n`;
}

function item(term: string, text: string): string[] {
  return [".TP", `.B ${roff(term)}`, roff(text)];
}

function commandSection(command: CommandInfo): string[] {
  const lines = [`.SS ${roff(`mmiostrider ${command.path.join(" ")} ${command.usage}`)}`, roff(command.description)];
  for (const { name, description, variadic } of command.arguments) {
    if (description !== "") lines.push(...item(variadic ? `${name}...` : name, description));
  }
  for (const option of command.options) lines.push(...item(option.flags, option.description));
  if (command.after !== "") lines.push(".PP", ".nf", roff(command.after), ".fi");
  return [...lines, ...command.commands.flatMap(commandSection)];
}

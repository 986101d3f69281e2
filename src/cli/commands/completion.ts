// `mmiostrider completion`: scripts that make a shell complete our commands and options, from their own definitions.

import type { Command } from "commander";
import { shellQuoted } from "../../base/shell-quote.js";
import { type CommandInfo, commandInfo, type OptionInfo } from "../shared/command-tree.js";

const shells = ["bash", "zsh", "fish"] as const;

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .summary("print a script that makes a shell complete commands and options")
    .description(
      "Prints a script that makes a shell complete mmiostrider's commands, options, their choices, and files.",
    )
    .addArgument(program.createArgument("<shell>", "whose script").choices(shells))
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider completion bash > /etc/bash_completion.d/mmiostrider
  mmiostrider completion zsh > "\${fpath[1]}/_mmiostrider"
  mmiostrider completion fish > ~/.config/fish/completions/mmiostrider.fish
  source <(mmiostrider completion bash)              (for this shell only)`,
    )
    .action((shell: (typeof shells)[number]) => {
      const tree = commandInfo(program);
      process.stdout.write(shell === "bash" ? bashScript(tree) : shell === "zsh" ? zshScript(tree) : fishScript(tree));
    });
}

/** Lists the program and all commands below it, depth first. */
function all(tree: CommandInfo): CommandInfo[] {
  return [tree, ...tree.commands.flatMap(all)];
}

const names = ({ short, long }: OptionInfo) => [short, long].filter((name) => name !== undefined);

function bashScript(tree: CommandInfo): string {
  const cases = all(tree).map((command) => {
    const words = [...command.commands.map(({ path }) => path.at(-1)!), ...command.options.flatMap(names)];
    return `    ${shellQuoted(command.path.join(" "))}) words=${shellQuoted(words.join(" "))} ;;`;
  });
  const known = all(tree).filter(({ path }) => path.length > 0);
  const valued = all(tree).flatMap((command) =>
    command.options
      .filter((option) => option.choices.length > 0)
      .flatMap((option) =>
        names(option).map((name) => {
          const key = `${command.path.join(" ")}:${name}`;
          return `    ${shellQuoted(key)}) COMPREPLY=($(compgen -W ${shellQuoted(option.choices.join(" "))} -- "$current")); return ;;`;
        }),
      ),
  );
  const files = [
    ...new Set(all(tree).flatMap(({ options }) => options.filter(({ valued: one }) => one).flatMap(names))),
  ].sort();
  return `# bash completion for mmiostrider, made by "mmiostrider completion bash".
_mmiostrider() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= words= word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case "\${command:+$command }$word" in
      ${known.map(({ path }) => shellQuoted(path.join(" "))).join("|")}) command="\${command:+$command }$word" ;;
    esac
  done
  COMPREPLY=()
  case "$command:$previous" in
${valued.join("\n")}
  esac
  case "$previous" in
    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$command" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ \${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _mmiostrider mmiostrider
`;
}

function zshScript(tree: CommandInfo): string {
  const escaped = (text: string) => text.replaceAll(/[[\]:\\]/g, "\\$&");
  const specs = (command: CommandInfo) =>
    command.options.flatMap((option) =>
      names(option).map((name) => {
        const value =
          option.choices.length > 0 ? `:value:(${option.choices.join(" ")})` : option.valued ? ":value:_files" : "";
        return shellQuoted(`*${name}[${escaped(option.description)}]${value}`);
      }),
    );
  const functionOf = (path: string[]) => `_mmiostrider${path.map((word) => `_${word}`).join("")}`;
  const functions = all(tree).map((command) => {
    const lines = specs(command).map((spec) => `    ${spec} \\`);
    if (command.commands.length === 0)
      return `${functionOf(command.path)}() {\n  _arguments \\\n${lines.join("\n")}\n    '*:file:_files'\n}`;
    const subs = command.commands.map(
      ({ path, summary }) => `      ${shellQuoted(`${path.at(-1)}:${escaped(summary)}`)}`,
    );
    const cases = command.commands.map(({ path }) => `      ${path.at(-1)}) ${functionOf(path)} ;;`);
    return `${functionOf(command.path)}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C \\
${lines.join("\n")}
    '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
${subs.join("\n")}
      )
      _describe command commands ;;
    argument) case $line[1] in
${cases.join("\n")}
    esac ;;
  esac
}`;
  });
  return `#compdef mmiostrider
# zsh completion for mmiostrider, made by "mmiostrider completion zsh".
${functions.join("\n\n")}

if [[ $funcstack[1] == _mmiostrider ]]; then _mmiostrider "$@"; else compdef _mmiostrider mmiostrider; fi
`;
}

function fishScript(tree: CommandInfo): string {
  const lines = ['# fish completion for mmiostrider, made by "mmiostrider completion fish".'];
  const text = (words: string) => `'${words.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  for (const command of all(tree)) {
    const seen = command.path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const subs = command.commands.map(({ path }) => path.at(-1)!);
    const inside = seen.length === 0 ? "__fish_use_subcommand" : seen.join("; and ");
    const alone =
      subs.length === 0 || seen.length === 0
        ? inside
        : `${inside}; and not __fish_seen_subcommand_from ${subs.join(" ")}`;
    for (const sub of command.commands) {
      lines.push(`complete -c mmiostrider -f -n ${text(alone)} -a ${sub.path.at(-1)} -d ${text(sub.summary)}`);
    }
    for (const option of command.options) {
      const flags = [
        option.short === undefined ? "" : ` -s ${option.short.slice(1)}`,
        option.long === undefined ? "" : ` -l ${option.long.slice(2)}`,
        option.valued ? " -r" : "",
        option.choices.length === 0 ? "" : ` -f -a ${text(option.choices.join(" "))}`,
      ].join("");
      lines.push(`complete -c mmiostrider -n ${text(inside)}${flags} -d ${text(option.description)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

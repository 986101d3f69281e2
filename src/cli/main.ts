// Collects the commands, one file each, and turns whatever they throw into one clear message and an exit code.
import { Command, CommanderError } from "commander";
import { messageOf, UserError } from "../base/errors.js";
import { version } from "../base/version.js";
import { ExitCode } from "./shared/exit-code.js";
import { shownError } from "./shared/shown-error.js";

/** Each command's file adds it to the program; the order is the order in --help. */
const commands: Record<string, () => Promise<(program: Command) => void>> = {
  record: async () => (await import("./commands/record.js")).addRecord,
  mark: async () => (await import("./commands/mark.js")).addMark,
  report: async () => (await import("./commands/report.js")).addReport,
  convert: async () => (await import("./commands/convert.js")).addConvert,
  stat: async () => (await import("./commands/stat.js")).addStat,
  diff: async () => (await import("./commands/diff.js")).addDiff,
  grep: async () => (await import("./commands/grep.js")).addGrep,
  cut: async () => (await import("./commands/cut.js")).addCut,
  merge: async () => (await import("./commands/merge.js")).addMerge,
  verify: async () => (await import("./commands/verify.js")).addVerify,
  registers: async () => (await import("./commands/registers.js")).addRegisters,
  lab: async () => (await import("./commands/lab.js")).addLab,
  demo: async () => (await import("./commands/demo.js")).addDemo,
  doctor: async () => (await import("./commands/doctor.js")).addDoctor,
  install: async () => (await import("./commands/install.js")).addInstall,
  completion: async () => (await import("./commands/completion.js")).addCompletion,
  manual: async () => (await import("./commands/manual.js")).addManual,
};

const program = new Command("mmiostrider")
  .description("Records every access that a driver makes to memory-mapped I/O, and makes the record readable.")
  .version(version)
  .enablePositionalOptions()
  .showHelpAfterError("(--help shows how it is used)")
  .exitOverride();
const named = process.argv[2] ?? "";
/** These speak of all the others. */
const speakOfAll = ["completion", "manual"];
const alone = Object.hasOwn(commands, named) && !speakOfAll.includes(named);

// Who read our output may go before it is at its end (`--help | head`): no fault of anybody's. Not by a listener of
// process.stdout's: to ask for that stream makes a pipe non-blocking, for the commands that we start, too.
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE" || error.syscall !== "write") process.exit(report(error));
});

void run();

/** Not at the top level: the program is bundled as a script, which can't wait there. */
async function run(): Promise<void> {
  try {
    for (const load of wanted()) (await load())(program);
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** A command loads its own file alone, not those of all commands: on a slow machine that is most of the time to start. */
function wanted(): (() => Promise<(program: Command) => void>)[] {
  if (["--version", "-V"].includes(named)) return [];
  return alone ? [commands[named]!] : Object.values(commands);
}

/** Prints an error as the user should see it; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  if (error instanceof UserError) {
    const { message, advice, exitCode } = shownError(error);
    process.stderr.write(`mmiostrider: ${message}\n`);
    if (advice !== undefined) process.stderr.write(`  ${advice}\n`);
    return exitCode;
  }
  process.stderr.write(`mmiostrider: ${messageOf(error)}\n`);
  if (error instanceof Error && error.stack !== undefined) {
    process.stderr.write(`This is a bug in mmiostrider:\n${error.stack}\n`);
  }
  return ExitCode.failed;
}

// Collects the commands, one file each, and turns anything that they throw into one clear message and an exit code.
import { Command, CommanderError } from "commander";
import { messageOf, UserError } from "../base/errors.js";
import { version } from "../base/version.js";
import { ExitCode } from "./shared/exit-code.js";
import { shownError } from "./shared/shown-error.js";
import { OutputClosed } from "./shared/text-output.js";

/** The commands, each with the function that adds it to the program, in the order of --help. */
const commands: Record<string, () => Promise<(program: Command) => void>> = {
  record: async () => (await import("./commands/record.js")).addRecord,
  instrument: async () => (await import("./commands/instrument.js")).addInstrument,
  mark: async () => (await import("./commands/mark.js")).addMark,
  report: async () => (await import("./commands/report.js")).addReport,
  convert: async () => (await import("./commands/convert.js")).addConvert,
  stat: async () => (await import("./commands/stat.js")).addStat,
  diff: async () => (await import("./commands/diff.js")).addDiff,
  grep: async () => (await import("./commands/grep.js")).addGrep,
  cut: async () => (await import("./commands/cut.js")).addCut,
  merge: async () => (await import("./commands/merge.js")).addMerge,
  verify: async () => (await import("./commands/verify.js")).addVerify,
  races: async () => (await import("./commands/races.js")).addRaces,
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
/** Commands that need all others. */
const speakOfAll = ["completion", "manual"];
const alone = Object.hasOwn(commands, named) && !speakOfAll.includes(named);

// The reader of our output may leave before its end (`--help | head`), which is no fault. Not by a listener on process.stdout:
// using that stream makes a pipe non-blocking, for the commands that we start, too.
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE" || error.syscall !== "write") process.exit(report(error));
});

void run();

/** Runs the program. Not at the top level: the program is bundled as a script, which can't wait there. */
async function run(): Promise<void> {
  try {
    for (const load of wanted()) (await load())(program);
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Returns the commands to load: only the wanted one, because loading all takes most of the start on a slow machine. */
function wanted(): (() => Promise<(program: Command) => void>)[] {
  if (["--version", "-V"].includes(named)) return [];
  return alone ? [commands[named]!] : Object.values(commands);
}

/** Prints an error for the user; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  // the reader of the output may leave early, which is no fault
  if (error instanceof OutputClosed) return ExitCode.done;
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

// Collects the commands, one file each, and turns whatever they throw into one clear message and an exit code.
import { Command, CommanderError } from "commander";
import { ExitCode, messageOf, UserError } from "../base/errors.js";
import { addCompletion } from "./completion.js";
import { addCut } from "./cut.js";
import { addDemo } from "./demo.js";
import { addDiff } from "./diff.js";
import { addDoctor } from "./doctor.js";
import { addGrep } from "./grep.js";
import { addInstall } from "./install.js";
import { addLab } from "./lab.js";
import { addManual } from "./manual.js";
import { addMark } from "./mark.js";
import { addMerge } from "./merge.js";
import { addRecord } from "./record.js";
import { addRegisters } from "./registers.js";
import { addReport } from "./report.js";
import { addStat } from "./stat.js";
import { addVerify } from "./verify.js";

/** Every command adds itself to the program; the order is the order in --help. */
const commands: ((program: Command) => void)[] = [
  addRecord,
  addMark,
  addReport,
  addStat,
  addDiff,
  addGrep,
  addCut,
  addMerge,
  addVerify,
  addRegisters,
  addLab,
  addDemo,
  addDoctor,
  addInstall,
  addCompletion,
  addManual,
];

const program = new Command("mmiostrider")
  .description("Records every access that a driver makes to memory-mapped I/O, and makes the record readable.")
  .version("0.1.0")
  .enablePositionalOptions()
  .showHelpAfterError("(--help shows how it is used)")
  .exitOverride();
for (const add of commands) add(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Prints an error as the user should see it; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  process.stderr.write(`mmiostrider: ${messageOf(error)}\n`);
  if (error instanceof UserError) {
    if (error.advice !== undefined) process.stderr.write(`  ${error.advice}\n`);
    return error.exitCode;
  }
  if (error instanceof Error && error.stack !== undefined) {
    process.stderr.write(`This is a bug in mmiostrider:\n${error.stack}\n`);
  }
  return ExitCode.failed;
}

// `mmiostrider cut`: writes a part of a trace as a new trace.
import type { Command } from "commander";
import { cutTrace } from "../../analysis/cut-merge/cut-trace.js";
import { countOf } from "../../base/units.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { makeTrace, requireFileForJson, tellMade } from "../shared/new-trace.js";
import { openReadable } from "../shared/open-input.js";
import { Progress } from "../shared/progress.js";
import { RegisterNames, type RegisterOptions } from "../shared/register-names.js";
import {
  addFilterOption,
  addRangeOptions,
  addRegisterOptions,
  type SelectionOptions,
  selectionOf,
} from "../shared/selection-options.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";

interface CutOptions extends SelectionOptions, RegisterOptions {
  output: string;
  json?: true;
}

export function addCut(program: Command): void {
  const command = program
    .command("cut")
    .summary("write a part of a trace into a new one")
    .description(
      "Writes the events from one place of a trace to another into a new trace. Times stay unchanged, and the mappings, " +
        "the sites' symbols and the devices are known in it as in the whole.",
    )
    .argument("<file>", "the trace, or a log that convert reads; - is standard input")
    .requiredOption("-o, --output <file>", "the new trace; - is standard output");
  addRangeOptions(command);
  addFilterOption(command);
  addRegisterOptions(command)
    .option("--json", "print the result as JSON on standard output")
    .addHelpText(
      "after",
      `
The new trace says which part it is, and one cut with --filter that it isn't complete, so that nobody takes it for the whole.

Examples:
  mmiostrider cut --from 1.5 --to 1600ms e1000.mmt -o link-up.mmt
  mmiostrider cut --from @1000 --to @1999 e1000.mmt -o - | mmiostrider report -
  mmiostrider cut --from 'mark:cable pulled' e1000.mmt -o after.mmt
  mmiostrider cut --filter 'device == 00:04.0' all.mmt -o nic.mmt
  mmiostrider cut --json --from @1000 e1000.mmt -o rest.mmt | jq .events

Exit codes: 0 done, 1 failed (then nothing is left behind), 2 wrong usage, 3 written, but the whole trace is incomplete,
too. A part that lacks only what the filter left out is no failure: 0.`,
    )
    .action(async (file: string, options: CutOptions) => {
      const selection = selectionOf(options);
      if (selection.from === undefined && selection.to === undefined && selection.filter === undefined) {
        throw new UsageError("cut needs --from, --to or --filter: else it is the whole trace");
      }
      if (options.registers !== undefined && options.filter === undefined) {
        throw new UsageError("--registers has no effect without --filter: a trace has no names of registers");
      }
      requireFileForJson(options);
      const leftOut = options.filter === undefined ? undefined : `only what fits the filter ${options.filter} was kept`;
      const names = new RegisterNames(options);
      const reader = await openReadable(file);
      const progress = new Progress("cutting");
      try {
        const registers = names.namerFor(reader);
        names.requireUse();
        const made = await makeTrace(options.output, (create) =>
          cutTrace(reader, {
            selection,
            registers,
            commandLine: ["mmiostrider", ...process.argv.slice(2)],
            leftOut,
            progress: (done) => progress.update(done, reader.events),
            create,
          }),
        );
        progress.end();
        if (made === undefined) {
          if (tellIncomplete(reader)) process.exitCode = ExitCode.incomplete;
          return;
        }
        const { events, part } = made;
        await tellMade(options, { events, inputs: [reader], leftOut, part }, `${countOf(events, "event")}`);
        if (tellIncomplete(reader)) process.exitCode = ExitCode.incomplete;
        if (names.tell()) process.exitCode = ExitCode.failed;
      } finally {
        progress.end();
        await reader.close();
      }
    });
}

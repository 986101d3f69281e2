// `mmiostrider merge`: merges several traces of one machine.
import type { Command } from "commander";
import { mergeTraces, repeatsSentence } from "../../analysis/cut-merge/merge-traces.js";
import { timesBackSentence } from "../../analysis/view/time-order.js";
import { countOf } from "../../base/units.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { makeTrace, requireFileForJson, tellMade } from "../shared/new-trace.js";
import { openReadable } from "../shared/open-input.js";
import { Progress } from "../shared/progress.js";
import { tellIncomplete } from "../shared/tell-incomplete.js";

const filesMax = 256;

export function addMerge(program: Command): void {
  program
    .command("merge")
    .summary("make one trace of several, in the order of time")
    .description(
      "Merges several traces of one machine into one, in the order of time: by the TSC if they are of one boot, else by " +
        "the wall clock. Mappings whose numbers clash get new ones. Events that are in two of them are counted, not left out.",
    )
    .argument("<files...>", "the traces, or logs that convert reads, two or more; one may be -, standard input")
    .requiredOption("-o, --output <file>", "the new trace; - is standard output")
    .option("--json", "print the result as JSON on standard output")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider merge probe.mmt traffic.mmt remove.mmt -o all.mmt
  mmiostrider merge nic.mmt gpu.mmt -o - | mmiostrider report -
  mmiostrider merge --json *.mmt -o /tmp/all.mmt | jq .events

Exit codes: 0 done, 1 failed (then nothing is left behind), 2 wrong usage, 3 written, but one of them is incomplete.`,
    )
    .action(async (files: string[], options: { output: string; json?: true }) => {
      if (files.length < 2) throw new UsageError("merge needs two traces or more");
      if (files.length > filesMax) throw new UsageError(`merge takes at most ${filesMax} traces`);
      if (files.filter((file) => file === "-").length > 1) throw new UsageError("standard input can be read only once");
      requireFileForJson(options);
      const readers: TraceReader[] = [];
      const progress = new Progress("merging");
      try {
        for (const file of files) readers.push(await openReadable(file));
        const made = await makeTrace(options.output, (create) =>
          mergeTraces(readers, {
            commandLine: ["mmiostrider", ...process.argv.slice(2)],
            progress: (done, all) => progress.update(done, all),
            create,
          }),
        );
        progress.end();
        if (made === undefined) {
          if (readers.filter(tellIncomplete).length > 0) process.exitCode = ExitCode.incomplete;
          return;
        }
        const { events, timesBack, repeated } = made;
        if (readers.every(({ header }) => BigInt(header.clock.wall_ns) === 0n)) {
          process.stderr.write(
            "mmiostrider: note: none of them has a wall clock: their times count as of one clock, which only times of one boot are\n",
          );
        }
        if (repeated > 0) process.stderr.write(`mmiostrider: note: ${options.output}: ${repeatsSentence(repeated)}\n`);
        for (const { name, back } of timesBack) {
          process.stderr.write(
            `mmiostrider: ${name}: note: ${timesBackSentence(back)}: its events keep their order, which isn't that of time\n`,
          );
        }
        await tellMade(
          options,
          { events, inputs: readers, repeated },
          `${countOf(events, "event")} of ${countOf(files.length, "trace")}`,
        );
        if (readers.filter(tellIncomplete).length > 0) process.exitCode = ExitCode.incomplete;
      } finally {
        progress.end();
        for (const reader of readers) await reader.close();
      }
    });
}

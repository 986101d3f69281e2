// `mmiostrider doctor`: what each engine needs on this machine, and what of it is there.
import { styleText } from "node:util";
import type { Command } from "commander";
import { ExitCode } from "../../base/errors.js";
import { type Check, type EngineReport, examine } from "../../capture/doctor.js";
import { probeKvmWithAnyKernel } from "../../lab/kvm-probe.js";

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("say what each engine needs on this machine, and has")
    .description("Says, for each engine, what it needs on this machine and what of it is there. Changes nothing.")
    .option("--json", "for programs")
    .addHelpText(
      "after",
      "\nExamples:\n  mmiostrider doctor\n  mmiostrider doctor --json | jq .engines\n\n" +
        "Exit codes: 0 when engine emulate can record here, else 1.",
    )
    .action(async (options: { json?: true }) => {
      const report = await examine(await probeKvmWithAnyKernel());
      if (options.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      else process.stdout.write(report.engines.map(describe).join("\n"));
      const emulate = report.engines.find((engine) => engine.engine === "emulate");
      process.exitCode = emulate?.usable === true ? ExitCode.done : ExitCode.failed;
    });
}

function describe(engine: EngineReport): string {
  const verdict = engine.usable ? colour("green", "has what it needs") : colour("red", "can't run here");
  const later = engine.inThisVersion ? "" : " (not in this version yet)";
  const wide = Math.max(...engine.checks.map((check) => check.what.length));
  const lines = engine.checks.map((check) => `  ${mark(check)}  ${check.what.padEnd(wide)}  ${words(check)}\n`);
  return `${engine.engine} (${engine.about}): ${verdict}${later}\n${lines.join("")}`;
}

function mark(check: Check): string {
  switch (check.state) {
    case "good":
      return colour("green", "good   ");
    case "missing":
      return colour("red", "missing");
    case "unknown":
      return colour("yellow", "unknown");
    case "without":
      return colour("yellow", "without");
  }
}

function words(check: Check): string {
  return check.advice === undefined ? check.found : `${check.found}: ${check.advice}`;
}

function colour(name: "green" | "red" | "yellow", text: string): string {
  return process.stdout.isTTY === true && process.env.NO_COLOR === undefined ? styleText(name, text) : text;
}

// `mmiostrider doctor`: checks each engine's needs on this machine.

import { styleText } from "node:util";
import type { Command } from "commander";
import { assertUnreachable } from "../../base/assert.js";
import { architectureCheck, examine } from "../../capture/doctor.js";
import { defaultEngine } from "../../capture/engines.js";
import { labNeeds } from "../../lab/lab-needs.js";
import { type Check, isUsable } from "../../machine/check.js";
import { ExitCode } from "../shared/exit-code.js";

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("check each engine's needs on this machine")
    .description("Checks each engine's needs on this machine, and lists which of them are met. Changes nothing.")
    .option("--json", "print JSON, for programs")
    .addHelpText(
      "after",
      "\nExamples:\n  mmiostrider doctor\n  mmiostrider doctor --json | jq .engines\n\n" +
        `Exit codes: 0 when engine ${defaultEngine.name} can record here, else 1.`,
    )
    .action(async (options: { json?: true }) => {
      const { machine, engines } = await examine();
      const labChecks = [architectureCheck(), ...(await labNeeds())];
      const lab = { usable: isUsable(labChecks), checks: labChecks };
      if (options.json === true) process.stdout.write(`${JSON.stringify({ machine, engines, lab }, null, 2)}\n`);
      else {
        const sections = engines.map(({ engine, about, usable, checks }) => {
          const chosen = engine === defaultEngine.name ? "" : ` --engine ${engine}`;
          return describe(`${engine} (${about}: mmiostrider record${chosen})`, usable, checks);
        });
        sections.push(describe("lab (a disposable machine: mmiostrider lab)", lab.usable, lab.checks));
        process.stdout.write(sections.join("\n"));
      }
      const usual = engines.find(({ engine }) => engine === defaultEngine.name);
      process.exitCode = usual?.usable === true ? ExitCode.done : ExitCode.failed;
    });
}

function describe(title: string, usable: boolean, checks: readonly Check[]): string {
  const verdict = usable ? colour("green", "has what it needs") : colour("red", "can't run here");
  const wide = Math.max(...checks.map((check) => check.what.length));
  const lines = checks.map((check) => `  ${mark(check)}  ${check.what.padEnd(wide)}  ${words(check)}\n`);
  return `${title}: ${verdict}\n${lines.join("")}`;
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
    default:
      return assertUnreachable(check.state);
  }
}

function words(check: Check): string {
  return check.advice === undefined ? check.found : `${check.found}: ${check.advice}`;
}

function colour(name: "green" | "red" | "yellow", text: string): string {
  return process.stdout.isTTY === true && process.env.NO_COLOR === undefined ? styleText(name, text) : text;
}

// `npm run check:emulator`: executes instructions on the CPU and through the core's emulator, and compares everything.
import { parseArgs } from "node:util";
import { countText } from "../../src/base/units.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { checkEmulator } from "../core-proof/emulator-check.js";
import { runCheck } from "./run-check.js";

const usage = `usage: npm run check:emulator -- [--count N] [--seed S]
  --count N  instructions to execute both ways, about (default 12000000)
  --seed S   where instructions and states come from (default: chosen, and printed)`;

await runCheck("check:emulator", usage, async () => {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "12000000" },
      seed: { type: "string", default: String(Date.now() % 2 ** 32) },
    },
  });
  const count = wholeNumber("--count", values.count, 1);
  const seed = wholeNumber("--seed", values.seed, 0);
  await installTools([{ tool: "gcc", debianPackage: "gcc" }], (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`seed ${seed}\n`);
  const outcome = await checkEmulator(count, seed);
  for (const { form, bytes, disassembly, what } of outcome.mismatches) {
    process.stdout.write(`${form}: ${disassembly} (${bytes}): ${what}\n`);
  }
  const forms = [...outcome.forms.values()].filter(({ executed }) => executed > 0);
  const least = Math.min(...forms.map(({ executed }) => executed));
  process.stdout.write(
    `${countText(outcome.cases)} instructions of ${countText(forms.length)} forms (each at least ${countText(least)} times) ` +
      `on the CPU and emulated: ${countText(outcome.mismatchCount)} mismatches\n`,
  );
  if (outcome.mismatchCount > 0) process.exitCode = ExitCode.failed;
});

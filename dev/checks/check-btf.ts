// `npm run check:btf`: reads the types of whole kernels and of their modules, and compares them with bpftool's reading; has gcc compare
// the declarations with bpftool's.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countText } from "../../src/base/units.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import {
  btfTools,
  compareKernel,
  compareModule,
  compileDeclarations,
  type KernelTypes,
  kernelTypes,
  typesNotFound,
} from "../btf-proof/compare-kernel.js";
import { kernelFiles } from "../core-proof/executable-code.js";
import { runCheck, workFolder } from "./run-check.js";

const usage = `usage: npm run check:btf -- [--kernels LIST] [--every N]
  --kernels LIST  kernels whose types are compared, separated by commas: debian:6.1, host, a folder with
                  boot/vmlinuz-* and lib/modules (default debian:6.1,debian:6.12,debian:newest)
  --every N       compares the types of every Nth module (default: 20)`;

const differencesShown = 20;

const print = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);

/** Compares every Nth module. Returns the differences. */
async function checkModules(kernel: KernelTypes, files: readonly string[], every: number, folder: string) {
  const differences: string[] = [];
  const total = { modules: 0, types: 0, lines: 0, without: 0 };
  for (const file of files.filter((_, index) => index % every === 0)) {
    const found = await compareModule(kernel, file, folder);
    if (found === undefined) total.without += 1;
    else {
      total.modules += 1;
      total.types += found.types;
      total.lines += found.lines;
      differences.push(...found.differences.map((line) => `${file}: ${line}`));
    }
  }
  print(
    `  ${countText(total.modules)} modules, ${countText(total.types)} types on ${countText(total.lines)} lines: ` +
      `${differences.length} differences; ${total.without} modules without types`,
  );
  return differences;
}

/** Checks one kernel. Returns the mistakes. */
async function checkKernel(name: string, every: number): Promise<string[]> {
  const { imagePath, modulesDirectory, release } = await prepareKernel(name, say);
  const folder = workFolder("check-btf");
  const kernel = kernelTypes(imagePath, folder);
  print(`kernel ${release}: opened in ${Math.round(kernel.opening_ms)} ms`);
  const { types, lines, differences } = await compareKernel(kernel);
  print(`  ${countText(types)} types on ${countText(lines)} lines: ${differences.length} differences`);
  const lost = typesNotFound(kernel.btf);
  print(`  ${lost.length} types not found by their names`);
  const { counts, complaints } = await compileDeclarations(kernel, folder);
  print(
    `  declarations of ${countText(counts.members)} members and ${countText(counts.functions)} functions, ${countText(counts.sizes)} sizes: ` +
      `${complaints.length} complaints of gcc; ${countText(counts.leftOut)} left out`,
  );
  const [, ...modules] = kernelFiles(imagePath, join(modulesDirectory, release));
  const inModules = await checkModules(kernel, modules, every, folder);
  return [...differences, ...lost, ...complaints, ...inModules];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernels: { type: "string", default: "debian:6.1,debian:6.12,debian:newest" },
      every: { type: "string", default: "20" },
    },
  });
  await installTools(btfTools, say);
  for (const kernel of values.kernels.split(",")) {
    const mistakes = await checkKernel(kernel, wholeNumber("--every", values.every, 1));
    for (const line of mistakes.slice(0, differencesShown)) print(`  ${line}`);
    if (mistakes.length > 0) process.exitCode = ExitCode.failed;
  }
  print(`memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
}

await runCheck("check:btf", usage, main);

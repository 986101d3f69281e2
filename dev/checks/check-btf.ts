// `npm run check:btf`: reads the types of whole kernels and of their modules, and compares them with bpftool's reading; has gcc compare
// the declarations with bpftool's; and has libbpf match modules' types with those of other builds, as we do.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countText } from "../../src/base/units.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../src/lab/kernel-package.js";
import {
  btfTools,
  compareKernel,
  compareModule,
  compileDeclarations,
  type KernelTypes,
  kernelTypes,
  typesNotFound,
} from "../btf-proof/compare-kernel.js";
import { compareRelocation } from "../btf-proof/compare-relocation.js";
import { kernelFiles } from "../core-proof/executable-code.js";
import { runCheck, workFolder } from "./run-check.js";

const usage = `usage: npm run check:btf -- [--kernels LIST] [--every N]
  --kernels LIST  kernels whose types are compared, separated by commas: debian:6.1, host, a folder with
                  boot/vmlinuz-* and lib/modules (default debian:6.1,debian:6.12,debian:newest)
  --every N       compares the types of every Nth module (default: 20)`;

const differencesShown = 20;

const print = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);

/** Compares the modules. Returns the differences. */
async function checkModules(kernel: KernelTypes, files: readonly string[], folder: string) {
  const differences: string[] = [];
  const total = { modules: 0, types: 0, lines: 0, without: 0 };
  for (const file of files) {
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

interface CheckedKernel {
  kernel: LabKernel;
  types: KernelTypes;
  /** Every Nth module. */
  modules: string[];
}

/** Checks one kernel by itself. Returns it with the mistakes. */
async function checkKernel(
  name: string,
  every: number,
  folder: string,
): Promise<CheckedKernel & { mistakes: string[] }> {
  const kernel = await prepareKernel(name, say);
  const types = kernelTypes(kernel.imagePath, folder);
  print(`kernel ${kernel.release}: opened in ${Math.round(types.opening_ms)} ms`);
  const whole = await compareKernel(types);
  print(
    `  ${countText(whole.types)} types on ${countText(whole.lines)} lines: ${whole.differences.length} differences`,
  );
  const lost = typesNotFound(types.btf);
  print(`  ${lost.length} types not found by their names`);
  const { counts, complaints } = await compileDeclarations(types, folder);
  print(
    `  declarations of ${countText(counts.members)} members and ${countText(counts.functions)} functions, ${countText(counts.sizes)} sizes: ` +
      `${complaints.length} complaints of gcc; ${countText(counts.leftOut)} left out`,
  );
  const files = kernelFiles(kernel.imagePath, join(kernel.modulesDirectory, kernel.release)).slice(1);
  const modules = files.filter((_, index) => index % every === 0);
  const inModules = await checkModules(types, modules, folder);
  return { kernel, types, modules, mistakes: [...whole.differences, ...lost, ...complaints, ...inModules] };
}

/** Matches the modules of each kernel with its own types and with those of the last kernel. Returns the differences from libbpf. */
async function checkRelocation(checked: readonly CheckedKernel[], folder: string): Promise<string[]> {
  const root = await checked.find(({ kernel }) => kernel.buildRoot !== undefined)?.kernel.buildRoot?.();
  if (root === undefined) {
    print("none of these kernels has a root with libbpf: modules with .BTF.base aren't compared");
    return [];
  }
  const mistakes: string[] = [];
  for (const one of checked) {
    for (const other of new Set([one, checked.at(-1)!])) {
      const found = await compareRelocation(root, one.types, other.types, one.modules, folder);
      print(
        `modules with .BTF.base of ${one.kernel.release} on ${other.kernel.release}: ${found.fitting} fit with ` +
          `${countText(found.types)} types, ${found.refused} don't; ${found.differences.length} differences from libbpf`,
      );
      mistakes.push(...found.differences);
    }
  }
  return mistakes;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernels: { type: "string", default: "debian:6.1,debian:6.12,debian:newest" },
      every: { type: "string", default: "20" },
    },
  });
  await installTools(btfTools, say);
  const every = wholeNumber("--every", values.every, 1);
  const folder = workFolder("check-btf");
  const checked: (CheckedKernel & { mistakes: string[] })[] = [];
  for (const name of values.kernels.split(",")) checked.push(await checkKernel(name, every, folder));
  const mistakes = [...checked.flatMap((one) => one.mistakes), ...(await checkRelocation(checked, folder))];
  for (const line of mistakes.slice(0, differencesShown)) print(`  ${line}`);
  if (mistakes.length > 0) process.exitCode = ExitCode.failed;
  print(`memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
}

await runCheck("check:btf", usage, main);

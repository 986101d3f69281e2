// `npm run check:debug-kernel`: builds a kernel that checks itself (KASAN, lockdep and the like) from Debian's source, then records
// on it in the lab. The tests are in test/debug/; the kernel must not complain.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectDirectory } from "../../src/base/paths.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { kernelBuildTools, labTools } from "../../src/lab/needs.js";
import { prepareSourceKernel } from "../../src/lab/source-kernel.js";
import { debugKernel } from "../../src/lab/source-kernel-options.js";
import { runCheck } from "./run-check.js";

const usage = `usage: npm run check:debug-kernel -- [--kernel FOLDER] [--test TEXT] [--build]
  --kernel FOLDER  a kernel that is built already, with boot/vmlinuz-*, lib/modules/* and the files to build modules with
  --test TEXT      only the tests whose names have it
  --build          only build the kernel and print its folder, which \`mmiostrider lab --kernel\` takes`;

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { kernel: { type: "string" }, test: { type: "string" }, build: { type: "boolean", default: false } },
  });
  await installTools([...labTools, ...(values.kernel === undefined ? kernelBuildTools : [])], say);
  const folder = values.kernel ?? (await prepareSourceKernel(debugKernel, say));
  if (values.build) {
    process.stdout.write(`${folder}\n`);
    return;
  }
  const { release } = await prepareKernel(folder, say);
  const vitest = join(projectDirectory, "node_modules/vitest/vitest.mjs");
  const only = values.test === undefined ? [] : ["-t", values.test];
  const { status } = spawnSync(process.execPath, [vitest, "run", "--project", "debug", ...only], {
    cwd: projectDirectory,
    stdio: "inherit",
    env: { ...process.env, MMIOSTRIDER_DEBUG_KERNEL: folder },
  });
  process.exitCode = status === 0 ? ExitCode.done : ExitCode.failed;
  const verdict = status === 0 ? "recorded identically, and the kernel didn't complain" : "failed, see above";
  process.stdout.write(`${release} (${folder}): ${verdict}\n`);
}

await runCheck("check-debug-kernel", usage, main);

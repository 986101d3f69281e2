// Builds the module in test/kernel/, which accesses device memory in every way, and runs it in a machine that has its devices,
// recorded or not.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { projectDirectory } from "../../../src/base/paths.js";
import { buildCore, exportedVersion } from "../../../src/capture/emulate/core-build.js";
import { makeModule } from "../../../src/lab/make-module.js";
import { accessCheck } from "../../../src/rewrite/access-check.js";
import { coreEntry } from "../../../src/rewrite/instrument-order.js";
import { rewriteModule } from "../../../src/rewrite/rewrite-module.js";
import { inLab, type LabOptions, type LabOutcome, labKernel, temporaryDirectory } from "./in-lab.js";

/** ivshmem's memory is compared with the module's expectations, edu's registers with QEMU's log, too. */
export const accessDevices = "-object memory-backend-ram,size=8M,id=bar -device ivshmem-plain,memdev=bar -device edu";

export interface AccessRecording {
  trace: string;
  /** The accesses that a tracer must have seen, according to the module, one a line. */
  expected: string[];
}

export interface AccessRun extends LabOutcome, AccessRecording {
  /** The machine's /share. */
  share: string;
}

const afterwardsBegin = "-- afterwards --";

export interface AccessOptions extends Pick<LabOptions, "kernel" | "cpus" | "truth" | "timeout_s"> {
  /** Options of `mmiostrider record`: of all recordings, or of each. */
  recordOptions?: string | readonly string[];
  /** Groups of one more recording, at the end: of the module with its accesses and calls rewritten. */
  rewritten?: readonly string[];
  /** Shell commands to run in the machine behind the recordings; the module isn't loaded then. */
  afterwards?: string;
}

/** Builds a module of test/ into a new folder, without any warning. */
export async function buildTestModule(name: "kernel" | "livepatch", kernelName: string | undefined): Promise<string> {
  const folder = temporaryDirectory();
  const kernel = await labKernel(kernelName);
  cpSync(join(projectDirectory, "test", name), folder, { recursive: true });
  const built = await makeModule(kernel, folder);
  const log = built.stdout + built.stderr;
  expect(built.code, log).toBe(0);
  expect(log.split("\n").filter((line) => /warning|error/i.test(line))).toEqual([]);
  return folder;
}

/** Puts the test module with checks in front of its accesses beside it: rewritten.ko. */
async function rewriteTestModule(share: string, kernelName: string | undefined): Promise<void> {
  const { path } = await buildCore(await labKernel(kernelName));
  const instrumentation = accessCheck({ crc: exportedVersion(path, coreEntry) });
  const original = readFileSync(join(share, "mms_access_test.ko"));
  writeFileSync(join(share, "rewritten.ko"), rewriteModule("mms_access_test.ko", original, instrumentation).bytes);
}

/** Records everything while the module is loaded, runs these groups, and unloads it: see recordInTurn. */
export async function recordGroups(groups: readonly string[], options: AccessOptions = {}): Promise<AccessRun> {
  const { recordings, ...outcome } = await recordInTurn([groups], options);
  return { ...outcome, ...recordings[0]! };
}

/**
 * Makes a recording for each of these lists of groups, one after the other in one machine. Fails if a group fails, or records
 * are lost; `record` may end with 3, because escapes are counted. `output` is that of the recordings, `afterwards` the rest.
 */
export async function recordInTurn(
  originalLists: readonly (readonly string[])[],
  options: AccessOptions = {},
): Promise<LabOutcome & { share: string; recordings: AccessRecording[]; afterwards: string }> {
  const share = await buildTestModule("kernel", options.kernel);
  const lists = options.rewritten === undefined ? originalLists : [...originalLists, options.rewritten];
  if (options.rewritten !== undefined) await rewriteTestModule(share, options.kernel);
  const workload = `
list=$1; shift
if [ $list -lt ${originalLists.length} ]; then file=mms_access_test.ko; else file=rewritten.ko; fi
insmod /share/$file || exit 1
status=0
cd /sys/kernel/debug/mms_access_test
for group; do echo $group > run || status=1; done
cat results
cat expected > /share/expected.$list
cd /
rmmod mms_access_test
grep '^rewritten ' /dev/mmiostrider
exit $status`;
  const { recordOptions = "--ring-size 64M" } = options;
  const optionsOf = (list: number) => (typeof recordOptions === "string" ? recordOptions : recordOptions[list]);
  const record = (groups: readonly string[], list: number) =>
    `mmiostrider record --all ${optionsOf(list)} -o /share/access.${list}.mmt \\
  -- sh /tmp/groups ${list} ${groups.join(" ")}; echo "record $?"`;
  const outcome = await inLab(
    `cat > /tmp/groups <<'END'\n${workload}\nEND
${lists.map(record).join("\n")}
echo; echo "${afterwardsBegin}"
${options.afterwards ?? ""}`,
    { ...options, share, qemu: accessDevices, timeout_s: options.timeout_s ?? 400 },
  );
  expect(outcome.exitCode, outcome.output).toBe(0);
  const [output, afterwards] = outcome.output.split(`\n${afterwardsBegin}\n`) as [string, string];
  for (const group of lists.flat()) expect(output).toMatch(new RegExp(`^ok ${group} \\d+$`, "m"));
  expect(output.match(/^record [03]$/gm)).toHaveLength(lists.length);
  expect(output.match(/ 0 lost, /g)).toHaveLength(lists.length);
  const recordings = lists.map((_, list) => ({
    trace: join(share, `access.${list}.mmt`),
    expected: readFileSync(join(share, `expected.${list}`), "latin1")
      .trimEnd()
      .split("\n"),
  }));
  return { ...outcome, output, afterwards, share, recordings };
}

/** Runs shell commands while everything is recorded and the module is loaded; `run` is in the current folder. */
export async function recordCommands(commands: string, options: AccessOptions = {}): Promise<LabOutcome> {
  const share = await buildTestModule("kernel", options.kernel);
  return await inLab(
    `cat > /tmp/commands <<'END'
insmod /share/mms_access_test.ko || exit 1
cd /sys/kernel/debug/mms_access_test
${commands}
END
mmiostrider record --all -o /tmp/access.mmt -- sh /tmp/commands; echo "record $?"`,
    { ...options, share, qemu: accessDevices, timeout_s: 240 },
  );
}

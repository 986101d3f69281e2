// Many checks in one boot: each case is a shell script in the machine; its output and leftovers are kept apart.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { projectDirectory } from "../../../src/base/paths.js";
import { onlyQuick } from "../tiers.js";
import { expectQuietKernel, inLab, type LabOptions, labCore, labKernel, patience, stableKernel } from "./in-lab.js";

/** Case name → its script for `sh`, which runs in its own empty folder. In order. */
export type GuestCases = Record<string, string>;

export interface CaseOutcome {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** The case's leftovers in its folder and in the kernel, a line each: files, a loaded core, its device, its probes. */
  left: string[];
}

/** Time limit of a case; then it is ended, with exit code 124. */
const case_s = 150 * patience;

/** Shell functions at every case's disposal. */
const tools = `
# loops that wait call busybox's tools: in an emulated machine they start twenty times as fast as the distribution's
pause() { /run/lab/busybox usleep 100000; }
# reports something missing: fails the test
complain() { echo "$*" | tee -a /share/cases/complaints >&2; return 1; }
# waits until a command succeeds, at most a minute
until_true() {
  for i in $(seq ${600 * patience}); do "$@" && return; pause; done
  complain "not so after a minute: $*"
}
# waits until the file $1 has the text $2
await() { until_true /run/lab/busybox grep -qs -e "$2" "$1"; }
# waits until the trace $1 has all that a driver did while it loaded: more than 10,000 bytes, and no more for two seconds
written() {
  before=0; same=0
  for i in $(seq ${600 * patience}); do
    size=$(/run/lab/busybox stat -c %s "$1"); if [ "$size" = $before ]; then same=$((same+1)); else same=0; fi
    [ $size -gt 10000 ] && [ $same -ge 20 ] && return
    before=$size; pause
  done
  complain "$before bytes in $1 after a minute"
}
# ends the process $1 with the signal $2 and returns its exit code
finish() { kill "-$2" "$1"; wait "$1"; }
# lets anybody reach the file $1
open_up() {
  path=$1
  while [ "$path" != / ]; do chmod o+rx "$path"; path=$(dirname "$path"); done
}
network_up() {
  ip link set eth0 up
  ip addr add 10.0.2.15/24 dev eth0 2> /dev/null
  until_true grep -qsx 1 /sys/class/net/eth0/carrier
}
pings() { ping -q -c $1 -i 0.1 -w 60 10.0.2.2 > /dev/null || complain "no answer to a ping"; }
core() { echo "$CORE"; }
core_loaded() { lsmod | grep -o '^mmiostrider ' || echo no core; }
as_nobody() { /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# writes a letter that QEMU's log shows between two accesses, three times, because a single one may be part of a fence
truth_mark() { for i in 1 2 3; do printf '%s' "$1" | dd of=/dev/port bs=1 seek=128 2>/dev/null; done; }
`;

/** Prints the leftovers that a failed case must not have. A core that stays for living decoys is listed, too. */
const whatIsLeft = `
find . -type f | sort
lsmod | grep -o '^mmiostrider '
[ -e /dev/mmiostrider ] && echo /dev/mmiostrider
grep -o '\\(ioremap[a-z_]*\\|iounmap\\|memunmap\\|fixup_exception\\|remap_pfn_range\\|vmf_insert_pfn\\)+0x0 ' /sys/kernel/debug/kprobes/list
grep -o '^fixup_exception ' /sys/kernel/tracing/enabled_functions
find /tmp/no-cache -name '.build-*'
`;

/** Runs all cases in one machine, whose /share is \`share\`. The kernel must not complain. */
export async function runCases(
  cases: GuestCases,
  options: LabOptions & { share: string },
): Promise<Map<string, CaseOutcome>> {
  const folder = join(options.share, "cases");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tools"), tools);
  writeFileSync(join(folder, "left"), whatIsLeft);
  writeFileSync(join(folder, "complaints"), "");
  for (const [name, script] of Object.entries(cases)) {
    writeFileSync(join(folder, `${name}.sh`), `. /share/cases/tools\n${script}\n`);
  }
  const { exitCode, output, consoleLog } = await inLab(
    `PROJECT='${projectDirectory}' NODE='${process.execPath}' CORE='${await labCore(options.kernel)}'
export PROJECT NODE CORE
for name in ${Object.keys(cases).join(" ")}; do
  mkdir -p "/tmp/cases/$name" && cd "/tmp/cases/$name" || exit 1
  began=$(cut -d' ' -f1 /proc/uptime)
  timeout -k 5 ${case_s} sh "/share/cases/$name.sh" > "/share/cases/$name.out" 2> "/share/cases/$name.err" < /dev/null
  echo $? > "/share/cases/$name.code"
  sh /share/cases/left > "/share/cases/$name.left" 2> /dev/null
  echo "$name: from $began to $(cut -d' ' -f1 /proc/uptime) s"
done`,
    { ...options, onOutput: (chunk) => process.stderr.write(chunk) },
  );
  expect(exitCode, output).toBe(0);
  expectQuietKernel(consoleLog);
  expect(readFileSync(join(folder, "complaints"), "utf8")).toBe("");
  const read = (name: string, what: string) => readFileSync(join(folder, `${name}.${what}`), "utf8");
  return new Map(
    Object.keys(cases).map((name) => [
      name,
      {
        exitCode: Number(read(name, "code")),
        stdout: read(name, "out"),
        stderr: read(name, "err"),
        left: read(name, "left").split("\n").slice(0, -1),
      },
    ]),
  );
}

/** Runs the cases that this run has in one machine, for all tests of a \`describe\`. */
export interface CaseMachine extends Omit<LabOptions, "kernel"> {
  kernel: string;
  share: string;
  /** The cases of the quick tier, which every kernel has. `npm run test:all` has the others on the oldest kernel, too. */
  quick: readonly string[];
}

/** Defines the test of a case's outcome, where this run has the case. */
export type DefineCaseTest = (
  name: string,
  title: string,
  check: (outcome: CaseOutcome) => void | Promise<void>,
) => void;

/** Has the machine run its cases before the tests of the `describe` that calls this, and returns what defines those tests. */
export function caseTests(cases: GuestCases, { quick, ...options }: CaseMachine): DefineCaseTest {
  const whole = !onlyQuick && options.kernel === stableKernel;
  const chosen = Object.fromEntries(Object.entries(cases).filter(([name]) => whole || quick.includes(name)));
  for (const name of quick) if (chosen[name] === undefined) throw new Error(`there is no case ${name}`);
  let outcomes = new Map<string, CaseOutcome>();
  beforeAll(async () => {
    await labKernel(options.kernel);
    outcomes = await runCases(chosen, options);
  });
  return (name, title, check) => {
    if (cases[name] === undefined) throw new Error(`there is no case ${name}`);
    if (chosen[name] !== undefined) test(title, () => check(outcomes.get(name)!));
  };
}

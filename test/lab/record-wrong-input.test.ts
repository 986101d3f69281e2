// tier: quick
// The answers of `record` and `mark` to wrong input and to a machine that lacks something: one clear line, the documented
// exit code, and no leftovers. Wrong options are tried here, the rest in the lab, all in one machine.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CaseOutcome, runCases } from "../../dev/test-support/lab/guest-cases.js";
import { labKernel, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import { programFile } from "../../dev/test-support/program.js";
import { onlyQuick } from "../../dev/test-support/tiers.js";

describe("wrong words", () => {
  test.each([
    [["--ring-size", "12"], "--ring-size 12: not a size from 64K to 1G"],
    [["--ring-size", "2G"], "--ring-size 2G: not a size from 64K to 1G"],
    [["--ring-size", "lots"], "--ring-size lots: not a size from 64K to 1G"],
    [["--ring-size", "-1"], "--ring-size -1: not a size from 64K to 1G"],
    [["--duration", "soon"], "--duration soon: not a number of seconds"],
    [["--duration", "0"], "--duration 0: not a number of seconds"],
    [["--range", "0xfebc0000"], '"0xfebc0000" isn\'t a range of addresses'],
    [["--range", "fec-ghi"], '"fec-ghi" isn\'t a range of addresses'],
    [["--range", "2000-1000"], "the range 2000-1000 ends before it begins"],
    [
      ["--range", "0-10000000000000"],
      "the range 0-10000000000000 goes beyond what x86-64 has of physical addresses (52 bits)",
    ],
    [["--device", "eth0"], '"eth0" isn\'t the address of a PCI device'],
    [["--driver", "../e1000"], "\"../e1000\" isn't a driver's name"],
    [["--all", "--range", "1000-1fff"], "--all records every device: it can't be combined with a filter"],
    [
      ["--rebind", "--range", "1000-1fff"],
      "--rebind needs --device or --driver: there is nothing else that could be unbound",
    ],
    [[], "nothing to record: no --device, --driver, --range or --all"],
  ] as [string[], string][])("record %j", (parameters, line) => {
    const trace = join(share, "never.mmt");
    const end = spawnSync(process.execPath, [programFile, "record", ...parameters, "-o", trace, "--", "true"], {
      encoding: "utf8",
      timeout: 60_000,
    });
    const [first, advice, ...more] = end.stderr.trimEnd().split("\n");
    expect(first).toBe(`mmiostrider: ${line}`);
    expect(advice ?? "  ").toMatch(/^ {2}/);
    expect([end.status, end.stdout, more]).toEqual([2, "", []]);
    expect(existsSync(trace)).toBe(false);
  });

  test.each([
    [["--driver", "e1000"], "mmiostrider: no trace to write to: -o FILE is missing"],
    [
      ["--driver", "e1000", "modprobe", "e1000", "-o", "x.mmt"],
      "mmiostrider: no trace to write to: -o FILE is missing",
    ],
    [["--driver", "e1000", "--fast", "-o", "x.mmt"], "error: unknown option '--fast'"],
    [["--driver", "e1000", "-o", "x.mmt", "--fast", "--", "true"], "error: unknown option '--fast'"],
  ] as [string[], string][])("record %j", (parameters, line) => {
    const end = spawnSync(process.execPath, [programFile, "record", ...parameters], { encoding: "utf8", cwd: share });
    expect(end.stderr.split("\n")[0]).toBe(line);
    expect([end.status, end.stdout]).toEqual([2, ""]);
  });
});

/** Name → script, exit code, the one line; a second line is advice. In one machine, in order. */
const wrong: Record<string, [string, number, string | RegExp]> = {
  "no-device": ["mmiostrider record --device 00:1e.7 -o x.mmt -- true", 1, "there is no PCI device 0000:00:1e.7"],
  "no-memory": [
    "mmiostrider record --device 00:1f.0 -o x.mmt -- true",
    1,
    "the PCI device 0000:00:1f.0 has no memory BAR: it has no MMIO that could be recorded",
  ],
  "no-driver": [
    "mmiostrider record --driver no_such_driver -o x.mmt -- true",
    1,
    'there is no PCI driver or module "no_such_driver" on this machine',
  ],
  "no-device-of-driver": [
    "mmiostrider record --driver ixgbe -o x.mmt -- modprobe ixgbe",
    1,
    "no PCI device here is bound to ixgbe, or free and of a kind that it drives",
  ],
  "no-folder": [
    "mmiostrider record --driver e1000 -o missing/x.mmt -- modprobe e1000",
    1,
    /^writing the trace missing\/x\.mmt isn't possible: ENOENT/,
  ],
  "no-file-but-a-folder": [
    "mmiostrider record --driver e1000 -o . -- modprobe e1000",
    1,
    "writing the trace . isn't possible: it is a folder",
  ],
  "no-program": [
    "mmiostrider record --driver e1000 -o x.mmt -- no_such_program",
    1,
    'there is no program "no_such_program" to run',
  ],
  "not-root": [
    'open_up "$PROJECT"; open_up "$NODE"; as_nobody "$NODE" "$PROJECT/bin/mmiostrider.js" record --driver e1000 -o x.mmt -- true',
    1,
    "recording needs root: it loads a kernel module and reads /dev/mmiostrider",
  ],
  "no-elf": [
    "echo a text > /tmp/kept/core.ko; mmiostrider record --driver e1000 --core /tmp/kept/core.ko -o x.mmt -- modprobe e1000",
    1,
    "/tmp/kept/core.ko: at byte 0: not a kernel module: not an ELF file",
  ],
  "cut-elf": [
    `head -c 2000 "$(core)" > /tmp/kept/core.ko; mmiostrider record --driver e1000 --core /tmp/kept/core.ko -o x.mmt -- modprobe e1000`,
    1,
    "/tmp/kept/core.ko: at byte 40: not a kernel module: its section headers lie outside the file",
  ],
  "another-module": [
    "mmiostrider record --driver e1000 --core $(modinfo -n e1000) -o x.mmt -- modprobe e1000",
    1,
    /^\/\S*\/e1000\.ko isn't mmiostrider's core: it is the module "e1000"$/,
  ],
  "another-kernel": [
    `sed 's/vermagic=./vermagic=9/' "$(core)" > /tmp/kept/core.ko
mmiostrider record --driver e1000 --core /tmp/kept/core.ko -o x.mmt -- modprobe e1000`,
    1,
    /^\/tmp\/kept\/core\.ko was built for kernel 9\S+, but this is 6\.1\S+$/,
  ],
  "a-core-where-all-may-write": [
    'cp "$(core)" /tmp/core.ko; mmiostrider record --driver e1000 --core /tmp/core.ko -o x.mmt -- modprobe e1000',
    1,
    "loading the core /tmp/core.ko is refused: the folder /tmp can be written to by everybody (mode 1777)",
  ],
  "a-core-of-a-stranger": [
    `cp "$(core)" /tmp/kept/core.ko; chown nobody /tmp/kept/core.ko
mmiostrider record --driver e1000 --core /tmp/kept/core.ko -o x.mmt -- modprobe e1000
code=$?; rm /tmp/kept/core.ko; exit $code`,
    1,
    "loading the core /tmp/kept/core.ko is refused: the file /tmp/kept/core.ko belongs to user 65534, who could change it",
  ],
  "a-core-in-a-strangers-folder": [
    `chown nobody /tmp/kept; cp "$(core)" /tmp/kept/core.ko
mmiostrider record --driver e1000 --core /tmp/kept/core.ko -o x.mmt -- modprobe e1000
code=$?; chown root /tmp/kept; exit $code`,
    1,
    "loading the core /tmp/kept/core.ko is refused: the folder /tmp/kept belongs to user 65534, who could change it",
  ],
  "a-cached-core-that-others-may-change": [
    `chmod o+w "$(core)"; mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000
code=$?; chmod o-w "$(core)"; exit $code`,
    1,
    /^loading the core (\S*\/mmiostrider\.ko) is refused: the file \1 can be written to by everybody \(mode 0\d+\)$/,
  ],
  "a-cache-that-others-may-change": [
    `mkdir -m 777 /tmp/open-cache; MMIOSTRIDER_CACHE=/tmp/open-cache mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000`,
    1,
    "using the cache /tmp/open-cache is refused: the folder /tmp/open-cache can be written to by everybody (mode 0777)",
  ],
  "sources-that-others-may-change": [
    `chmod g+w "$PROJECT/core/decode.c"; MMIOSTRIDER_CACHE=/tmp/no-cache mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000
code=$?; chmod g-w "$PROJECT/core/decode.c"; exit $code`,
    1,
    /^building the core from (\S*\/core\/decode\.c) is refused: the file \1 can be written to by its group, 0 \(mode 0664\)$/,
  ],
  "headers-that-others-may-change": [
    `scripts=$(readlink -f /lib/modules/$(uname -r)/build/scripts/basic); chmod o+w $scripts
MMIOSTRIDER_CACHE=/tmp/no-cache mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000
code=$?; chmod o-w $scripts; exit $code`,
    1,
    /^building the core with the kernel's headers in \/lib\/modules\/6\.1\S+\/build is refused: the folder \S+\/scripts\/basic can be written to by everybody \(mode 0757\)$/,
  ],
  "a-signer-that-others-may-change": [
    `signer=$(readlink -f /lib/modules/$(uname -r)/build/scripts/sign-file); chown nobody $signer; echo > /tmp/key
mmiostrider record --driver e1000 --sign-key /tmp/key --sign-cert /tmp/key -o x.mmt -- modprobe e1000
code=$?; chown root $signer; exit $code`,
    1,
    /^signing the core with \/lib\/modules\/6\.1\S+\/build\/scripts\/sign-file is refused: the file \S+\/sign-file belongs to user 65534, who could change it$/,
  ],
  "a-tool-that-others-may-change": [
    `mkdir -m 757 /tmp/open; cp "$(readlink -f $(which rmmod))" /tmp/open/insmod
PATH=/tmp/open:$PATH mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000`,
    1,
    "running /tmp/open/insmod as root is refused: the folder /tmp/open can be written to by everybody (mode 0757)",
  ],
  "refused-by-the-kernel": [
    `sed '/vermagic=/s/ SMP / SMQ /' "$(core)" > /tmp/kept/core.ko
mmiostrider record --driver e1000 --core /tmp/kept/core.ko -o x.mmt -- modprobe e1000`,
    1,
    /^loading the core \(\/tmp\/kept\/core\.ko\) failed: .*Invalid module format$/,
  ],
  "second-recorder": [
    `mmiostrider record --range fe000000-fe000fff -o /tmp/first.mmt 2> /tmp/first.err & first=$!
await /tmp/first.err "Ctrl-C stops"
mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000
code=$?
finish $first INT || echo "the first one ended with $?" >&2
exit $code`,
    1,
    "another recording is running: the core takes one recorder at a time",
  ],
  "full-from-the-start": [
    `mkdir /tmp/full; mount -t tmpfs -o size=4k none /tmp/full; echo > /tmp/full/page
mmiostrider record --driver e1000 -o /tmp/full/x.mmt -- modprobe e1000
code=$?; cd /tmp/full; find . -name "x*"; lsmod | grep -o '^e1000 '; exit $code`,
    1,
    /^(?:making|writing to) \/tmp\/full\/x\.mmt failed: the disk is full$/,
  ],
  "no-place-for-the-device": [
    `echo hello > /dev/mmiostrider
mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000
code=$?; cat /dev/mmiostrider; lsmod | grep -o '^mmiostrider '; rm /dev/mmiostrider; exit $code`,
    1,
    "an ordinary file lies at /dev/mmiostrider, where the core's device belongs",
  ],
  "mark-into-a-file": [
    "echo hello > /dev/mmiostrider; mmiostrider mark hello; code=$?; rm /dev/mmiostrider; exit $code",
    1,
    "an ordinary file lies at /dev/mmiostrider, where the core's device belongs",
  ],
  "no-mark": ["mmiostrider mark hello", 1, "no recording is running, so there is nothing to put a marker into"],
  "no-headers": [
    `build=$(readlink /lib/modules/$(uname -r)/build); rm /lib/modules/$(uname -r)/build
MMIOSTRIDER_CACHE=/tmp/no-cache mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000
code=$?; ln -s $build /lib/modules/$(uname -r)/build; exit $code`,
    1,
    /^building the core failed: no headers for kernel 6\.1\S+ \(\/lib\/modules\/6\.1\S+\/build isn't there\)$/,
  ],
  "no-compiler": [
    `rm -f $(for folder in $(echo $PATH | tr : ' '); do ls $folder/gcc $folder/gcc-[0-9]* 2> /dev/null; done)
MMIOSTRIDER_CACHE=/tmp/no-cache mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000`,
    1,
    /^building the core failed: gcc-12 isn't installed, the compiler that the kernel was built with \(gcc-12 .*\)$/,
  ],
  "no-more-modules": [
    "echo 1 > /proc/sys/kernel/modules_disabled; mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000",
    1,
    /^loading the core \(.*\) failed: .*Operation not permitted$/,
  ],
  "no-more-modules-for-the-doctor": [
    "mmiostrider doctor > said || { code=$?; grep -h ' modules ' said | head -n 1 >&2; rm said; exit $code; }",
    1,
    "missing  modules         loading is switched off until the next boot: reboot, without kernel.modules_disabled",
  ],
};

/** The cases of the quick tier. */
const quick = [
  "no-device",
  "no-driver",
  "not-root",
  "another-kernel",
  "a-core-where-all-may-write",
  "a-cache-that-others-may-change",
  "refused-by-the-kernel",
  "full-from-the-start",
  "no-mark",
  "no-headers",
  "no-compiler",
  "no-more-modules",
];
const chosen = Object.entries(wrong).filter(([name]) => !onlyQuick || quick.includes(name));

const advice: Partial<Record<keyof typeof wrong, RegExp>> = {
  "a-core-where-all-may-write": /move it into a folder that only its owner can write to$/,
  "a-core-of-a-stranger": /: chown 0 \/tmp\/kept\/core\.ko$/,
  "sources-that-others-may-change": /: chmod go-w \S+\/core\/decode\.c$/,
  "no-more-modules": /until the next boot .* --engine singlestep needs no module$/,
  "not-root": /sudo/,
  "no-headers": /on Debian: apt-get install linux-headers-6\.1\S+;/,
  "no-compiler": /on Debian: apt-get install gcc-12$/,
  "second-recorder": /wait until it is done, or stop it with Ctrl-C/,
  "no-place-for-the-device": /rm \/dev\/mmiostrider$/,
  "no-mark": /mmiostrider record/,
};

const share = sharedDirectory();

describe("in a machine that lacks something", () => {
  let outcomes: Map<string, CaseOutcome>;

  beforeAll(async () => {
    await labKernel();
    // a folder of root's own: no module is loaded from /tmp itself
    const cases = chosen.map(([name, [script]]) => [name, `mkdir -p /tmp/kept\n${script}`]);
    const qemu = "-netdev user,id=n0 -device e1000,netdev=n0";
    outcomes = await runCases(Object.fromEntries(cases), { share, qemu, timeout_s: 550 });
  });

  test.each(chosen)("%s", (name, [, exitCode, line]) => {
    const outcome = outcomes.get(name)!;
    const [first, second, ...more] = outcome.stderr.trimEnd().split("\n");
    const told = first?.replace(/^mmiostrider: | {2}(?=missing )/, "");
    if (typeof line === "string") expect(told).toBe(line);
    else expect(told).toMatch(line);
    expect(second ?? "  ").toMatch(/^ {2}/);
    if (advice[name] !== undefined) expect(second).toMatch(advice[name]);
    // the case that puts a file into the device's place shows that it is unchanged
    const said = name === "no-place-for-the-device" ? "hello\n" : "";
    expect([outcome.exitCode, outcome.stdout, more, outcome.left]).toEqual([exitCode, said, [], []]);
  });
});

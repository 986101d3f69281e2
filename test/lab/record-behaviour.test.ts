// tier: quick
// `record` beyond a driver from load to unload: marks, Ctrl-C, kill -9, --rebind, a ring and a disk
// that are full, several at once, the ring through mmap(). All in one machine for each kernel; QEMU's log decides.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { type CaseOutcome, caseTests } from "../../dev/test-support/lab/guest-cases.js";
import { bothKernels, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import {
  accessesBefore,
  expectIdentical,
  isAccess,
  readTrace,
  truthSince,
  walkAlong,
} from "../../dev/test-support/lab/trace-and-truth.js";
import type { VerifyOptions } from "../../src/analysis/verify/verify-result.js";
import { formatRange } from "../../src/base/address-range.js";
import { projectDirectory } from "../../src/base/paths.js";
import type { DoctorReport, EngineReport } from "../../src/capture/doctor.js";
import { eventOfRecords } from "../../src/trace/events.js";
import { record_bytes } from "../../src/trace/record.js";

const region = "e1000-mmio";
const marksInLoop = 200;
const stops = [1, 2, 3];

/** The cases of the quick tier. */
const quick = ["marks", "ctrl-c", "killed", "rebind", "ring-overflow", "full-disk", "doctor", "user-mappings"];

const cases: Record<string, string> = {
  marks: `
cat > steps <<'END'
. /share/cases/tools
modprobe e1000
mmiostrider mark just loaded
truth_mark a
network_up
i=0
while [ $i -lt ${marksInLoop} ]; do
  echo "mark number $i, which is longer than what fits into one record" > /dev/mmiostrider
  # by the shell alone, for a process takes a tenth of a second here
  i=$((i+1)); wait=0; while [ $wait -lt 1000 ]; do wait=$((wait+1)); done
done &
pings 10
wait
ip link set eth0 down
truth_mark b
mmiostrider mark 'before unloading'
modprobe -r e1000
END
mmiostrider record --driver e1000 -o /share/marks.mmt -- sh -e steps`,

  "ctrl-c": `
mmiostrider record --driver e1000 -o /share/ctrl-c.mmt 2> /tmp/ctrl-c.err & recorder=$!
await /tmp/ctrl-c.err "Ctrl-C stops"
modprobe e1000; network_up; pings 5
finish $recorder INT; echo "ended with $?"
core_loaded
mmiostrider record --driver i6300esb -o /share/other.mmt -- ping -q -c 5 -i 0.1 10.0.2.2 > /dev/null 2> /tmp/other.err
echo "ended with $?"; grep -c ' silent$' /dev/mmiostrider
mmiostrider record --driver e1000 -o /share/again.mmt -- ping -q -c 5 -i 0.1 10.0.2.2 > /dev/null 2> /tmp/again.err
echo "ended with $?"
grep -hoE '[^ ]* events|[^ ]* mappings?' /tmp/other.err /tmp/again.err
cat /tmp/again.err >&2
modprobe -r e1000
rmmod mmiostrider && core_loaded
cat /tmp/ctrl-c.err >&2`,

  killed: `
mmiostrider record --driver e1000 -o /share/killed.mmt 2> /dev/null & recorder=$!
until_true grep -qs recording /dev/mmiostrider
modprobe e1000
truth_mark c
written /share/killed.mmt
network_up; pings 5 & sleep 1
kill -9 $recorder; wait $recorder; echo "ended with $?"
wait
pings 3
grep state /dev/mmiostrider
modprobe -r e1000
mmiostrider record --driver e1000 -o /share/after.mmt -- sh -ec 'modprobe e1000; modprobe -r e1000'
echo "ended with $?"
core_loaded`,

  rebind: `
modprobe e1000
mmiostrider record --driver e1000 -o /share/early.mmt -- sh -c '. /share/cases/tools; network_up; pings 2'
echo "ended with $?"
echo --- >&2
mmiostrider record --driver e1000 --rebind -o /share/rebound.mmt -- sh -c '. /share/cases/tools; network_up; pings 2'
echo "ended with $?"
basename $(readlink /sys/class/net/eth0/device/driver)
modprobe -r e1000
rmmod mmiostrider`,

  "ring-overflow": `
mmiostrider record --driver e1000 --clean-room --no-interrupts --no-dma --ring-size 64K -o /share/overflow.mmt 2> /tmp/overflow.err & recorder=$!
await /tmp/overflow.err "Ctrl-C stops"
kill -STOP $recorder
modprobe e1000
size=$(/run/lab/busybox stat -c %s /share/overflow.mmt)
kill -CONT $recorder
# there is room again when the recorder has brought something into the trace
until_true eval '[ $(/run/lab/busybox stat -c %s /share/overflow.mmt) -gt $size ]'
network_up; pings 3; ip link set eth0 down
kill -STOP $recorder
for i in 1 2 3 4 5 6; do ip link set eth0 up; ip link set eth0 down; done
kill -CONT $recorder
finish $recorder INT; echo "ended with $?"
truth_mark d
cat /tmp/overflow.err >&2
modprobe -r e1000
rmmod mmiostrider`,

  // there is room for the leftovers of one or two of them, for any size of a single write
  "full-disk": `
mkdir /tmp/small; mount -t tmpfs -o size=100k none /tmp/small
mmiostrider record --driver e1000 -o /tmp/small/x.mmt -- \\
  sh -ec 'for lap in $(seq 5); do modprobe e1000; modprobe -r e1000; done; echo done'
echo "ended with $?"
cp /tmp/small/x.mmt /share/full.mmt
umount /tmp/small`,

  "who-may-open": `
mmiostrider record --range fe000000-fe000fff -o /share/opened.mmt 2> /tmp/opened.err & recorder=$!
await /tmp/opened.err "Ctrl-C stops"
open_up "$PROJECT"; open_up "$NODE"
( : <> /dev/mmiostrider ) 2>&1 | grep -o 'busy'
for i in 1 2 3; do grep state /dev/mmiostrider; done
echo start > /dev/mmiostrider || echo "no start"
grep error /dev/mmiostrider
echo mark from the shell > /dev/mmiostrider && echo marked
as_nobody cat /dev/mmiostrider 2>&1 | grep -o 'Permission denied'
as_nobody "$NODE" "$PROJECT/bin/mmiostrider.js" mark hello
finish $recorder INT; echo "ended with $?"`,

  // the command goes on after the recording's end, and `record` waits for it
  duration: `
mmiostrider record --driver e1000 --duration 1 -o /share/duration.mmt -- sh -c '. /share/cases/tools
  ended() { ! grep -qs "state recording" /dev/mmiostrider; }
  until_true ended && modprobe e1000 && modprobe -r e1000 && echo afterwards; kill $$'
echo "ended with $?"`,

  "to-a-pipe": `
mmiostrider record --clean-room --driver e1000 -o - -- sh -ec 'echo hello; modprobe e1000; modprobe -r e1000' | cat > /share/piped.mmt`,

  "everything-relaxed": `
mmiostrider record --all --exclude-wc --relaxed -o /share/all.mmt -- \\
  sh -ec '. /share/cases/tools; modprobe e1000; network_up; pings 5; modprobe -r e1000'
echo "ended with $?"`,

  // while recording ends, drivers come and go, and another one is at work
  "stopped-meanwhile": `
for round in ${stops.join(" ")}; do
  mmiostrider record --all --exclude-wc -o /share/stopped-$round.mmt 2> /tmp/stopped.err & recorder=$!
  await /tmp/stopped.err "Ctrl-C stops"
  modprobe e1000; network_up
  while [ ! -e /tmp/enough ]; do modprobe i6300esb; modprobe -r i6300esb; done & coming=$!
  ping -q -i 0.002 10.0.2.2 > /dev/null & pinging=$!
  sleep 2
  finish $recorder INT; echo "ended with $?"
  touch /tmp/enough; wait $coming; kill $pinging; rm /tmp/enough
  modprobe -r e1000; rmmod mmiostrider
done`,

  "failing-command": `
mmiostrider record --range fe000000-fe000fff -o /share/failed.mmt -- sh -c 'exit 7'
echo "ended with $?"`,

  // the ring is full when the card's first start meets the sites, and has room at its second
  "late-names": `
mmiostrider record --driver e1000 --ring-size 512K -o /share/names.mmt 2> /tmp/names.err & recorder=$!
await /tmp/names.err "Ctrl-C stops"
kill -STOP $recorder
modprobe e1000
network_up; ip link set eth0 down
size=$(/run/lab/busybox stat -c %s /share/names.mmt)
kill -CONT $recorder
until_true eval '[ $(/run/lab/busybox stat -c %s /share/names.mmt) -gt $size ]'
network_up; ip link set eth0 down
finish $recorder INT; echo "ended with $?"
modprobe -r e1000
rmmod mmiostrider`,

  "unread-pipe": `
mkfifo pipe
for round in 1 2; do
  mmiostrider record --range fe000000-fe000fff -o pipe 2> said & recorder=$!
  await said "waiting until somebody reads pipe"
  if [ $round = 2 ]; then cat pipe > /share/unread.mmt & await said "Ctrl-C stops"; fi
  finish $recorder INT; echo "ended with $?"
  wait; cat said >&2
done
rm pipe said`,

  // Debian's tulip uses the ports of a card that has a memory BAR, too
  ports: `
mmiostrider record --driver tulip -o /share/ports.mmt -- sh -ec 'modprobe tulip; sleep 1; modprobe -r tulip'
echo "ended with $?"`,

  doctor: `
mmiostrider doctor --json; echo "ended with $?" >&2`,

  "hooks-off": `
echo 0 > /sys/kernel/debug/kprobes/enabled
mmiostrider record --driver e1000 -o /share/off.mmt -- sh -ec 'modprobe e1000; sleep 3; modprobe -r e1000'
echo "ended with $?"
echo 1 > /sys/kernel/debug/kprobes/enabled`,

  // by sysfs, by /dev/mem; before and while the driver is recorded
  "user-mappings": `
card=$(dirname $(grep -l 0x100e /sys/bus/pci/devices/*/device))
bar=$(sed -n '1s/^\\(0x[0-9a-f]*\\) .*/\\1/p' $card/resource)
echo "bar $bar"
echo 1 > $card/enable
/share/device-mapper hold $card/resource0 0x1000 0x2000 > /tmp/holder & holder=$!
/share/device-mapper hold /dev/mem $bar 0x1000 > /tmp/mem-holder & mem_holder=$!
until_true grep -qs resource0 /proc/$holder/maps
until_true grep -qs /dev/mem /proc/$mem_holder/maps
echo "holders $holder $mem_holder"
mmiostrider record --driver e1000 --json -o /share/user.mmt -- sh -c "/share/device-mapper $card/resource0 0 0x4000 3
/share/device-mapper /dev/mem $bar 0x1000" > /tmp/user.json
echo "ended with $?"
cat /tmp/user.json
kill $holder $mem_holder; wait
mmiostrider record --range fe000000-fe000fff -o /share/elsewhere.mmt -- /share/device-mapper $card/resource0 0 0x4000 > /dev/null
echo "ended with $?"
mmiostrider report /share/user.mmt | grep -c UNRECORDED
echo 0 > $card/enable`,

  mmap: `
set -e
card=$(dirname $(grep -l 0x100e /sys/bus/pci/devices/*/device))
bar=$(sed -n '1s/^0x\\([0-9a-f]*\\) 0x\\([0-9a-f]*\\) .*/\\1-\\2/p' $card/resource)
insmod "$(core)"
/share/ring-reader same "$bar" 'modprobe e1000 && modprobe -r e1000'
truth_mark '('
/share/ring-reader through "$bar" 'modprobe e1000' /share/records
truth_mark ')'
modprobe -r e1000
rmmod mmiostrider`,
};

interface RecordJson {
  unrecorded: number;
  incomplete: string[];
}

/** Returns `record`'s last lines, without numbers that differ from run to run. */
const said = (outcome: CaseOutcome) =>
  outcome.stderr
    .replace(/\d[\d,.]*/g, "N")
    .trimEnd()
    .split("\n");

describe.each(bothKernels)("record on %s", (kernel) => {
  const share = sharedDirectory();
  const truthFile = join(share, "truth.log");
  beforeAll(() => {
    for (const program of ["ring-reader", "device-mapper"]) {
      const source = join(projectDirectory, `test/lab/${program}.c`);
      execFileSync("gcc", ["-Wall", "-Wextra", "-Werror", "-O2", "-o", join(share, program), source]);
    }
  });
  const caseTest = caseTests(cases, {
    kernel,
    share,
    qemu: "-netdev user,id=n0 -device e1000,netdev=n0 -device i6300esb -netdev user,id=n1 -device tulip,netdev=n1",
    truth: truthFile,
    quick,
    timeout_s: 580,
  });

  const expectSame = (name: string, accessesMin: number, options: VerifyOptions = {}) =>
    expectIdentical(join(share, name), truthFile, accessesMin, options);

  caseTest(
    "marks",
    "marks are in the trace whole, in order, and between the accesses where they were set",
    async (outcome) => {
      expect(outcome).toMatchObject({ exitCode: 0, stdout: "", left: ["./steps"] });
      await expectSame("marks.mmt", 12_000);
      const { events, header } = await readTrace(join(share, "marks.mmt"));
      const marks = events.filter((event) => event.kind === "mark").map((event) => event.text);
      const inLoop = (number: number) => `number ${number}, which is longer than what fits into one record`;
      const wanted = ["just loaded", ...Array.from({ length: marksInLoop }, (_, n) => inLoop(n)), "before unloading"];
      expect(marks).toEqual(wanted);
      // nothing reaches the card while its interface is down, so the notes in the truth tell the marks' places
      const truth = truthSince(truthFile, header.fence, region);
      for (const [text, note] of [
        ["just loaded", "a"],
        ["before unloading", "b"],
      ] as const) {
        const at = events.findIndex((event) => event.kind === "mark" && event.text === text);
        expect(events.slice(0, at).filter(isAccess).length).toBe(accessesBefore(truth, note));
      }
      // the loop's marks have accesses around them
      const first = events.findIndex((event) => event.kind === "mark" && event.text === inLoop(0));
      const last = events.findIndex((event) => event.kind === "mark" && event.text === inLoop(marksInLoop - 1));
      expect(events.slice(first, last).some(isAccess)).toBe(true);
    },
  );

  caseTest(
    "ctrl-c",
    "Ctrl-C ends it in order; the driver goes on, and can be recorded again as it is",
    async (outcome) => {
      // the decoy that is left is silent while another device is recorded
      expect(
        outcome.stdout
          .replace(/^(?!0)\d+ events/m, "some events")
          .split("\n")
          .slice(0, -1),
      ).toEqual([
        ...["ended with 0", "mmiostrider "],
        ...["ended with 0", "1"],
        ...["ended with 0", "0 events", "0 mappings", "some events", "1 mapping"],
        "no core",
      ]);
      expect((await readTrace(join(share, "other.mmt"))).events).toEqual([]);
      const { events } = await readTrace(join(share, "again.mmt"));
      expect(
        events.slice(0, 2).map((event) => [event.kind, "text" in event && event.text.replace(/\+.*/, "")]),
      ).toEqual([
        ["symbol", "e1000_probe"],
        ["map", false],
      ]);
      expect(said(outcome)).toEqual([
        "the core stays loaded, emulating silently, until the drivers unmap what they mapped while it recorded",
        "N events in N s, N lost, N escaped, N mapping: /share/again.mmt (N bytes)",
        "recording; Ctrl-C stops",
        "the core stays loaded, emulating silently, until the drivers unmap what they mapped while it recorded",
        "N events in N s, N lost, N escaped, N mapping: /share/ctrl-c.mmt (N bytes)",
      ]);
      expect(outcome.left).toEqual([]);
      await expectSame("ctrl-c.mmt", 12_000);
      await expectSame("again.mmt", 10);
    },
  );

  caseTest("killed", "kill -9 of the recorder leaves a readable trace and a working machine", async (outcome) => {
    expect(outcome.stdout).toBe("ended with 137\nstate idle\nended with 0\nno core\n");
    expect(outcome.left).toEqual([]);
    const { header, events, damage, summary } = await readTrace(join(share, "killed.mmt"));
    expect([damage, summary]).toEqual(["the trace ends without its summary", null]);
    const truth = truthSince(truthFile, header.fence, region);
    // all that is there is right; and accesses made seconds before the end are there
    const walked = walkAlong(events, truth);
    expect(walked).toBeGreaterThanOrEqual(accessesBefore(truth, "c"));
    expect(walked).toBe(events.filter(isAccess).length);
    expect(walked).toBeGreaterThan(10_000);
    await expectSame("killed.mmt", 10_000, { cut: true });
    await expectSame("after.mmt", 10_000);
  });

  caseTest(
    "rebind",
    "a driver that is bound: its mapping is real, not a decoy, and --rebind helps",
    async (outcome) => {
      expect(outcome.stdout).toBe("ended with 3\nended with 0\ne1000\n");
      const [before, after] = outcome.stderr.split("---\n");
      const real = "was made before recording began: it is real, not a decoy";
      expect(before).toMatch(new RegExp(`^the mapping 0x\\S+ by e1000_probe\\S* \\[e1000\\] ${real}$`, "m"));
      expect(before).toContain("--rebind unbinds the driver first and binds it again while recording");
      expect(before).toMatch(
        new RegExp(`^incomplete: the mapping .* ${real}, and accesses through it are not in the`, "m"),
      );
      expect(before).toContain("\n0 events in ");
      expect(after).not.toContain("before recording began");
      await expectSame("rebound.mmt", 10_000);
      expect(outcome.left).toEqual([]);
    },
  );

  caseTest("ring-overflow", "a ring that overflows loses, and says exactly how much and where", async (outcome) => {
    expect(outcome.stdout).toBe("ended with 3\n");
    expect(outcome.stderr).toMatch(
      /^incomplete: [\d,]+ records were lost because the ring was full; a larger --ring-size/m,
    );
    const { header, events, summary } = await readTrace(join(share, "overflow.mmt"));
    const lost = events.flatMap((event) => (event.kind === "lost" ? [Number(event.count)] : []));
    const truth = truthSince(truthFile, header.fence, region);
    expect(walkAlong(events, truth)).toBe(accessesBefore(truth, "d"));
    expect(lost.reduce((sum, count) => sum + count, 0)).toBe(summary!.lost);
    expect(events.filter(isAccess).length + summary!.lost).toBe(accessesBefore(truth, "d"));
    // at least one LOST record in the middle, and one at the very end, which no later record announces
    expect(lost.length).toBeGreaterThanOrEqual(2);
    expect(events.at(-1)?.kind).toBe("lost");
    expect(summary!.lost).toBeGreaterThan(5_000);
    expect(outcome.left).toEqual([]);
  });

  caseTest(
    "full-disk",
    "a disk that gets full: one line, a readable trace, and the driver's work goes on",
    async (outcome) => {
      expect(outcome.stdout).toBe("done\nended with 1\n");
      expect(outcome.stderr).toContain(
        "mmiostrider: writing to /tmp/small/x.mmt failed: the disk is full; what was written before can be read\n",
      );
      expect(outcome.left).toEqual([]);
      const { header, events, damage } = await readTrace(join(share, "full.mmt"));
      expect(damage).toBe("the trace ends without its summary");
      expect(walkAlong(events, truthSince(truthFile, header.fence, region))).toBeGreaterThan(100);
    },
  );

  caseTest(
    "who-may-open",
    "one recorder, many who read the status or set marks, and nobody but root",
    async (outcome) => {
      expect(outcome.stdout.split("\n").slice(0, -1)).toEqual([
        "busy",
        ...["state recording", "state recording", "state recording"],
        "no start",
        "error only the recorder may say: start",
        "marked",
        "Permission denied",
        "ended with 0",
      ]);
      expect(outcome.stderr).toContain("mmiostrider: setting a marker failed: only root may\n");
      const { events } = await readTrace(join(share, "opened.mmt"));
      expect(events.flatMap((event) => (event.kind === "mark" ? [event.text] : []))).toEqual(["from the shell"]);
      expect(outcome.left).toEqual([]);
    },
  );

  caseTest("duration", "a time to record: the command outlives it, and its end is told", async (outcome) => {
    expect(outcome.stdout).toBe("afterwards\nended with 1\n");
    expect(said(outcome).at(-1)).toMatch(/^the command `sh -c \. .* kill \$\$` was ended by SIGTERM$/);
    const { events, damage } = await readTrace(join(share, "duration.mmt"));
    expect([damage, events.filter(isAccess)]).toEqual([undefined, []]);
    expect(outcome.left).toEqual([]);
  });

  caseTest("to-a-pipe", "a trace in a pipe, and nothing of the code in a clean room", async (outcome) => {
    // the command's output goes to another file
    expect([outcome.exitCode, outcome.stdout, outcome.left]).toEqual([0, "", []]);
    expect(said(outcome)).toEqual(["hello", "N events in N s, N lost, N escaped, N mapping: standard output"]);
    await expectSame("piped.mmt", 10_000);
    const { events } = await readTrace(join(share, "piped.mmt"));
    expect(new Set(events.map((event) => event.kind))).toEqual(new Set(["map", "read", "write", "unmap"]));
    expect(events.filter((event) => "site" in event && event.site !== 0n)).toEqual([]);
  });

  caseTest("everything-relaxed", "everything, without order between the CPUs", async (outcome) => {
    expect(outcome.stdout).toBe("ended with 0\n");
    expect(said(outcome)[0]).toBe("N mappings were made before recording began, without a decoy: not recorded");
    expect(outcome.left).toEqual([]);
    await expectSame("all.mmt", 10_000);
  });

  caseTest(
    "stopped-meanwhile",
    "Ctrl-C while drivers come and go: the trace ends earlier or later, with no gap before",
    async (outcome) => {
      expect(outcome.stdout, outcome.stderr).toBe("ended with 0\n".repeat(stops.length));
      expect(outcome.left).toEqual([]);
      for (const round of stops) await expectSame(`stopped-${round}.mmt`, 10_000, { cut: true });
    },
  );

  caseTest("failing-command", "a command that fails", (outcome) => {
    expect(outcome.stdout).toBe("ended with 1\n");
    expect(said(outcome).at(-1)).toBe("the command `sh -c exit N` failed with exit code N");
    expect(outcome.left).toEqual([]);
  });

  caseTest("late-names", "a site whose name met a full ring gets it later", async (outcome) => {
    expect(outcome.stdout).toBe("ended with 3\n");
    const { events } = await readTrace(join(share, "names.mmt"));
    const room = events.findLastIndex((event) => event.kind === "lost");
    expect(room).toBeGreaterThan(0);
    const named = new Set<bigint>();
    const nameless = new Set<string>();
    for (const [at, event] of events.entries()) {
      if (event.kind === "symbol") named.add(event.site);
      if (at > room && isAccess(event) && "site" in event && !named.has(event.site))
        nameless.add(event.site.toString(16));
    }
    expect([...nameless]).toEqual([]);
    expect(events.slice(room).filter(isAccess).length).toBeGreaterThan(200);
    expect(outcome.left).toEqual([]);
  });

  caseTest("unread-pipe", "a pipe that nobody reads is waited for, with a word, until a signal", async (outcome) => {
    expect(outcome.stdout).toBe("ended with 1\nended with 0\n");
    expect(said(outcome)).toEqual([
      ...["waiting until somebody reads pipe", "mmiostrider: ended by SIGINT before recording began"],
      ...["waiting until somebody reads pipe", "recording; Ctrl-C stops"],
      expect.stringMatching(/^N events in N s, N lost, N escaped, N mappings: pipe/),
    ]);
    expect((await readTrace(join(share, "unread.mmt"))).damage).toBeUndefined();
    expect(outcome.left).toEqual([]);
  });

  caseTest(
    "ports",
    "a driver that uses ports instead of memory isn't an empty recording without a word",
    async (outcome) => {
      expect(outcome.stdout).toBe("ended with 3\n");
      const [events, sentence, ...more] = outcome.stderr.trimEnd().split("\n");
      expect(events).toMatch(/^0 events in .* 0 mappings: /);
      expect(sentence).toMatch(
        /^incomplete: no memory of 0000:00:\w\w\.0 was mapped; tulip has its I\/O ports 0x\w+-0x\w+, and accesses to ports are not recorded$/,
      );
      expect([more, outcome.left]).toEqual([[], []]);
      expect((await readTrace(join(share, "ports.mmt"))).summary?.incomplete).toEqual([
        sentence!.slice("incomplete: ".length),
      ]);
    },
  );

  caseTest("doctor", "doctor finds everything there that recording needs", (outcome) => {
    expect(outcome.stderr).toBe("ended with 0\n");
    const { engines, lab } = JSON.parse(outcome.stdout) as DoctorReport & { lab: EngineReport };
    expect(engines.map(({ engine }) => engine)).toEqual(["emulate", "instrument", "singlestep"]);
    const statesOf = ({ usable, checks }: Pick<EngineReport, "usable" | "checks">) => ({
      usable,
      states: Object.fromEntries(checks.map(({ what, state }) => [what, state])),
    });
    const states = (name: string) => statesOf(engines.find(({ engine }) => engine === name)!);
    const good = (...names: string[]) => Object.fromEntries(names.map((name) => [name, "good"]));
    const everywhere = ["architecture", "root", "kernel", "modules", "Secure Boot", "lockdown", "module signing"];
    const ours = ["kmod", "core", "kprobes", "unloading", "tracepoints", "ftrace", "unwinder"];
    expect(states("emulate")).toEqual({ usable: true, states: good(...everywhere, ...ours) });
    expect(states("instrument")).toEqual({ usable: true, states: good(...everywhere, ...ours, "swapping") });
    expect(states("singlestep")).toEqual({ usable: true, states: good("architecture", "root", "mmiotrace") });
    expect(statesOf(lab)).toMatchObject({ usable: true, states: good("architecture", "QEMU") });
    expect(outcome.left).toEqual([]);
  });

  caseTest("hooks-off", "hooks that somebody switched off are no silent hole", (outcome) => {
    expect(outcome.stdout).toBe("ended with 3\n");
    expect(outcome.stderr).toMatch(/^incomplete: at the start of the recording the core's hooks did not fire/m);
    expect(outcome.stderr).toMatch(
      /^incomplete: the mapping 0x\S+, made by e1000_probe\S* \[e1000\] while .* got no decoy/m,
    );
    expect(outcome.left).toEqual([]);
  });

  caseTest(
    "user-mappings",
    "a process maps the device's memory, before and while it is recorded: each is told, and makes it incomplete",
    async (outcome) => {
      const bar = BigInt(/^bar (0x\w+)$/m.exec(outcome.stdout)![1]!);
      const [, holder, memHolder] = /^holders (\d+) (\d+)$/m.exec(outcome.stdout)!;
      expect(outcome.stdout.match(/^ended with \d$/gm)).toEqual(["ended with 3", "ended with 0"]);
      expect(outcome.stdout).toMatch(/^3$/m);
      const real = "was made before recording began: it is real, not a decoy";
      const gone = "and accesses through it are not in the trace";
      const [resource, mem] = [
        formatRange({ first: bar + 0x1000n, last: bar + 0x2fffn }),
        formatRange({ first: bar, last: bar + 0xfffn }),
      ];
      const early = [
        `the mapping ${resource} of /sys/devices/\\S+/resource0 by process ${holder} \\(device-mapper\\) ${real}`,
        `the mapping ${mem} of /dev/mem by process ${memHolder} \\(device-mapper\\) ${real}`,
      ];
      const whole = formatRange({ first: bar, last: bar + 0x3fffn });
      const by = "for process \\d+, called by (?:kernfs_fop_mmap|pci_mmap_resource|mmap_mem)\\S*: that gives no decoy";
      const late = [
        `parts of ${whole} were mapped 3 times by remap_pfn_range\\(\\) ${by}`,
        `${mem} was mapped by remap_pfn_range\\(\\) ${by}`,
      ];
      for (const sentence of early) expect(outcome.stderr).toMatch(new RegExp(`^${sentence}$`, "m"));
      const { unrecorded, incomplete } = JSON.parse(/^\{[\s\S]*?^\}$/m.exec(outcome.stdout)![0]) as RecordJson;
      expect(unrecorded).toBe(4);
      expect(incomplete).toHaveLength(4);
      for (const [index, sentence] of [
        ...early.map((text) => `${text}, ${gone}`),
        ...late.map((text) => `${text}, ${gone}`),
      ].entries()) {
        expect(incomplete[index]).toMatch(new RegExp(`^${sentence}$`));
      }
      const { events, summary } = await readTrace(join(share, "user.mmt"));
      expect(summary).toMatchObject({ unrecorded: 4, incomplete });
      const calls = events.flatMap((event) => (event.kind === "unrecorded" ? [Number(event.calls)] : []));
      expect(calls.reduce((sum, count) => sum + count, 0)).toBe(4);
      expect(outcome.left).toEqual([]);
    },
  );

  caseTest(
    "mmap",
    "the ring through mmap(): the same records as through read(), also when it wraps",
    async (outcome) => {
      expect(outcome.stderr).toBe("");
      const match = /^(\d+) records, the same both ways\n(\d+) records through a ring of 2048, (\d+) lost\n$/.exec(
        outcome.stdout,
      );
      expect(match, outcome.stdout).not.toBeNull();
      const [same, through, lost] = match!.slice(1).map(Number);
      expect(same).toBeGreaterThan(10_000);
      expect(through).toBeGreaterThan(2048);
      const bytes = readFileSync(join(share, "records"));
      expect(bytes.length).toBe(through! * record_bytes);
      const events = Array.from({ length: through! }, (_, index) =>
        eventOfRecords(bytes.subarray(index * record_bytes, (index + 1) * record_bytes), {
          number: index,
          sequence: index + 1,
        }),
      );
      for (const [index] of events.entries()) {
        if (bytes.readBigUInt64LE(index * record_bytes) !== BigInt(index + 1))
          expect.fail(`the sequence breaks at ${index}`);
      }
      const whole = truthSince(truthFile, null, region);
      const [from, to] = [accessesBefore(whole, "("), accessesBefore(whole, ")")];
      const truth = { accesses: whole.accesses.slice(from, to), notes: [] };
      const said = events.flatMap((event) => (event.kind === "lost" ? [Number(event.count)] : []));
      const unsaid = lost! - said.reduce((sum, count) => sum + count, 0);
      expect(walkAlong(events, truth) + unsaid).toBe(to - from);
    },
  );
});

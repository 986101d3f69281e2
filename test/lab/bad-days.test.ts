// tier: quick
// Bad days of a machine while a driver is recorded: CPUs that come and go, a probe that fails, the recorder killed for
// memory, a reader that is too slow, noise in the device's commands, other tracers on the same functions. All in one machine for each kernel; after
// each the machine works, the trace reads, and its counts are those of QEMU's log.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { caseTests } from "../../dev/test-support/lab/guest-cases.js";
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
import { projectDirectory } from "../../src/base/paths.js";
import { spaceOf } from "../../src/trace/space.js";

const region = "e1000-mmio";

/** The cases of the quick tier. */
const quick = ["second-recorder"];

const cases: Record<string, string> = {
  hotplug: `
mmiostrider record --driver e1000 -o /share/hotplug.mmt -- sh -ec '. /share/cases/tools
  modprobe e1000; network_up
  pings 40 & pinging=$!
  for i in 1 2 3 4 5; do
    echo 0 > /sys/devices/system/cpu/cpu1/online; sleep 0.3
    echo 1 > /sys/devices/system/cpu/cpu1/online; sleep 0.3
  done
  wait $pinging
  modprobe -r e1000'
echo "ended with $?"
cat /sys/devices/system/cpu/online`,

  frozen: `
echo freezer > /sys/power/pm_test || echo "no pm_test"
mmiostrider record --driver e1000 -o /share/frozen.mmt -- sh -ec '. /share/cases/tools
  modprobe e1000; network_up
  echo mem > /sys/power/state || echo freeze > /sys/power/state
  pings 3; modprobe -r e1000'
echo "ended with $?"
dmesg | grep -c 'Restarting tasks'
echo none > /sys/power/pm_test`,

  // a bridge that comes while the core's functions stand in the buses' operations must not keep them
  "bridge-again": `
port=$(grep -l 0x060400 /sys/bus/pci/devices/*/class | head -n 1 | xargs dirname)
mmiostrider record --driver e1000 -o /share/bridge.mmt -- sh -ec '. /share/cases/tools
  modprobe e1000; network_up; pings 2
  echo 1 > '$port'/remove
  echo 1 > /sys/bus/pci/rescan
  modprobe -r e1000'
echo "ended with $?"
core_loaded
cat /sys/bus/pci/devices/*/config > /dev/null && cat $port/class`,

  // a driver of another family takes the card, maps it, and finds that it can't drive it
  "probe-fails": `
mmiostrider record --all -o /share/probe.mmt -- sh -ec '
  modprobe e1000e
  echo 8086 100e > /sys/bus/pci/drivers/e1000e/new_id
  ls /sys/bus/pci/drivers/e1000e | grep -c 0000: || true
  modprobe -r e1000e'
echo "ended with $?"
modprobe e1000; network_up; pings 1; modprobe -r e1000`,

  "out-of-memory": `
mmiostrider record --driver e1000 -o /share/memory.mmt 2> /tmp/memory.err & recorder=$!
await /tmp/memory.err "Ctrl-C stops"
modprobe e1000
truth_mark m
written /share/memory.mmt
echo 1000 > /proc/$recorder/oom_score_adj
# its messages on the way would be taken for complaints
dmesg -n 1
echo f > /proc/sysrq-trigger
wait $recorder; echo "ended with $?"
dmesg -n 5
grep state /dev/mmiostrider
network_up; pings 3
modprobe -r e1000
rmmod mmiostrider`,

  "second-recorder": `
mmiostrider record --driver e1000 -o /share/first.mmt 2> /tmp/first.err & recorder=$!
await /tmp/first.err "Ctrl-C stops"
modprobe e1000; network_up
pings 20 & pinging=$!
for i in 1 2; do mmiostrider record --driver e1000 -o /tmp/second.mmt -- true 2>&1 | grep -o 'another recording is running'; done
for i in $(seq 50); do ( : <> /dev/mmiostrider ) 2> /dev/null && echo "opened"; done
ls /tmp/second.mmt 2> /dev/null
wait $pinging
modprobe -r e1000
finish $recorder INT; echo "ended with $?"`,

  "unload-refused": `
mmiostrider record --driver e1000 -o /share/decoys.mmt 2> /tmp/decoys.err & recorder=$!
await /tmp/decoys.err "Ctrl-C stops"
modprobe e1000; network_up; pings 3
rmmod mmiostrider 2> /dev/null || echo "refused: recorder"
finish $recorder INT; echo "ended with $?"
grep -E '^(state|mappings) ' /dev/mmiostrider
for i in 1 2 3; do rmmod mmiostrider 2> /dev/null || echo "refused: decoys"; done
pings 3
# the same decoys, by the next recorder
mmiostrider record --driver e1000 -o /share/decoys-again.mmt -- sh -ec '. /share/cases/tools; rmmod mmiostrider 2> /dev/null || echo "refused: both"; pings 5; modprobe -r e1000'
echo "ended with $?"
core_loaded`,

  "slow-reader": `
mmiostrider record --driver e1000 --clean-room --no-interrupts --no-dma --ring-size 64K -o - -- sh -ec '. /share/cases/tools
  modprobe e1000; network_up
  # more than a pipe and a ring hold
  for i in 1 2 3 4; do ip link set eth0 down; ip link set eth0 up; done
  ip link set eth0 down
  truth_mark s; echo through > /tmp/through' 2> /tmp/slow.err | { await /tmp/through through && echo "not stalled" > /tmp/verdict; cat > /share/slow.mmt; }
grep -o 'incomplete: .* lost' /tmp/slow.err | tr -d '0-9,'
cat /tmp/verdict
modprobe -r e1000
rmmod mmiostrider`,

  noise: `
insmod "$(core)"
/share/command-fuzz lengths && echo "lengths as documented"
/share/command-fuzz 8 1 || echo "the fuzzer failed"
until_true rmmod mmiostrider 2> /dev/null
core_loaded
# and while somebody records, from beside
mmiostrider record --driver e1000 -o /share/noise.mmt -- sh -ec '. /share/cases/tools
  /share/command-fuzz 6 2 & noise=$!
  modprobe e1000; network_up; pings 5; wait $noise; modprobe -r e1000'
echo "ended with $?"
open_up /dev/mmiostrider 2> /dev/null
as_nobody /share/command-fuzz 1 3 && echo "nobody can't"`,

  "other-tracers": `
modprobe e1000
cd /sys/kernel/tracing
echo 'p:mms_read e1000_read_phy_reg' > kprobe_events
echo 'r:mms_read_back e1000_read_phy_reg' >> kprobe_events
echo ':mod:e1000' > set_ftrace_filter
echo function > current_tracer
echo 1 > events/kprobes/enable
cd - > /dev/null
mmiostrider record --driver e1000 --rebind -o /share/tracers.mmt -- sh -ec '. /share/cases/tools; network_up; pings 5'
echo "ended with $?"
cd /sys/kernel/tracing
for what in mms_read: mms_read_back: e1000_ ; do grep -q "$what" trace && echo "saw $what"; done
echo 0 > events/kprobes/enable
echo nop > current_tracer
echo > set_ftrace_filter; echo > kprobe_events; echo > trace
cd - > /dev/null
modprobe -r e1000
rmmod mmiostrider`,
};

describe.each(bothKernels)("on %s, a driver is recorded while", (kernel) => {
  const share = sharedDirectory();
  const truthFile = join(share, "truth.log");
  beforeAll(() => {
    const source = join(projectDirectory, "test/lab/command-fuzz.c");
    execFileSync("gcc", ["-Wall", "-Wextra", "-Werror", "-O2", "-static", "-o", join(share, "command-fuzz"), source]);
  });
  const caseTest = caseTests(cases, {
    kernel,
    share,
    qemu: "-netdev user,id=n0 -device e1000,netdev=n0 -device pcie-root-port,id=behind,chassis=1,slot=1 -device qemu-xhci,bus=behind",
    truth: truthFile,
    quick,
    timeout_s: 590,
  });

  const expectSame = (name: string, accessesMin: number, options: VerifyOptions = {}) =>
    expectIdentical(join(share, name), truthFile, accessesMin, options);

  caseTest("hotplug", "CPUs go and come", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toBe("ended with 0\n0-1\n");
    await expectSame("hotplug.mmt", 12_000);
  });

  caseTest("frozen", "all tasks are frozen", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toMatch(/^ended with 0\n[1-9]\n$/);
    await expectSame("frozen.mmt", 12_000);
  });

  caseTest("bridge-again", "a bridge goes and comes: no bus keeps the core's functions", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toBe("ended with 0\nno core\n0x060400\n");
    expect(outcome.left).toEqual([]);
    await expectSame("bridge.mmt", 12_000);
    const { events } = await readTrace(join(share, "bridge.mmt"));
    const spaces = events.flatMap((event) => (isAccess(event) && "address" in event ? [spaceOf(event.address)] : []));
    expect(spaces.filter((space) => space === "configuration").length).toBeGreaterThan(10);
  });

  caseTest(
    "probe-fails",
    "its probe fails: what it did until then is in the trace, and nothing is left",
    async (outcome) => {
      expect(outcome.stdout, outcome.stderr).toBe("0\nended with 0\n");
      expect(outcome.left).toEqual([]);
      await expectSame("probe.mmt", 1);
      const { events } = await readTrace(join(share, "probe.mmt"));
      const count = (kind: string) => events.filter((event) => event.kind === kind).length;
      expect(count("map")).toBeGreaterThan(0);
      expect(count("unmap")).toBe(count("map"));
    },
  );

  caseTest("out-of-memory", "the recorder is killed for its memory", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toBe("ended with 137\nstate idle\n");
    expect(outcome.left).toEqual([]);
    await expectSame("memory.mmt", 10_000, { cut: true });
    const { header, events } = await readTrace(join(share, "memory.mmt"));
    const truth = truthSince(truthFile, header.fence, region);
    expect(events.filter(isAccess).length).toBeGreaterThanOrEqual(accessesBefore(truth, "m"));
  });

  caseTest("second-recorder", "a second recorder tries to", async (outcome) => {
    const refused = "another recording is running\n";
    expect(outcome.stdout, outcome.stderr).toBe(`${refused}${refused}ended with 0\n`);
    expect(outcome.left).toEqual([]);
    await expectSame("first.mmt", 12_000);
  });

  caseTest(
    "unload-refused",
    "somebody tries to unload the core: not while there is a recorder, nor while decoys live",
    async (outcome) => {
      expect(outcome.stdout.split("\n").slice(0, -1)).toEqual([
        "refused: recorder",
        "ended with 0",
        "state idle",
        "mappings 1",
        ...["refused: decoys", "refused: decoys", "refused: decoys"],
        "refused: both",
        "ended with 0",
        "no core",
      ]);
      expect(outcome.left).toEqual([]);
      await expectSame("decoys.mmt", 12_000);
      await expectSame("decoys-again.mmt", 10);
    },
  );

  caseTest(
    "slow-reader",
    "nobody reads the trace: records are lost and counted, and the driver isn't stalled",
    async (outcome) => {
      expect(outcome.stdout, outcome.stderr).toBe("incomplete:  records were lost\nnot stalled\n");
      const { header, events, summary } = await readTrace(join(share, "slow.mmt"));
      const truth = truthSince(truthFile, header.fence, region);
      expect(walkAlong(events, truth)).toBe(accessesBefore(truth, "s"));
      expect(events.filter(isAccess).length + summary!.lost).toBe(accessesBefore(truth, "s"));
      expect(summary!.lost).toBeGreaterThan(0);
    },
  );

  caseTest("noise", "somebody sends noise to the core", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toBe("lengths as documented\nno core\nended with 0\nnobody can't\n");
    await expectSame("noise.mmt", 12_000);
  });

  caseTest("other-tracers", "ftrace and kprobes are on the same functions", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toBe("ended with 0\nsaw mms_read:\nsaw mms_read_back:\nsaw e1000_\n");
    await expectSame("tracers.mmt", 10_000);
  });
});

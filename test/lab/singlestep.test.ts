// tier: quick
// Engine singlestep: the kernel's own mmiotrace behind the same commands. It must decode the accesses that the device received;
// and after any end, CPUs and tracer must be as before.
import { join } from "node:path";
import { describe, expect } from "vitest";
import { caseTests } from "../../dev/test-support/lab/guest-cases.js";
import { bothKernels, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import { expectIdentical, isAccess, readTrace } from "../../dev/test-support/lab/trace-and-truth.js";

/** Prints the tracer's settings and the CPUs, which must be the same afterwards. */
const settings = `
settings() {
  cd /sys/kernel/tracing
  grep . current_tracer tracing_on trace_clock per_cpu/cpu*/buffer_size_kb /sys/devices/system/cpu/online | sed 's/[0-9]* (expanded: \\([0-9]*\\))/\\1/'
  cd "$OLDPWD"
}
# the first tracer expands the buffer, which is small while nobody traces
echo 1 > /sys/kernel/tracing/tracing_on
`;

/** The cases of the quick tier. */
const quick = ["recorded", "killed"];

const cases: Record<string, string> = {
  recorded: `${settings}
settings > /tmp/before
mmiostrider record --engine singlestep --driver e1000 --ring-size 64M -o /share/step.mmt -- sh -ec '
  . /share/cases/tools; modprobe e1000
  cat /sys/devices/system/cpu/online; cat /sys/kernel/tracing/current_tracer
  mmiostrider mark half way; network_up; pings 5; modprobe -r e1000'
echo "ended with $?"
settings | diff /tmp/before - && echo "as before"`,

  killed: `${settings}
settings > /tmp/before
mmiostrider record --engine singlestep --driver e1000 -o /share/killed.mmt 2> /tmp/killed.err & recorder=$!
await /tmp/killed.err "Ctrl-C stops"
modprobe e1000; written /share/killed.mmt
mmiostrider record --engine singlestep --driver e1000 -o second.mmt; echo "the second ended with $?"
kill -9 $recorder; wait $recorder; echo "ended with $?"
until_true eval 'grep -q nop /sys/kernel/tracing/current_tracer && settings | diff -q /tmp/before - > /dev/null'
settings | diff /tmp/before - && echo "as before"
network_up; pings 3
modprobe -r e1000`,

  "ctrl-c": `${settings}
settings > /tmp/before
modprobe e1000
mmiostrider record --engine singlestep --driver e1000 --rebind -o /share/rebound.mmt 2> /tmp/rebound.err & recorder=$!
await /tmp/rebound.err "Ctrl-C stops"
network_up; pings 3
finish $recorder INT; echo "ended with $?"
cat /tmp/rebound.err >&2
settings | diff /tmp/before - && echo "as before"
modprobe -r e1000`,

  // tracefs isn't mounted: the recorder mounts it only for as long as it needs it
  unmounted: `
umount /sys/kernel/tracing || echo "can't unmount it"
mmiostrider doctor | grep '  mmiotrace '
mmiostrider record --engine singlestep --driver e1000 -o /share/mounted.mmt -- sh -ec '
  . /share/cases/tools; grep -c "^tracefs /sys/kernel/tracing " /proc/mounts
  modprobe e1000; mmiostrider mark mounted; network_up; pings 3; modprobe -r e1000'
echo "ended with $?"
grep -c "^tracefs /sys/kernel/tracing " /proc/mounts
mmiostrider record --engine singlestep --driver e1000 -o /share/mounted-killed.mmt 2> /tmp/mounted.err & recorder=$!
await /tmp/mounted.err "Ctrl-C stops"
modprobe e1000
kill -9 $recorder; wait $recorder; echo "ended with $?"
until_true eval '! grep -q "^tracefs /sys/kernel/tracing " /proc/mounts'
grep -c "^tracefs /sys/kernel/tracing " /proc/mounts
cat /sys/devices/system/cpu/online
modprobe -r e1000
# a tracer that is taken: it is unmounted all the same
mount -t tracefs tracefs /mnt; echo blk > /mnt/current_tracer
mmiostrider record --engine singlestep --all -o taken.mmt; echo "ended with $?"
grep -c "^tracefs /sys/kernel/tracing " /proc/mounts
echo nop > /mnt/current_tracer; umount /mnt
mount -t tracefs tracefs /sys/kernel/tracing`,

  taken: `
echo blk > /sys/kernel/tracing/current_tracer
mmiostrider record --engine singlestep --all -o taken.mmt; echo "ended with $?"
echo nop > /sys/kernel/tracing/current_tracer`,

  "not-for-it": `
mmiostrider record --engine singlestep --relaxed --all -o relaxed.mmt 2> err; echo "ended with $?"
head -n 1 err >&2; rm err`,
};

describe.each(bothKernels)("engine singlestep on %s", (kernel) => {
  const share = sharedDirectory();
  const truthFile = join(share, "truth.log");
  const caseTest = caseTests(cases, {
    kernel,
    share,
    qemu: "-netdev user,id=n0 -device e1000,netdev=n0",
    truth: truthFile,
    quick,
    timeout_s: 500,
  });

  const expectSame = (name: string, accessesMin: number) => expectIdentical(join(share, name), truthFile, accessesMin);

  caseTest(
    "recorded",
    "a driver from load to unload: the trace is the truth, on one CPU, and all is as before",
    async (outcome) => {
      expect(outcome.stdout).toBe("0\nmmiotrace\nended with 0\nas before\n");
      expect(outcome.stderr).toMatch(/^engine singlestep: CPU 1 is off until it ends; what mmiotrace can't decode is/);
      expect(outcome.stderr).toMatch(/ events in .* 0 lost, 0 escaped, 1 mapping: \/share\/step\.mmt/);
      await expectSame("step.mmt", 12_000);
      const { header, events, summary } = await readTrace(join(share, "step.mmt"));
      expect(header.engine).toBe("singlestep");
      expect(events.filter(isAccess).length).toBe(summary!.accesses);
      const marks = events.flatMap((event) => (event.kind === "mark" ? [event.text] : []));
      expect(marks).toEqual(["half way"]);
      // its times follow the wall clock
      const first_s = Number(events[0]!.tsc - BigInt(header.clock.tsc)) / header.clock.tscFrequency_hz;
      expect(first_s).toBeGreaterThan(-1);
      expect(first_s).toBeLessThan(60);
      expect(outcome.left).toEqual([]);
    },
  );

  caseTest(
    "killed",
    "kill -9 of the recorder: CPUs and tracer come back, and the trace can be read",
    async (outcome) => {
      expect(outcome.stdout).toBe("the second ended with 1\nended with 137\nas before\n");
      expect(outcome.stderr).toMatch(
        /^mmiostrider: the kernel's tracer mmiotrace is at work, and there can be one at a time$/m,
      );
      expect(outcome.left).toEqual([]);
      const { events } = await readTrace(join(share, "killed.mmt"));
      expect(events.filter(isAccess).length).toBeGreaterThan(10_000);
    },
  );

  caseTest("ctrl-c", "Ctrl-C, and a driver that was bound", async (outcome) => {
    expect(outcome.stdout, outcome.stderr).toBe("ended with 0\nas before\n");
    await expectSame("rebound.mmt", 10_000);
  });

  caseTest("unmounted", "tracefs is mounted where it isn't, and unmounted however it ends", async (outcome) => {
    expect(outcome.stdout.split("\n").slice(0, -1), outcome.stderr).toEqual([
      "  good     mmiotrace     in this kernel; tracefs isn't mounted; record mounts it while it runs",
      ...["1", "ended with 0", "0"],
      ...["ended with 137", "0", "0-1"],
      ...["ended with 1", "0"],
    ]);
    expect(outcome.left).toEqual([]);
    await expectSame("mounted.mmt", 10_000);
    const { events } = await readTrace(join(share, "mounted.mmt"));
    expect(events.flatMap((event) => (event.kind === "mark" ? [event.text] : []))).toEqual(["mounted"]);
  });

  caseTest("taken", "another tracer at work is one line", (outcome) => {
    expect([outcome.stdout, outcome.left]).toEqual(["ended with 1\n", []]);
    expect(outcome.stderr).toMatch(
      /^mmiostrider: the kernel's tracer blk is at work, .*\n {2}if nobody needs it: echo nop/,
    );
  });

  caseTest("not-for-it", "options that it can't have are one line", (outcome) => {
    expect([outcome.stdout, outcome.left]).toEqual(["ended with 2\n", []]);
    expect(outcome.stderr).toBe("mmiostrider: --relaxed isn't for engine singlestep: mmiotrace has nothing like it\n");
  });
});

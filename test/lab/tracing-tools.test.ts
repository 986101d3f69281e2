// tier: all
// Other observers beside us, all at once on the same machine: perf, ftrace on every function of the kernel, probes on the functions
// that the core hooks and on the instructions whose accesses it emulates. The traces are the truth, the others get their data, and
// the kernel doesn't complain. TCG has no performance counters: perf samples by timers here, not by NMIs. One thread runs both
// CPUs: all of the kernel's functions are patched while they run, which isn't safe with two threads (machine.ts).
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CaseOutcome, runCases } from "../../dev/test-support/lab/guest-cases.js";
import { sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import { expectIdentical, readTrace } from "../../dev/test-support/lab/trace-and-truth.js";

const share = sharedDirectory();
const truthFile = join(share, "truth.log");

/** Makes a script that records the driver from load to unload; `before` and `after` run while recording, too. */
const record = (
  trace: string,
  before = "",
  after = "",
) => `mmiostrider record --driver e1000 -o /share/${trace} -- sh -ec '
  . /share/cases/tools
  ${before}
  modprobe e1000; network_up; pings 5; modprobe -r e1000
  ${after}'
echo "ended with $?"`;

const cases: Record<string, string> = {
  perf: `
cat > /tmp/workload <<'END'
. /share/cases/tools
modprobe e1000; network_up; pings 5; modprobe -r e1000
END
mmiostrider record --driver e1000 -o /share/perf.mmt -- perf stat -a -e cpu-clock,context-switches -x, -o /tmp/stat -- \\
  perf record -q -a -g -e cpu-clock -F 499 -e irq:irq_handler_entry -o /tmp/samples -- sh /tmp/workload
echo "ended with $?"
perf script -i /tmp/samples -F comm,event,trace 2> /dev/null > /tmp/script
grep -q 'cpu-clock:' /tmp/script && echo "sampled"
grep -q 'irq_handler_entry:.*name=eth0' /tmp/script && echo "saw interrupts"
grep -q '^[1-9][0-9.]*,msec,cpu-clock' /tmp/stat && echo "counted"`,

  functions: `
cd /sys/kernel/tracing
echo function > current_tracer
${record("functions.mmt")}
grep -c '' enabled_functions | awk '{ print ($1 > 10000 ? "all functions" : $1) }'
echo 0 > tracing_on
grep -q '<-' trace && echo "saw functions"
echo nop > current_tracer
echo 1 > tracing_on; echo > trace`,

  // comes and goes while the core's hooks are registered
  graph: `
cd /sys/kernel/tracing
${record(
  "graph.mmt",
  "echo function_graph > current_tracer",
  'echo 0 > tracing_on; grep -q "}" trace && echo "saw calls"; echo nop > current_tracer; echo 1 > tracing_on',
)}
echo > trace`,

  // functions that the core hooks, and functions that it calls
  hooked: `
cd /sys/kernel/tracing
for function in ioremap iounmap fixup_exception copy_from_kernel_nofault sprint_symbol; do
  echo "p:in_$function $function" >> kprobe_events
  echo "r:from_$function $function" >> kprobe_events
done
echo 1 > events/kprobes/enable
${record("hooked.mmt")}
echo 0 > events/kprobes/enable
# hits and misses
awk '$2 > 0 { print $1, "hit" } $2 == 0 { print $1, "not hit" }' kprobe_profile
echo > kprobe_events; echo > trace`,

  // breakpoints at first; where possible, the kernel makes them jumps while they are hit
  sites: `
modprobe e1000
mmiostrider record --driver e1000 --rebind -o /tmp/first.mmt -- sh -ec '. /share/cases/tools; network_up; pings 2'
mmiostrider report /tmp/first.mmt | grep -o ' e1000_[a-z0-9_]*+0x[0-9a-f]* \\[e1000\\]' | sort | uniq -c | sort -rn |
  head -n 40 | sed 's/.* \\(e1000_.*\\) \\[e1000\\]/\\1/' > /tmp/places
cd /sys/kernel/tracing
n=0; while read -r place; do n=$((n+1)); echo "p:site_$n e1000:$place" >> kprobe_events; done < /tmp/places
echo 1 > events/kprobes/enable
mmiostrider record --driver e1000 --rebind -o /share/sites.mmt -- sh -ec '. /share/cases/tools
  ip link set eth0 down; network_up; pings 5'
echo "ended with $?"
echo 0 > events/kprobes/enable
awk '$2 > 0 { hit++ } END { print (hit >= 20 ? "hit" : hit) }' kprobe_profile
echo > kprobe_events; echo > trace
modprobe -r e1000; rmmod mmiostrider`,

  // the hooks use ftrace: nobody can switch it off meanwhile
  switch: `
mmiostrider record --driver e1000 -o /share/switch.mmt -- sh -ec '. /share/cases/tools
  modprobe e1000
  echo 0 2> /dev/null > /proc/sys/kernel/ftrace_enabled && echo "switched off" || echo "refused"
  network_up; pings 2; modprobe -r e1000'
echo "ended with $?"
echo 0 > /proc/sys/kernel/ftrace_enabled && cat /proc/sys/kernel/ftrace_enabled
mmiostrider record --driver e1000 -o /tmp/off.mmt -- true
echo "ended with $?"
mmiostrider doctor | grep -o 'ftrace is switched off'
echo 1 > /proc/sys/kernel/ftrace_enabled`,
};

describe.each(["debian:6.1", "debian:6.12"])("a driver is recorded on %s beside", (kernel) => {
  let outcomes: Map<string, CaseOutcome>;

  beforeAll(async () => {
    const qemu = "-netdev user,id=n0 -device e1000,netdev=n0";
    outcomes = await runCases(cases, { kernel, threads: "single", share, qemu, truth: truthFile, timeout_s: 590 });
  });

  const outcomeOf = (name: string) => {
    const outcome = outcomes.get(name)!;
    expect(outcome.left).toEqual([]);
    return outcome;
  };

  test("perf, sampling and counting", async () => {
    const { stdout, stderr } = outcomeOf("perf");
    expect(stdout, stderr).toBe("ended with 0\nsampled\nsaw interrupts\ncounted\n");
    await expectIdentical(join(share, "perf.mmt"), truthFile, 10_000);
  });

  test("ftrace on every function", async () => {
    const { stdout, stderr } = outcomeOf("functions");
    expect(stdout, stderr).toBe("ended with 0\nall functions\nsaw functions\n");
    await expectIdentical(join(share, "functions.mmt"), truthFile, 10_000);
  });

  test("the function graph tracer on every function", async () => {
    const { stdout, stderr } = outcomeOf("graph");
    expect(stdout, stderr).toBe("saw calls\nended with 0\n");
    await expectIdentical(join(share, "graph.mmt"), truthFile, 10_000);
  });

  test("probes on what the core hooks and calls", async () => {
    const { stdout, stderr } = outcomeOf("hooked");
    const functions = ["ioremap", "iounmap", "fixup_exception", "copy_from_kernel_nofault", "sprint_symbol"];
    const hits = functions.flatMap((name) => [`in_${name} hit`, `from_${name} hit`]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0], stderr).toBe("ended with 0");
    expect(lines.slice(1).sort()).toEqual(hits.sort());
    await expectIdentical(join(share, "hooked.mmt"), truthFile, 10_000);
  });

  test("probes on the instructions that access the device", async () => {
    const { stdout, stderr } = outcomeOf("sites");
    expect(stdout, stderr).toBe("ended with 0\nhit\n");
    await expectIdentical(join(share, "sites.mmt"), truthFile, 10_000);
  });

  test("somebody who switches ftrace off", async () => {
    const { stdout, stderr } = outcomeOf("switch");
    expect(stdout, stderr).toBe("refused\nended with 0\n0\nended with 3\nftrace is switched off\n");
    expect(stderr).toMatch(/the core's hooks did not fire/);
    await expectIdentical(join(share, "switch.mmt"), truthFile, 10_000);
    const { events } = await readTrace(join(share, "switch.mmt"));
    expect(events.some(({ kind }) => kind === "unmap")).toBe(true);
  });
});

// tier: quick
// A driver whose file was rewritten works as before, its accesses come without a fault, and the trace is still the truth.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  endKernels,
  expectQuietKernel,
  inLab,
  labCore,
  labKernel,
  stableKernel,
  temporaryDirectory,
} from "../../dev/test-support/lab/in-lab.js";
import { programFile } from "../../dev/test-support/program.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { verify } from "../../src/analysis/verify/verify.js";
import { openTrace, withFileSource } from "../../src/trace/node/file-source.js";

/**
 * Drives the network card from load through link up and pings to unload, with a look at the core's counter. Meanwhile the driver's
 * functions are traced, and a probe in a function that it calls shows the way there through the driver's code.
 */
const workload = `set -e
insmod /share/e1000.ko
cd /sys/kernel/tracing
echo ':mod:e1000' > set_ftrace_filter
echo function > current_tracer
echo 'p:seen napi_complete_done' > kprobe_events
echo stacktrace > events/kprobes/seen/trigger
echo 1 > events/kprobes/seen/enable
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
for i in $(seq 100); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; sleep 0.2; done
ping -c 40 -i 0.1 10.0.2.2
echo 0 > events/kprobes/seen/enable
grep -m 1 -A 8 '=> e1000_clean' trace
grep -m 1 'e1000_intr <-' trace
echo nop > current_tracer
echo '!stacktrace' > events/kprobes/seen/trigger
echo > kprobe_events
echo > set_ftrace_filter
cd /
cat /sys/devices/system/cpu/online
rmmod e1000
grep '^rewritten' /dev/mmiostrider`;

test.each(casesByTier({ quick: [stableKernel], rest: [...endKernels] }))("e1000 on %s", async (kernel) => {
  const share = temporaryDirectory();
  const { release, modulesDirectory } = await labKernel(kernel);
  const ending = kernel === "debian:newest" ? ".xz" : "";
  const original = join(modulesDirectory, release, `kernel/drivers/net/ethernet/intel/e1000/e1000.ko${ending}`);
  await labCore(kernel);
  const words = ["instrument", original, "-o", join(share, "e1000.ko")];
  const made = spawnSync(process.execPath, [programFile, ...words], { encoding: "utf8" });
  expect(made.status, made.stderr).toBe(0);
  const { exitCode, output, consoleLog, truthFile } = await inLab(
    `cat > /tmp/workload <<'END'\n${workload}\nEND
mmiostrider record --driver e1000 -o /share/e1000.mmt -- sh /tmp/workload`,
    { kernel, qemu: "-netdev user,id=n0 -device e1000,netdev=n0", share, truth: true, timeout_s: 590 },
  );
  expect(exitCode, output).toBe(0);
  expect(output).toMatch(/ events in .*, 0 lost, 0 escaped, /);
  expectQuietKernel(consoleLog);
  // the unwinder finds its way out of the driver, and ftrace its functions
  expect(output).toMatch(/=> e1000_clean\b[\s\S]*=> net_rx_action\b/);
  expect(output).toMatch(/: e1000_intr <-__handle_irq_event_percpu/);
  const reader = await openTrace(join(share, "e1000.mmt"));
  try {
    const result = await withFileSource(truthFile, (log) => verify(reader, log));
    expect(result.reasons).toEqual([]);
    expect(result.identical).toBe(true);
    const region = result.regions.find(({ name }) => name === "e1000-mmio");
    expect(region!.trace).toBeGreaterThan(13_000);
    const withoutFault = Number(/^rewritten (\d+)$/m.exec(output)![1]);
    expect(withoutFault).toBeGreaterThan(0.95 * region!.trace);
  } finally {
    await reader.close();
  }
});

// tier: quick
// Accesses from every context: process, interrupts, timers, NMIs, all CPUs at once, to the same registers. The module's counters
// in the device's memory show if an access was lost or done twice; QEMU's log has the accesses to edu's registers in their order.
import { test } from "vitest";
import { recordGroups } from "../../dev/test-support/lab/access-module.js";
import { expectEveryContext } from "../../dev/test-support/lab/every-context.js";
import { expectQuietKernel } from "../../dev/test-support/lab/in-lab.js";
import { casesByTier } from "../../dev/test-support/tiers.js";

test.each(
  casesByTier<[string, number]>({
    quick: [["debian:6.1", 2]],
    rest: [
      ["debian:6.12", 2],
      ["debian:6.1-rt", 2],
      ["debian:6.12", 4],
    ],
  }),
)("every context on %s with %i CPUs", async (kernel, cpus) => {
  const { trace, truthFile, consoleLog } = await recordGroups(["contexts", "nmi", "interrupted"], {
    kernel,
    cpus,
    truth: true,
  });
  expectQuietKernel(consoleLog);
  await expectEveryContext(trace, truthFile, cpus);
});

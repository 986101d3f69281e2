// tier: quick
// Accesses from every context: process, interrupts, timers, NMIs, all CPUs at once, to the same registers. The module's counters
// in the device's memory show if an access was lost or done twice; QEMU's log has the accesses to edu's registers in their order.
// Then the locks: a read-modify-write beside accesses that cover its bytes and more, and a holder that a dying machine has stopped.
import { expect, test } from "vitest";
import { recordInTurn } from "../../dev/test-support/lab/access-module.js";
import { expectEveryContext } from "../../dev/test-support/lab/every-context.js";
import { expectQuietKernel } from "../../dev/test-support/lab/in-lab.js";
import { readTrace } from "../../dev/test-support/lab/trace-and-truth.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { RecordFlag } from "../../src/trace/record.js";

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
  const everyContext = ["contexts", "nmi", "interrupted"];
  const { recordings, truthFile, consoleLog } = await recordInTurn([everyContext, ["beside"], ["going-down"]], {
    kernel,
    cpus,
    truth: true,
    recordOptions: ["--ring-size 64M", "--ring-size 64M --relaxed", "--ring-size 64M"],
  });
  expectQuietKernel(consoleLog);
  await expectEveryContext(recordings[0]!.trace, truthFile, cpus);
  await expectUnorderedRead(recordings[2]!.trace);
});

/** The module's thread reads while another CPU has stopped with the lock: it goes ahead, and its record says so. */
async function expectUnorderedRead(trace: string): Promise<void> {
  const { events } = await readTrace(trace);
  const reads = events.flatMap((event) => (event.kind === "read" && event.width_bytes === 4 ? [event.flags] : []));
  expect(reads.length).toBeGreaterThanOrEqual(10);
  expect(reads.filter((flags) => (flags & RecordFlag.unordered) !== 0).length).toBeGreaterThan(0);
}

// tier: quick
// Accesses of every kind by the module in test/kernel/: its results must be as on ordinary memory, and the trace must have
// exactly the accesses that the module lists. Those of the kernel's testmmiotrace have their own recording.
import { expect, test } from "vitest";
import { recordInTurn } from "../../dev/test-support/lab/access-module.js";
import { expectQuietKernel } from "../../dev/test-support/lab/in-lab.js";
import { expectSameAccesses, recordedAccesses } from "../../dev/test-support/lab/recorded-accesses.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { openTrace } from "../../src/trace/node/file-source.js";

test.each(casesByTier({ quick: ["debian:6.12"], rest: ["debian:6.1", "debian:6.12-rt"] }))(
  "every kind of access on %s",
  async (kernel) => {
    const everyKind = ["accessors", "integer", "strings", "vectors", "user", "patching"];
    const { recordings, consoleLog } = await recordInTurn([everyKind, ["oracle"]], { kernel });
    expectQuietKernel(consoleLog);
    for (const { trace, expected } of recordings) expectSameAccesses(await recordedAccesses(trace), expected);
    expect(recordings[0]!.expected.length).toBeGreaterThan(30_000);
    // those of the kernel's testmmiotrace, and the module's own mappings of its two devices
    expect(await countEvents(recordings[1]!.trace)).toMatchObject({
      write: 5_120,
      read: 5_121,
      map: 11 + 2,
      unmap: 11 + 2,
    });
  },
);

async function countEvents(path: string): Promise<Record<string, number>> {
  const reader = await openTrace(path);
  const counts: Record<string, number> = {};
  try {
    for await (const { events } of reader.batches()) {
      for (const { kind } of events) counts[kind] = (counts[kind] ?? 0) + 1;
    }
  } finally {
    await reader.close();
  }
  return counts;
}

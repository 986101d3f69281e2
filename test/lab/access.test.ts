// Accesses of every kind by the module in test/kernel/: what it computes must be as on ordinary memory, and the trace must
// have exactly the accesses that the module says it makes.
import { expect, test } from "vitest";
import { openTrace } from "../../src/trace/file-source.js";
import { recordGroups } from "./access-module.js";
import { expectQuietKernel } from "./in-lab.js";
import { expectSameAccesses, recordedAccesses } from "./recorded-accesses.js";

test.each(["debian:6.1", "debian:6.12", "debian:6.12-rt"])("every kind of access on %s", async (kernel) => {
  const groups = ["accessors", "integer", "strings", "vectors", "user", "patching"];
  const { trace, expected, consoleLog } = await recordGroups(groups, { kernel });
  expectQuietKernel(consoleLog);
  expect(expected.length).toBeGreaterThan(30_000);
  expectSameAccesses(await recordedAccesses(trace), expected);
});

test.each(["debian:6.1", "debian:6.12"])("the accesses of testmmiotrace on %s", async (kernel) => {
  const { trace, expected, consoleLog } = await recordGroups(["oracle"], { kernel });
  expectQuietKernel(consoleLog);
  expectSameAccesses(await recordedAccesses(trace), expected);
  // the module's own mapping of each of its two devices comes on top
  expect(await countEvents(trace)).toMatchObject({ write: 5_120, read: 5_121, map: 11 + 2, unmap: 11 + 2 });
});

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

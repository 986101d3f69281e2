// Records the test module's groups "contexts" and "nmi": edu's registers must be as QEMU saw them, from all CPUs and contexts.
import { expect } from "vitest";
import { verify } from "../../../src/analysis/verify/verify.js";
import { openTrace, withFileSource } from "../../../src/trace/node/file-source.js";
import { RecordFlag } from "../../../src/trace/record.js";

export async function expectEveryContext(trace: string, truthFile: string, cpus: number): Promise<void> {
  const reader = await openTrace(trace);
  try {
    const result = await withFileSource(truthFile, (log) => verify(reader, log));
    const edu = result.regions.find(({ name }) => name === "edu-mmio");
    expect(result.differences.filter(({ region }) => region === "edu-mmio")).toEqual([]);
    expect(edu).toMatchObject({ differences: 0 });
    expect(edu!.trace).toBe(edu!.truth);
    expect(edu!.trace).toBeGreaterThan(3_000);
    const seen = new Map<string, number>();
    const cpusSeen = new Set<number>();
    for await (const { events } of reader.batches()) {
      for (const event of events) {
        if (event.kind !== "read" && event.kind !== "write") continue;
        cpusSeen.add(event.cpu);
        const context = contextOf(event.flags);
        seen.set(context, (seen.get(context) ?? 0) + 1);
      }
    }
    expect(cpusSeen.size).toBe(cpus);
    for (const context of ["process", "softirq", "hardirq", "nmi"]) {
      expect(seen.get(context) ?? 0, context).toBeGreaterThan(100);
    }
  } finally {
    await reader.close();
  }
}

function contextOf(flags: number): string {
  if ((flags & RecordFlag.nmi) !== 0) return "nmi";
  if ((flags & RecordFlag.hardirq) !== 0) return "hardirq";
  return (flags & RecordFlag.softirq) !== 0 ? "softirq" : "process";
}

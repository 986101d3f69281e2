// tier: quick
// Accesses of every kind by the module in test/kernel/: its results must be as on ordinary memory, and the trace must have
// exactly the accesses that the module lists. Those of the kernel's testmmiotrace have their own recording.
import { expect, test } from "vitest";
import { recordInTurn } from "../../dev/test-support/lab/access-module.js";
import { expectQuietKernel } from "../../dev/test-support/lab/in-lab.js";
import { expectSameAccesses, recordedAccesses } from "../../dev/test-support/lab/recorded-accesses.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import type { UnrecordedEvent } from "../../src/api/events.js";
import { openTrace as openTraceForPrograms } from "../../src/api/node/open.js";
import { joinRanges } from "../../src/base/address-range.js";
import { openTrace } from "../../src/trace/node/file-source.js";

test.each(casesByTier({ quick: ["debian:6.12"], rest: ["debian:6.1", "debian:6.12-rt"] }))(
  "every kind of access on %s",
  async (kernel) => {
    const everyKind = ["accessors", "integer", "strings", "vectors", "user", "patching"];
    const { recordings, consoleLog, output } = await recordInTurn([everyKind, ["oracle"], ["mapped"]], { kernel });
    expectQuietKernel(consoleLog);
    for (const { trace, expected } of recordings.slice(0, 2))
      expectSameAccesses(await recordedAccesses(trace), expected);
    expect(recordings[0]!.expected.length).toBeGreaterThan(30_000);
    // those of the kernel's testmmiotrace, and the module's own mappings of its two devices
    expect(await countEvents(recordings[1]!.trace)).toMatchObject({
      write: 5_120,
      read: 5_121,
      map: 11 + 2,
      unmap: 11 + 2,
    });
    // escapes; nothing; mappings
    expect(output.match(/^record \d$/gm)).toEqual(["record 3", "record 0", "record 3"]);
    await expectMappingsTold(recordings[2]!.trace, output);
    // without transparent huge pages
    expect(output.includes("this kernel has no vmf_insert_pfn_pmd()")).toBe(kernel.endsWith("-rt"));
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

/** The module's mappings by other ways than ioremap(), of BAR 2: test/kernel/mapped.c. */
const mappedPages: Record<string, { pages: string; calls: number; by: string }> = {
  vmap_pfn: { pages: "10-11 20", calls: 2, by: "mapped_by_vmap" },
  memremap_pages: { pages: "400-5ff", calls: 1, by: "mapped_as_pages" },
  fixmap: { pages: "30", calls: 1, by: "mapped_in_fixmap" },
  // twice, and by vm_iomap_memory()
  remap_pfn_range: { pages: "40-43 50-51", calls: 3, by: "mapped_by_remap mapped_by_iomap" },
  // page by page, directly and with a protection
  vmf_insert_pfn: { pages: "60-6f 90-91", calls: 18, by: "mapped_insert mapped_insert_protected" },
  vmf_insert_mixed: { pages: "80-83", calls: 4, by: "mapped_insert_mixed" },
};

async function expectMappingsTold(path: string, output: string): Promise<void> {
  const trace = await openTraceForPrograms(path);
  try {
    const told: typeof mappedPages = {};
    const ways = new Map<string, UnrecordedEvent[]>();
    for await (const event of trace.events({ filter: "op == unrecorded" })) {
      if (event.kind === "unrecorded") ways.set(event.way, [...(ways.get(event.way) ?? []), event]);
    }
    for (const [way, events] of ways) {
      const pages = new Set<number>();
      for (const { place, length_bytes } of events) {
        expect(place).toMatchObject({ bar: 2 });
        const first = Number(place!.offset) / 4096;
        for (let page = first; page < first + Number(length_bytes) / 4096; page += 1) pages.add(page);
      }
      told[way] = {
        pages: rangesText([...pages].sort((a, b) => a - b)),
        calls: events.reduce((sum, { calls }) => sum + calls, 0),
        by: [...new Set(events.map(({ site }) => site?.function))].join(" "),
      };
    }
    expect(told).toEqual(mappedPages);
    const calls = Object.values(mappedPages).reduce((sum, one) => sum + one.calls, 0);
    expect(trace.summary?.unrecorded).toBe(calls);
    // a page alone, or the mapping at once; and page by page
    const sentences = output.slice(output.indexOf("\nok mapped")).match(/^incomplete: .*$/gm) ?? [];
    expect(sentences).toEqual(trace.summary?.incomplete.map((sentence) => `incomplete: ${sentence}`));
    const outcome = "that gives no decoy, and accesses through it are not in the trace";
    const by = (name: string) => `called by ${name}\\+0x\\w+ \\[mms_access_test\\]: ${outcome}$`;
    for (const shape of [
      `was mapped by memremap_pages\\(\\), ${by("mapped_as_pages")}`,
      `was mapped in the fixmap, ${by("mapped_in_fixmap")}`,
      `were mapped 2 times by remap_pfn_range\\(\\) for process \\d+, ${by("mapped_by_remap")}`,
      `were mapped 4 times by vmf_insert_mixed\\(\\) for process \\d+, ${by("mapped_insert_mixed")}`,
    ]) {
      expect(sentences.filter((sentence) => new RegExp(shape).test(sentence))).toHaveLength(1);
    }
  } finally {
    await trace.close();
  }
}

/** Formats `60-6f 90`: numbers in ascending order, hexadecimal. */
function rangesText(numbers: readonly number[]): string {
  const ranges = joinRanges(numbers.map((number) => ({ first: number, last: number })));
  return ranges
    .map(({ first, last }) => [...new Set([first, last])].map((end) => end.toString(16)).join("-"))
    .join(" ");
}

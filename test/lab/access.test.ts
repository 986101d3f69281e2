// tier: quick
// Accesses of every kind by the module in test/kernel/: its results must be as on ordinary memory, and the trace must have
// exactly the accesses that the module lists. Those of the kernel's testmmiotrace have their own recording. Then conditions that
// are rare: text that is freed and used again, a core that somebody sleeps in, a CPU on which no decoy faults.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type AccessRecording, recordInTurn } from "../../dev/test-support/lab/access-module.js";
import { expectCallers } from "../../dev/test-support/lab/callers.js";
import { endKernels, expectQuietKernel } from "../../dev/test-support/lab/in-lab.js";
import { expectSameAccesses, recordedAccesses } from "../../dev/test-support/lab/recorded-accesses.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import type { UnrecordedEvent } from "../../src/api/events.js";
import { openTrace as openTraceForPrograms } from "../../src/api/node/open.js";
import { joinRanges } from "../../src/base/address-range.js";
import { openTrace } from "../../src/trace/node/file-source.js";
import { RecordKind, record_bytes, recordOffset } from "../../src/trace/record.js";
import { spaceOf } from "../../src/trace/space.js";

test.each(casesByTier({ quick: ["debian:6.12"], rest: ["debian:6.1", "debian:6.12-rt", ...endKernels] }))(
  "every kind of access on %s",
  async (kernel) => {
    const everyKind = ["accessors", "integer", "strings", "vectors", "user", "patching", "trapped"];
    const lists = [everyKind, ["oracle"], ["mapped"]];
    const { recordings, consoleLog, output, afterwards, share } = await recordInTurn(lists, {
      kernel,
      rewritten: ["accessors"],
      afterwards: rareConditions,
    });
    const mapped = mappedBy(share);
    expectQuietKernel(consoleLog);
    for (const { trace, expected } of recordings.slice(0, 2))
      expectSameAccesses(await recordedAccesses(trace), expected);
    expect(recordings[0]!.expected.length).toBeGreaterThan(30_000);
    const callers = await expectCallers(recordings[0]!.trace, {
      name: "mms_access_test",
      file: join(share, "mms_access_test.ko"),
    });
    const direct = callers.filter(({ called }) => called !== "*" && !called.startsWith("__x86_indirect_thunk_"));
    expect(direct.filter(({ site, called }) => !(throughOf[called] ?? [called]).includes(site))).toEqual([]);
    expect(direct.map(({ site }) => site)).toEqual(expect.arrayContaining(["ioread8", "ioread32be", "iowrite16"]));
    // those of the kernel's testmmiotrace, and the module's own mappings of its two devices
    expect(await countEvents(recordings[1]!.trace)).toMatchObject({
      write: 5_120,
      read: 5_121,
      map: 11 + 2,
      unmap: 11 + 2,
    });
    // escapes; nothing; mappings; nothing
    expect(output.match(/^record \d$/gm)).toEqual(["record 3", "record 0", "record 3", "record 0"]);
    await expectMappingsTold(recordings[2]!.trace, output, mapped);
    await expectCallsMade(recordings[3]!, output);
    // without transparent huge pages
    expect(output.includes("this kernel has no vmf_insert_pfn_pmd()")).toBe(kernel.endsWith("-rt"));
    await expectOwnNames(join(share, "init.mmt"));
    expectAsleep(afterwards);
    expectDeceivedSelfTest(afterwards);
    // between the look at older mappings and the start
    const calls = Object.values(mapped).reduce((sum, one) => sum + one.calls, 0);
    expect(afterwards).toContain(`counted by the start:\nunrecorded ${calls}\n`);
    expect(unrecordedCalls(readFileSync(join(share, "ring.records")))).toBe(calls);
  },
);

/**
 * Two modules that read in text which is freed, the second one at the first one's addresses; a copy that sleeps in the core's text
 * while the last decoy goes; a self-test that gets the right value without a fault.
 */
const rareConditions = `
mmiostrider record --all -o /share/init.mmt -- sh -c 'insmod /share/first-init.ko && rmmod first_init &&
  insmod /share/second-init.ko && rmmod second_init'; echo "init text: $?"
run=/sys/kernel/debug/mms_access_test/run results=/sys/kernel/debug/mms_access_test/results
insmod /share/mms_access_test.ko
mmiostrider record --all -o /share/asleep.mmt -- sh -c "echo asleep > $run & echo asleep-unmap > $run"; echo "asleep: $?"
rmmod mmiostrider; echo "unloading beside it: $?"
echo asleep-over > $run
for i in $(seq 100); do grep -q ' asleep [1-9]' $results && break; sleep 0.1; done
rmmod mmiostrider; echo "unloading: $?"
grep asleep $results
rmmod mms_access_test
mmiostrider record --all -o /share/late.mmt -- sh -c "insmod /share/mms_access_test.ko && echo ignored-bit > $run"; echo "deceived late: $?"
mmiostrider record --all -o /share/deceived.mmt -- true; echo "deceived: $?"
echo ignored-bit-over > $run
mmiostrider record --all -o /share/again.mmt -- true; echo "deceived no more: $?"
grep ignored-bit $results
for device in /sys/bus/pci/devices/*; do grep -q 0x1110 $device/device && bar=$(sed -n 's/^\\(0x[^ ]*\\) \\(0x[^ ]*\\) .*/\\1-\\2/p' $device/resource | sed -n 3p); done
exec 3<> /dev/mmiostrider
echo "range $bar" >&3; echo arm >&3; echo mapped > $run; echo start >&3; echo "counted by the start:"; grep '^unrecorded ' /dev/mmiostrider
echo stop >&3; cat <&3 > /share/ring.records; exec 3>&-
rmmod mms_access_test; rmmod mmiostrider; true`;

/**
 * The rewritten module's calls of accessors and copies are its sites, and need no fault; only functions whose accesses depend on the
 * CPU make their own.
 */
async function expectCallsMade({ trace, expected }: AccessRecording, output: string): Promise<void> {
  expectSameAccesses(await recordedAccesses(trace), expected);
  const reader = await openTrace(trace);
  const others = new Set<string>();
  let own = 0;
  try {
    for await (const { event, state } of reader.eventsWithState()) {
      if ((event.kind !== "read" && event.kind !== "write") || spaceOf(event.address) !== "memory") continue;
      const site = state.symbolOf(event.site)!;
      if (site.endsWith(" [mms_access_test]")) own += 1;
      else others.add(site.replace(/\+.*/, ""));
    }
  } finally {
    await reader.close();
  }
  expect([...others].filter((name) => !/^_*(?:str|mem)(?:set|cpy|move|cmp|chr|len)?(?:_\w+)?$/.test(name))).toEqual([]);
  expect([...others].filter((name) => /io$|^_*io/.test(name))).toEqual([]);
  const withoutFault = Number(/^rewritten ([1-9]\d*)$/m.exec(output)?.[1]);
  expect(withoutFault).toBeGreaterThan(1_400);
  expect(withoutFault).toBeLessThanOrEqual(own);
}

/** Each access has the name of the module that made it, also where another one's text was before. */
async function expectOwnNames(path: string): Promise<void> {
  const trace = await openTraceForPrograms(path);
  try {
    const sites = new Map<string, bigint[]>([
      ["first_init", []],
      ["second_init", []],
    ]);
    const order: string[] = [];
    for await (const event of trace.events({ filter: "op == read" })) {
      if (event.kind !== "read") continue;
      const module = event.site?.module ?? "";
      sites.get(module)?.push(event.site!.address);
      if (order.at(-1) !== module) order.push(module);
    }
    expect(order).toEqual(["first_init", "second_init"]);
    const [first, second] = [sites.get("first_init")!, sites.get("second_init")!];
    expect([first.length, second.length]).toEqual([64, 64]);
    expect(second.filter((address) => first.includes(address)).length, "addresses of both").toBeGreaterThan(0);
  } finally {
    await trace.close();
  }
}

function expectAsleep(output: string): void {
  expect(output).toContain("init text: 0\n");
  expect(output).toContain("asleep: 0\n");
  expect(output).toMatch(/^unloading beside it: 1\nunloading: 0$/m);
  expect(output).toMatch(/^ok asleep 2$/m);
}

function expectDeceivedSelfTest(output: string): void {
  const reason = "a decoy is read without a fault";
  expect(output).toContain(
    `incomplete: at the end of the recording the core's hooks could not be checked: the core refused "check": ${reason}\n`,
  );
  expect(output.match(/^deceived.*$/gm)).toEqual(["deceived late: 3", "deceived: 1", "deceived no more: 0"]);
  expect(output).toContain("mmiostrider: nothing can be recorded: this CPU reads a decoy without a fault\n");
}

/** Sums up the calls of the UNRECORDED records: core/record.h. */
function unrecordedCalls(records: Buffer): number {
  let calls = 0;
  for (let at = 0; at < records.length; at += record_bytes) {
    if (records[at + recordOffset.kind] !== RecordKind.unrecorded) continue;
    calls += Number(records.readBigUInt64LE(at + recordOffset.value + 8));
  }
  return calls;
}

/** Copies to and from users before 6.4; the kernel chooses one when it boots, also at the place of a call. */
const copies = ["copy_user_generic_unrolled", "copy_user_enhanced_fast_string"];

/** Functions that call another one for their accesses, or jump to it. */
const throughOf: Record<string, readonly string[]> = {
  memset_io: ["memset_orig", "memset_erms"],
  _copy_to_user: ["rep_movs_alternative", "copy_user_short_string", ...copies],
  copy_user_generic_unrolled: copies,
};

async function countEvents(path: string): Promise<Record<string, number>> {
  const reader = await openTrace(path);
  const counts: Record<string, number> = {};
  try {
    for await (const { events } of reader.batches()) {
      for (const event of events) {
        // the configuration of the machine's other devices is read, too
        if ("address" in event && spaceOf(event.address) === "configuration") continue;
        counts[event.kind] = (counts[event.kind] ?? 0) + 1;
      }
    }
  } finally {
    await reader.close();
  }
  return counts;
}

/** The module's mappings of a kind by other ways than ioremap(), of BAR 2: test/kernel/mapped.c. */
interface Mapped {
  pages: string;
  calls: number;
  by: string;
}

const mappedPages: Record<string, Mapped> = {
  vmap_pfn: { pages: "10-11 20", calls: 2, by: "mapped_by_vmap" },
  memremap_pages: { pages: "400-5ff", calls: 1, by: "mapped_as_pages" },
  fixmap: { pages: "30", calls: 1, by: "mapped_in_fixmap" },
  // twice, and by vm_iomap_memory()
  remap_pfn_range: { pages: "40-43 50-51", calls: 3, by: "mapped_by_remap mapped_by_iomap" },
  // page by page, directly and with a protection
  vmf_insert_pfn: { pages: "60-6f 90-91", calls: 18, by: "mapped_insert mapped_insert_protected" },
  vmf_insert_mixed: { pages: "80-83", calls: 4, by: "mapped_insert_mixed" },
};

/** The same by the module as it was built in `share`: newer kernels let a file tell what to map. */
function mappedBy(share: string): Record<string, Mapped> {
  if (!readFileSync(join(share, ".mapped.o.cmd"), "utf8").includes("-DMMS_HAS_MMAP_ACTION")) return mappedPages;
  const by = `${mappedPages.remap_pfn_range!.by} mapped_by_prepare`;
  return { ...mappedPages, remap_pfn_range: { pages: "40-43 50-51 54-55", calls: 4, by } };
}

async function expectMappingsTold(path: string, output: string, mapped: Record<string, Mapped>): Promise<void> {
  const trace = await openTraceForPrograms(path);
  try {
    const told: Record<string, Mapped> = {};
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
    expect(told).toEqual(mapped);
    const calls = Object.values(mapped).reduce((sum, one) => sum + one.calls, 0);
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

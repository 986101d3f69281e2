// tier: quick
// Each fact of a trace that mmiotrace's text can't have is told; and each kind of event as its line.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import type { AccessEvent, TraceEvent } from "../events.js";
import { rwmmioProducer, type TraceHeader } from "../header.js";
import { mmiotraceProducer } from "../mmiotrace-head.js";
import { RecordFlag } from "../record.js";
import { MmiotraceWriter } from "./mmiotrace.js";

const base = { number: 0, sequence: 1, tsc: 3_000_000n, cpu: 0, pid: 0, flags: 0 };
const access: AccessEvent = {
  ...{ ...base, kind: "read", address: 0xfebc_0008n, width_bytes: 4, value: 0x1234n, site: 0xffff_ffff_c000_0001n },
  ...{ caller: 0n, mapping: 1, target: -1 },
};
/** A clock of 2 MHz that began at 0, without a time of day. */
const clock = { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: 2_000_000 } as const;

function written(header: Partial<TraceHeader>, ...events: TraceEvent[]): { lines: string[]; notes: string[] } {
  const writer = new MmiotraceWriter(madeUpHeader({ clock, ...header }));
  return { lines: events.map((event) => Buffer.from(writer.lines(event)).toString()), notes: writer.notes() };
}
const lineOf = (event: TraceEvent, header: Partial<TraceHeader> = {}) => written(header, event).lines[0];
const notesOf = (event: TraceEvent, header: Partial<TraceHeader> = {}) => written(header, event).notes;

test("an access has the time since its clock was 0, in microseconds rounded down", () => {
  expect(lineOf(access)).toBe("R 4 1.500000 1 0xfebc0008 0x1234 0xffffffffc0000001 0\n");
  expect(lineOf({ ...access, kind: "write", tsc: 3_000_003n })).toBe(
    "W 4 1.500001 1 0xfebc0008 0x1234 0xffffffffc0000001 0\n",
  );
  expect(lineOf({ ...access, mapping: 0xffff_ffff, site: 0n, width_bytes: 0 })).toBe(
    "R 0 1.500000 -1 0xfebc0008 0x1234 0x0 0\n",
  );
});

test("of an odd width it becomes lines of widths that mmiotrace has, each with its part", () => {
  const line = (width_bytes: number) =>
    lineOf({ ...access, width_bytes, value: 0x11_2233_4455_6677_8899_aabbn, site: 0n });
  expect(line(16)).toBe(
    "R 8 1.500000 1 0xfebc0008 0x445566778899aabb 0x0 0\nR 8 1.500000 1 0xfebc0010 0x112233 0x0 0\n",
  );
  expect(line(11)).toBe(
    [
      ...["R 8 1.500000 1 0xfebc0008 0x445566778899aabb 0x0 0", "R 2 1.500000 1 0xfebc0010 0x112233 0x0 0"],
      "R 1 1.500000 1 0xfebc0012 0x11 0x0 0\n",
    ].join("\n"),
  );
});

const gone = { length_bytes: 0x1000n, decoy: 0xffff_c900_0000_0000n };
const escaped = { ...base, kind: "escape", address: 0x10n, site: 1n, caller: 0n, mapping: 2 } as const;
const unrecorded: TraceEvent = {
  ...{ ...base, kind: "unrecorded", address: 0x1000n, length_bytes: 0x20n, way: "fixmap", calls: 1n, site: 0n },
};

test.each<[TraceEvent, string]>([
  [
    { ...base, ...gone, kind: "map", mapping: 7, address: 0xfe00_0000n, memoryType: "uncached", site: 5n },
    "MAP 1.500000 7 0xfe000000 0xffffc90000000000 0x1000 0x0 0\n",
  ],
  [{ ...base, ...gone, kind: "unmap", mapping: 7, address: 0xfe00_0000n }, "UNMAP 1.500000 7 0x0 0\n"],
  [{ ...base, kind: "mark", text: "here" }, "MARK 1.500000 here\n"],
  [{ ...base, kind: "mark", text: "here", flags: RecordFlag.verbatim }, "here\n"],
  [{ ...base, kind: "lost", count: 5n }, "MARK 0.000000 Lost 5 events.\n"],
  [{ ...base, kind: "lost", count: 0n, cpu: 2 }, "CPU:2 [LOST EVENTS]\n"],
  [{ ...escaped, instruction: Uint8Array.of(0x0f, 0x6f, 0xc0, 1) }, "UNKNOWN 1.500000 2 0x10 0f,6f,c0 0x1 0\n"],
  [{ ...escaped, instruction: Uint8Array.of(0xcc) }, "UNKNOWN 1.500000 2 0x10 cc,00,00 0x1 0\n"],
  [unrecorded, "MARK 1.500000 Unrecorded mapping of 0x20 bytes at 0x1000 (fixmap)\n"],
  [{ ...base, kind: "symbol", site: 1n, text: "f" }, ""],
  [{ ...base, kind: "module", name: "m", textAddress: 0n, text_bytes: 1, gone: false }, ""],
  [{ ...access, address: 0xc_0000_0000_0070n }, ""],
])("an event as its line: %#", (event, line) => {
  expect(lineOf(event)).toBe(line);
});

test("a log's own line of a loss comes back only into its own format", () => {
  const lost: TraceEvent = { ...base, kind: "lost", count: 5n, flags: RecordFlag.verbatim };
  expect(lineOf(lost)).toBe("MARK 0.000000 Lost 5 events.\n");
  expect(lineOf(lost, { producer: mmiotraceProducer })).toBe("");
});

test("addresses of names are no addresses: such a log's lines have no site", () => {
  expect(lineOf(access, { producer: rwmmioProducer })).toBe("R 4 1.500000 1 0xfebc0008 0x1234 0x0 0\n");
});

describe("what has no line, or no place in one, is told", () => {
  const left = (facts: string) => [`left out, because mmiotrace's lines have no place for them: ${facts}`];
  const space = { address: 0xc_0000_0000_0070n };
  const dma = {
    ...base,
    device: "0000:00:04.0",
    bus: 0n,
    length_bytes: 1n,
    way: "coherent",
    direction: "both",
    site: 0n,
  } as const;

  test.each<[string, TraceEvent, string[]]>([
    ["nothing", access, []],
    ["a CPU", { ...access, cpu: 1 }, left("CPUs")],
    ["a process", { ...access, pid: 1 }, left("processes")],
    ["a context", { ...access, flags: RecordFlag.softirq }, left("contexts")],
    ["a caller", { ...access, caller: 1n }, left("callers")],
    ["several", { ...access, cpu: 1, pid: 1, caller: 1n }, left("CPUs, callers, processes")],
    ["a symbol", { ...base, kind: "symbol", site: 1n, text: "f" }, left("symbols of sites")],
    ["a loss's CPU, where it is counted", { ...base, kind: "mark", text: "", cpu: 3 }, left("CPUs")],
    ["a port", { ...access, ...space }, ["1 event of I/O ports left out: mmiotrace has no lines for them"]],
    [
      "configuration space",
      { ...access, address: 0xe_0000_0000_0000n },
      ["1 access to configuration space left out: mmiotrace has no lines for them"],
    ],
    [
      "a module",
      { ...base, kind: "module", name: "m", textAddress: 0n, text_bytes: 1, gone: false },
      ["1 event of modules left out: mmiotrace has no lines for them"],
    ],
    [
      "an interrupt",
      {
        ...{ ...base, kind: "interrupt", phase: "entry", device: "0000:00:04.0", irq: 1, vector: 0, site: 0n },
        ...{ handled: false, wakesThread: false },
      },
      ["1 event of interrupts left out: mmiotrace has no lines for them"],
    ],
    [
      "DMA",
      { ...dma, kind: "dma-map", caller: 0n, buffer: 1, physical: 0n },
      ["1 event of DMA left out: mmiotrace has no lines for them"],
    ],
    [
      "its end",
      { ...dma, kind: "dma-unmap", caller: 0n, buffers: [] },
      ["1 event of DMA left out: mmiotrace has no lines for them"],
    ],
  ])("%s", (_name, event, notes) => {
    expect(notesOf(event)).toEqual(notes);
  });

  test("the time of day", () => {
    expect(notesOf(access, { clock: { ...clock, wall_ns: "0x1" } })).toEqual(left("the wall clock"));
  });

  test("a loss without a number has its CPU in its line", () => {
    const engine = "import";
    expect(notesOf({ ...base, kind: "lost", count: 0n, cpu: 3 }, { engine })).toEqual([]);
    expect(notesOf({ ...base, kind: "lost", count: 5n, cpu: 3 }, { engine })).toEqual(left("CPUs"));
    expect(notesOf({ ...base, kind: "lost", count: 5n, cpu: 3, flags: RecordFlag.verbatim }, { engine })).toEqual([]);
  });

  test("each with its number", () => {
    const { notes } = written({}, { ...access, ...space }, { ...access, ...space }, access);
    expect(notes).toEqual(["2 events of I/O ports left out: mmiotrace has no lines for them"]);
  });
});

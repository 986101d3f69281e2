// tier: quick
// Imports of QEMU's, VFIO's and ftrace's logs: with a log that QEMU wrote, and with lines made after their sources' format strings.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { virtualRanges } from "../../machine/vmallocinfo.js";
import type { TraceEvent } from "../events.js";
import { eventsOfOtherRecords } from "../file/block-events.js";
import { spaceOf } from "../space.js";
import { detectInput } from "./formats.js";
import type { ImportPiece, TextImport } from "./log-import.js";
import { MmiotraceImport } from "./mmiotrace.js";
import { deviceCpu, QemuImport } from "./qemu.js";
import { RwmmioImport } from "./rwmmio.js";
import { VfioImport } from "./vfio.js";

function read(reader: TextImport, text: string): { events: TraceEvent[]; pieces: ImportPiece[] } {
  reader.push(Buffer.from(text));
  reader.finish();
  const pieces = reader.pieces();
  const records = pieces.flatMap((piece) => ("records" in piece ? [piece.records] : []));
  return { events: [...eventsOfOtherRecords(new Uint8Array(Buffer.concat(records)))], pieces };
}

const accessesOf = (events: TraceEvent[]) =>
  events.flatMap((event) => (event.kind === "read" || event.kind === "write" ? [event] : []));

describe("QEMU's memory_region_ops", () => {
  test("a log that QEMU wrote: every line that isn't a port's", () => {
    const log = gunzipSync(readFileSync(new URL("../../../test/data/e1000-truth.log.gz", import.meta.url))).toString();
    expect(detectInput(Buffer.from(log))).toBe("qemu");
    const reader = new QemuImport("truth.log");
    const { events } = read(reader, log);
    const accesses = accessesOf(events);
    const lines = log.split("\n").filter((line) => /addr 0x[0-9a-f]{5,} /.test(line));
    expect(lines.length).toBeGreaterThan(14_000);
    expect(accesses.length).toBe(lines.length);
    for (const [index, event] of accesses.entries()) {
      const fields = /_(read|write) cpu (-?\d+) .* addr (0x\S+) value (0x\S+) size (\d)/.exec(lines[index]!)!;
      const got = [event.kind, event.cpu, event.address, event.value, event.width_bytes];
      const cpu = Number(fields[2]) < 0 ? deviceCpu : Number(fields[2]);
      const expected = [fields[1], cpu, BigInt(fields[3]!), BigInt(fields[4]!), Number(fields[5])];
      if (got.join() !== expected.join()) expect(got).toEqual(expected);
    }
    const regions = events.flatMap((event) => (event.kind === "mark" ? [event.text] : []));
    expect(regions).toEqual(["region 1 is ioapic", "region 2 is e1000-mmio"]);
  });

  test("with times, without names, and other events between", () => {
    const reader = new QemuImport("log");
    const { events } = read(
      reader,
      "77@1700000000.000100:memory_region_ops_read cpu 1 mr 0x5 addr 0xfebc0008 value 0x80080783 size 4\n" +
        "77@1700000000.000150:apic_register_read register 0x02 = 0x0\n" +
        "77@1700000000.000350:memory_region_ram_device_write cpu -1 mr 0x5 addr 0x10febc0008 value 0xffffffffffffffff size 8\n",
    );
    expect(accessesOf(events)).toMatchObject([
      {
        kind: "read",
        cpu: 1,
        tsc: 1_700_000_000_000_100n,
        address: 0xfebc0008n,
        value: 0x80080783n,
        width_bytes: 4,
        mapping: 1,
      },
      {
        kind: "write",
        cpu: deviceCpu,
        tsc: 1_700_000_000_000_350n,
        address: 0x10febc0008n,
        value: 0xffffffffffffffffn,
        width_bytes: 8,
      },
    ]);
    expect(reader.header!.clock).toEqual({
      tsc: `0x${1_700_000_000_000_100n.toString(16)}`,
      wall_ns: `0x${1_700_000_000_000_100_000n.toString(16)}`,
      tscFrequency_hz: 1_000_000,
    });
    expect(reader.totals.unknownLines).toBe(1);
  });

  test("half a line at the end is left out, in the middle it is an error", () => {
    const line = "memory_region_ops_read cpu 0 mr 0x5 addr 0xfebc0008 value 0x80080783 size 4 name 'e1000-mmio'";
    for (let length = 1; length < line.length; length += 1) {
      const reader = new QemuImport("log");
      const { events } = read(reader, `${line}\n${line.slice(0, length)}`);
      expect(accessesOf(events).length).toBe(1);
      expect(reader.incomplete.length).toBe(1);
      if (length > "memory_region_ops_read ".length && length !== line.indexOf(" name")) {
        expect(() => read(new QemuImport("log"), `${line}\n${line.slice(0, length)}\n${line}\n`)).toThrow(/^log:2: /);
      }
    }
    expect(accessesOf(read(new QemuImport("log"), line).events).length).toBe(1);
  });
});

test("VFIO: device, BAR and offset come out, and the ids that the guest read", () => {
  const text =
    "9@1700000000.000001:vfio_pci_read_config  (0000:01:00.0, @0x0, len=0x2) 0x8086\n" +
    "9@1700000000.000002:vfio_pci_read_config  (0000:01:00.0, @0x2, len=0x2) 0x100e\n" +
    "9@1700000000.000003:vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000, 4)\n" +
    "9@1700000000.000004:vfio_region_read  (0000:01:00.0:region2+0x8, 4) = 0xffffffff\n" +
    "9@1700000000.000005:vfio_region_read  (0000:01:00.0:region8+0x3c0, 1) = 0x1\n" +
    "9@1700000000.000006:vfio_intx_interrupt  (0000:01:00.0) Pin A\n";
  expect(detectInput(Buffer.from(text))).toBe("vfio");
  for (const event of read(new VfioImport("log"), text).events)
    if ("address" in event) expect(spaceOf(event.address)).toBe("memory");
  const reader = new VfioImport("log");
  const { events, pieces } = read(reader, text);
  const updates = pieces.flatMap((piece) => ("update" in piece ? piece.update.pciFunctions! : []));
  const last = updates.at(-1)!;
  expect(last).toMatchObject({ address: "0000:01:00.0", vendor: "0x8086", device: "0x100e" });
  expect(last.bars.map((bar) => bar.index)).toEqual([0, 2]);
  const start = (index: number) => BigInt(last.bars.find((bar) => bar.index === index)!.start);
  expect(accessesOf(events)).toMatchObject([
    { kind: "write", address: start(0) + 0x28n, value: 0x21cc000n, width_bytes: 4, tsc: 1_700_000_000_000_003n },
    { kind: "read", address: start(2) + 8n, value: 0xffffffffn, width_bytes: 4, tsc: 1_700_000_000_000_004n },
  ]);
  expect(reader.notes).toContain("1 access to no BAR is left out");
  expect(() => read(new VfioImport("log"), "vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000)\n")).toThrow(
    "log:1: this isn't how QEMU writes a vfio_region line",
  );
});

describe("the times of newer QEMUs", () => {
  const libvirt = [
    "2026-07-07 03:16:20.001+0000: starting up libvirt version: 11.3.0, qemu version: 10.0.2, kernel: 6.12.30, hostname: host",
    "LC_ALL=C \\",
    "/usr/bin/qemu-system-x86_64 \\",
    "-name guest=win11,debug-threads=on \\",
    "char device redirected to /dev/pts/1 (label charserial0)",
    "2026-07-07T03:16:21.000001Z qemu-system-x86_64: warning: vfio 0000:01:00.0: something",
  ];
  const start_us = BigInt(Date.UTC(2026, 6, 7, 3, 16, 22)) * 1000n;

  test("VFIO's events among libvirt's start-up lines", () => {
    const text = `${[
      ...libvirt,
      "2026-07-07T03:16:22.158759Z vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000, 4)",
      "2026-07-07T03:16:23Z vfio_region_read  (0000:01:00.0:region2+0x8, 4) = 0xffffffff",
      "2026-07-07T03:16:22.158700Z vfio_region_read  (0000:01:00.0:region2+0x8, 4) = 0xffffffff",
      "2026-07-07 03:20:00.000+0000: shutting down, reason=shutdown",
    ].join("\n")}\n`;
    expect(detectInput(Buffer.from(text))).toBe("vfio");
    const reader = new VfioImport("log");
    const { events } = read(reader, text);
    expect(accessesOf(events)).toMatchObject([
      { kind: "write", tsc: start_us + 158_759n },
      { kind: "read", tsc: start_us + 1_000_000n },
      // a clock that was set back stays so
      { kind: "read", tsc: start_us + 158_700n },
    ]);
    expect(BigInt(reader.header!.clock.tsc)).toBe(start_us + 158_759n);
    expect(BigInt(reader.header!.clock.wall_ns)).toBe(1000n * (start_us + 158_759n));
    expect(reader.totals).toMatchObject({ accesses: 3, unknownLines: libvirt.length + 1 });
    expect(reader.incomplete).toEqual([]);
  });

  test("memory_region_ops", () => {
    const text = `${[
      ...libvirt,
      "2026-07-07T03:16:22.158759Z memory_region_ops_read cpu 1 mr 0x5 addr 0xfebc0008 value 0x80080783 size 4 name 'e1000-mmio'",
    ].join("\n")}\n`;
    expect(detectInput(Buffer.from(text))).toBe("qemu");
    const { events } = read(new QemuImport("log"), text);
    expect(accessesOf(events)).toMatchObject([{ kind: "read", cpu: 1, tsc: start_us + 158_759n, value: 0x80080783n }]);
  });

  test("no other text is taken for a time", () => {
    const line = "memory_region_ops_read cpu 1 mr 0x5 addr 0xfebc0008 value 0x1 size 4";
    for (const stamp of [
      "2026-13-07T03:16:22.158759Z ",
      "2026-07-07T24:16:22.158759Z ",
      "2026-07-07T03:16:22.1587591Z ",
      "2026-07-07T03:16:22.Z ",
      "2026-07-07T03:16:22.158759 ",
      "2026-07-07 03:16:22.158759Z ",
      "2026-07-07T03:16:2 ",
      "77@17.1:",
      "guest: ",
    ]) {
      const reader = new QemuImport("log");
      expect(accessesOf(read(reader, `${line}\n${stamp}${line}\n`).events)).toHaveLength(1);
      expect(reader.incomplete).toEqual([
        "1 line has a memory_region_ops event behind something else, and isn't understood; the first is line 2",
      ]);
    }
  });

  test("a log whose first event has no time has none", () => {
    const line = "memory_region_ops_read cpu 1 mr 0x5 addr 0xfebc0008 value 0x1 size 4";
    const reader = new QemuImport("log");
    const { events } = read(reader, `${line}\n7@1700000000.000001:${line}\n`);
    expect(accessesOf(events).map(({ tsc }) => tsc)).toEqual([0n, 0n]);
    expect(reader.notes).toContain("the log's first event has no time: 1 later time is left out");
  });
});

test("a log without any line of its format is refused, not an empty trace", () => {
  const text = "nothing\nof any kind\n";
  expect(() => read(new QemuImport("log"), text)).toThrow("log: there is no memory_region_ops event in it");
  expect(() => read(new VfioImport("log"), text)).toThrow("log: there is no vfio_region event in it");
  expect(() => read(new RwmmioImport("log"), text)).toThrow("log: there is no rwmmio event in it");
  expect(() => read(new MmiotraceImport("log"), text)).toThrow("log: there is no line of mmiotrace's in it");
  expect(() => read(new VfioImport("log"), "Jul 7 host: vfio_region_read  (0:region2+0x8, 4) = 0x1\n")).toThrow(
    "log: there is no vfio_region event in it that can be understood: the first one, line 1, is behind something else",
  );
});

describe("a damaged line", () => {
  const readers = {
    qemu: () => new QemuImport("log"),
    vfio: () => new VfioImport("log"),
    rwmmio: () => new RwmmioImport("log"),
    mmiotrace: () => new MmiotraceImport("log"),
  };
  const whole = {
    qemu: "memory_region_ops_read cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'",
    vfio: "vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000, 4)",
    rwmmio: " cat-1 [001] ..... 1.000001: rwmmio_write: foo+0x8/0x10 width=32 val=0x1 addr=0xffffc90000100008",
    mmiotrace: "R 4 1.000001 1 0xfebc0008 0x1 0x0 0",
  };
  const damaged = {
    qemu: [
      "emory_region_ops_read cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'",
      "memory_region_ops_re\u0000d cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'",
      "cpu 0 mr 0x5 addr 0xfebc0008 value 0x1",
    ],
    vfio: [
      "vfio_region_wri (0000:01:00.0:region0+0x28, 0x21cc000, 4)",
      "io_region_read  (0000:01:00.0:region0+0x28, 4) = 0x1",
    ],
    rwmmio: [whole.rwmmio.replace(": rwmmio", ":rwmmio"), "foo+0x8/0x10 width=32 val=0x1 addr=0xffffc90000100008"],
    mmiotrace: [
      " R 4 1.000001 1 0xfebc0008 0x1 0x0 0",
      "R4 1.000001 1 0xfebc0008 0x1 0x0 0",
      "r 4 1.00",
      "4 1.000001 1 0xfebc0008 0x1 0x0 0",
      "[   12.345678] W 4 1.000001 1 0xfebc0008 0x1 0x0 0",
      "AP 1.000000 1 0xfebc0000 0xffffc90000000000 0x1000 0x0 0",
    ],
  };
  const names = {
    qemu: "memory_region_ops event",
    vfio: "vfio_region event",
    rwmmio: "rwmmio event",
    mmiotrace: "line of mmiotrace's",
  };

  test.each(["qemu", "vfio", "rwmmio", "mmiotrace"] as const)(
    "of %s is counted as missing, others aren't",
    (format) => {
      const lost = damaged[format];
      const reader = readers[format]();
      read(
        reader,
        `${[whole[format], "words", ...lost, "memory_region_subpage_read cpu 0 mr 0x5 offset 0x8"].join("\n")}\n`,
      );
      expect(reader.incomplete).toEqual([
        `${lost.length} lines look like a damaged ${names[format]}, and can't be read; the first is line 3`,
      ]);
      expect(reader.totals).toMatchObject({ accesses: 1, unknownLines: 2 });
      for (const line of lost) {
        const alone = readers[format]();
        read(alone, `${whole[format]}\n${line}\n`);
        expect(alone.incomplete, line).toEqual([
          `1 line looks like a damaged ${names[format]}, and can't be read; the first is line 2`,
        ]);
      }
    },
  );

  test("is told where a log has no other", () => {
    expect(() => read(new QemuImport("log"), `words\n${damaged.qemu[0]}\n`)).toThrow(
      "log: there is no memory_region_ops event in it that can be understood: line 2 looks like one",
    );
  });

  test("is told among mmiotrace's lines before the first event, with its number", () => {
    const reader = new MmiotraceImport("log");
    read(reader, `VERSION 20070824\nsome words\n${damaged.mmiotrace[0]}\nLSPCI 1\n${whole.mmiotrace}\n`);
    expect(reader.incomplete).toEqual([
      "1 line looks like a damaged line of mmiotrace's, and can't be read; the first is line 3",
    ]);
    expect(reader.totals.unknownLines).toBe(1);
  });

  test.each(["qemu", "vfio", "rwmmio", "mmiotrace"] as const)(
    "lines of other known formats in a log of %s are named",
    (format) => {
      const others = (["mmiotrace", "qemu", "vfio", "rwmmio"] as const).filter((other) => other !== format);
      const reader = readers[format]();
      // each its own number of times; a line that is like one of mmiotrace's may be one
      const lines = others.flatMap((other, at) => Array.from({ length: at + 1 }, () => whole[other]));
      read(reader, `${[whole[format], ...lines, "words"].join("\n")}\n`);
      const told = reader.notes.filter((note) => note.includes("convert --from"));
      const counts = ["1 line looks like a", "2 lines look like", "3 lines look like"];
      expect(told).toEqual(
        others.map((other, at) => {
          const what = at === 0 ? names[other] : names[other].replace("event", "events");
          return `${counts[at]} ${what} and ${at === 0 ? "isn't" : "aren't"} read: convert --from ${other} reads them alone`;
        }),
      );
      expect(reader.totals).toMatchObject({ accesses: 1, unknownLines: 1 });
      expect(reader.summary.notes).toEqual(expect.arrayContaining(told));
      expect(reader.incomplete).toEqual([]);
    },
  );
});

test("accesses through mappings that an mmiotrace log doesn't show living are counted", () => {
  const lines = ["VERSION 20070824"];
  const map = (id: number) => lines.push(`MAP 1.000000 ${id} 0xfe000000 0xffffc90000000000 0x1000 0x0 0`);
  const access = (id: number) => lines.push(`R 4 2.000000 ${id} 0xfe000000 0x1 0x0 0`);
  map(1);
  map(5);
  for (const id of [1, 3, 5, 3, 1, 6]) access(id);
  lines.push("UNMAP 3.000000 1 0x0 0");
  access(1);
  access(5);
  const reader = new MmiotraceImport("log");
  read(reader, `${lines.join("\n")}\n`);
  expect(reader.notes).toContain(
    "4 accesses use mappings that the log doesn't show being made: it may have begun later",
  );
});

test("the heads of an mmiotrace log without events are one", () => {
  for (const head of [
    "VERSION 20070824\n",
    "# tracer: mmiotrace\n#\n# entries-in-buffer/entries-written: 0/0   #P:1\n",
  ]) {
    expect(detectInput(Buffer.from(head))).toBe("mmiotrace");
    expect(read(new MmiotraceImport("log"), head).events).toEqual([]);
  }
});

test("a line that a person wrote is refused with its reason", () => {
  for (const [line, why] of [
    ["R 4 1.0 1 0xfebc0008 0x1 0x0 0", 'an access: "1.0" isn\'t a time in seconds with six decimals'],
    ["R 4 1.0000000 1 0xfebc0008 0x1 0x0 0", 'an access: "1.0000000" isn\'t a field of that form'],
    ["R four 1.000000 1 0xfebc0008 0x1 0x0 0", 'an access: "four" isn\'t a decimal number'],
    ["R 4 1.000000 1 febc0008 0x1 0x0 0", 'an access: "febc0008" isn\'t a hexadecimal number with 0x'],
    ["R 4 1.000000 1 0xfebc0008", "an access: another field is missing at its end"],
    [
      "R 4 1.000000 1 0xfebc0008 0x12345678901234567",
      'an access: "0x12345678901234567" isn\'t a number of at most 64 bits',
    ],
    ["R 4 1.000000 1 0xfebc0008 0x1 0x0 0 more", 'an access: "more" is too much at its end'],
    ["MAP 1.000000 x 0xfebc0000 0x1 0x1000 0x0 0", 'a mapping: "x" isn\'t a decimal number'],
    ["UNKNOWN 1.000000 1 0xfebc0020 0f,6f 0x0 0", 'an unknown instruction: "0f,6f" isn\'t ","'],
    ["MARK now", 'a mark: "now" isn\'t a decimal number'],
  ] as const) {
    const text = `VERSION 20070824\n${line}\n`;
    expect(() => read(new MmiotraceImport("log"), text)).toThrow(`log:2: this isn't how mmiotrace writes ${why}`);
  }
  for (const width of [3, 5, 6, 7, 9, 16]) {
    for (const pid of [" 0", ""]) {
      const text = `VERSION 20070824\nR ${width} 1.000000 1 0xfebc0008 0x1 0x0${pid}\n`;
      const why = `log:2: an access of ${width} bytes, which mmiotrace can't record`;
      expect(() => read(new MmiotraceImport("log"), text)).toThrow(why);
    }
  }
  // without a head, the format is detected all the same
  expect(detectInput(Buffer.from("R 4 1.0 1 0xfebc0008 0x1 0x0 0\n"))).toBe("mmiotrace");
});

describe("ftrace's rwmmio", () => {
  // As printed by trace_pipe before and since 6.2, and by trace-cmd report.
  const text = `# tracer: nop
#
          <idle>-0       [003] d.h1.   101.000001: rwmmio_post_read: gic_handle_irq+0x30/0x100 width=32 val=0x3ff addr=0xffffffc00800000c
  kworker/u8:1-77      [001] .....   101.000100: rwmmio_write: foo_reset+0x14/0x80 [foo] -> foo_writel+0x8/0x10 [foo] width=32 val=0x1 addr=0xffffffc008100010
  kworker/u8:1-77      [001] .....   101.000101: rwmmio_post_write: foo_reset+0x14/0x80 [foo] -> foo_writel+0x8/0x10 [foo] width=32 val=0x1 addr=0xffffffc008100010
  kworker/u8:1-77      [001] ..s1.   101.000200: rwmmio_read: foo_writel+0x8/0x10 [foo] width=64 addr=0xffffffc008100018
CPU:1 [LOST 12 EVENTS]
             cat-1234  [001]   101.000300: rwmmio_post_read:     foo_writel+0x8/0x10 [foo] width=64 val=0 addr=0xffffffc008100018
             cat-1234  [001]   101.000400: sched_switch: whatever
`;

  test("reads where they have their value, writes once, lost events, callers as sites", () => {
    expect(detectInput(Buffer.from(text))).toBe("rwmmio");
    const reader = new RwmmioImport("trace");
    const { events } = read(reader, text);
    const symbols = new Map(events.flatMap((event) => (event.kind === "symbol" ? [[event.site, event.text]] : [])));
    expect(accessesOf(events).map((event) => [event.kind, event.cpu, event.pid, event.tsc, event.flags])).toEqual([
      ["read", 3, 0, 101_000_001n, 1],
      ["write", 1, 77, 101_000_100n, 0],
      ["read", 1, 1234, 101_000_300n, 0],
    ]);
    expect(accessesOf(events).map((event) => [event.address, event.width_bytes, event.value])).toEqual([
      [0xffffffc00800000cn, 4, 0x3ffn],
      [0xffffffc008100010n, 4, 1n],
      [0xffffffc008100018n, 8, 0n],
    ]);
    expect(accessesOf(events).map(({ site, caller }) => [symbols.get(site), symbols.get(caller)])).toEqual([
      ["gic_handle_irq+0x30/0x100", undefined],
      ["foo_writel+0x8/0x10 [foo]", "foo_reset+0x14/0x80 [foo]"],
      ["foo_writel+0x8/0x10 [foo]", undefined],
    ]);
    expect(accessesOf(events).map(({ caller }) => caller === 0n)).toEqual([true, false, true]);
    expect(events.filter((event) => event.kind === "lost")).toMatchObject([{ count: 12n }]);
    expect(reader.totals).toMatchObject({ accesses: 3, lost: 12, unknownLines: 1 });
  });

  test("a caller may be an accessor elsewhere", () => {
    const line = (names: string) =>
      `x-1 [001] d.h1. 101.000001: rwmmio_write: ${names} width=32 val=0x1 addr=0xffffffc008100010\n`;
    const { events } = read(new RwmmioImport("trace"), line("a+0x1/0x2 -> b+0x1/0x2") + line("b+0x1/0x2 -> a+0x1/0x2"));
    const symbols = new Map(events.flatMap((event) => (event.kind === "symbol" ? [[event.site, event.text]] : [])));
    expect(accessesOf(events).map(({ site, caller }) => [symbols.get(caller), symbols.get(site)])).toEqual([
      ["a+0x1/0x2", "b+0x1/0x2"],
      ["b+0x1/0x2", "a+0x1/0x2"],
    ]);
    expect(symbols.size).toBe(2);
  });

  test("half an access is a write with its value, or a read that is missing", () => {
    const line = (event: string, rest: string) =>
      `x-1 [001] d.h1. 101.000001: rwmmio_${event}: f+0x8/0x10 width=32 ${rest}\n`;
    const log =
      line("post_write", "val=0x1 addr=0xff10") +
      line("write", "val=0x2 addr=0xff10") +
      line("post_write", "val=0x2 addr=0xff10") +
      line("read", "addr=0xff14") +
      line("read", "addr=0xff18") +
      line("post_read", "val=0x3 addr=0xff18") +
      line("post_read", "val=0x4 addr=0xff1c");
    const reader = new RwmmioImport("trace");
    const { events } = read(reader, log);
    expect(accessesOf(events).map(({ kind, value }) => [kind, value])).toEqual([
      ["write", 1n],
      ["write", 2n],
      ["read", 3n],
      ["read", 4n],
    ]);
    expect(reader.incomplete).toEqual(["1 read has no value in the log: no rwmmio_post_read follows"]);
  });

  test("/proc/vmallocinfo makes the addresses physical", () => {
    const info = `0xffffffc008000000-0xffffffc008011000   69632 gic_of_init+0x34/0x200 phys=0x0000000008000000 ioremap
0xffffffc008020000-0xffffffc008022000    8192 pcpu_mem_zalloc+0x24/0x80 pages=1 vmalloc
0xffffffc008100000-0xffffffc008102000    8192 foo_probe+0x10/0x300 phys=0x00000000fe200000 ioremap
`;
    const reader = new RwmmioImport("trace", virtualRanges(info, "info"));
    const { events } = read(reader, text);
    expect(accessesOf(events).map((event) => event.address)).toEqual([0x800000cn, 0xfe200010n, 0xfe200018n]);
    expect(() => virtualRanges("nothing\n", "info")).toThrow("info: there is no ioremap() mapping in it");
    // just within and just behind a range, where the last one is remembered
    const ranges = [
      { start: 0xff00n, end: 0xff10n, physical: 0x1000n },
      { start: 0xff10n, end: 0xff20n, physical: 0x8000n },
    ];
    const line = (address: string) => `x-1 [001] d.h1. 101.000001: rwmmio_write: f width=8 val=0x2 addr=${address}\n`;
    const bounds = new RwmmioImport("trace", ranges);
    const near = ["0xff00", "0xff0f", "0xff10", "0xff1f", "0xff20", "0xff0f", "0xfeff"].map(line).join("");
    expect(accessesOf(read(bounds, near).events).map(({ address }) => address)).toEqual([
      ...[0x1000n, 0x100fn, 0x8000n, 0x800fn, 0xff20n, 0x100fn, 0xfeffn],
    ]);
    expect(bounds.notes).toContain("2 accesses lie in no mapping of --vmallocinfo's, with a virtual address");
  });

  test("a text that isn't one is refused with its line", () => {
    for (const line of [
      "cat-1 [001] 1.000001: rwmmio_write: f width=32 val=0x1",
      "cat-1 [001] 1.000001: rwmmio_write: f width=33 val=0x1 addr=0x1",
      "cat-1 [001] 1.000001: rwmmio_other: f width=32 val=0x1 addr=0x1",
      "cat [001] 1.000001: rwmmio_write: f width=32 val=0x1 addr=0x1",
      "cat-1 [001] 1.000001: rwmmio_write: \u001b[31m width=32 val=0x1 addr=0x1",
    ]) {
      expect(() => read(new RwmmioImport("trace"), `# tracer: nop\n${line}\n`)).toThrow(/^trace:2: /);
    }
  });
});

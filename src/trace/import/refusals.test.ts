// tier: quick
// Lines that importers refuse, with their words; lines that they leave out and count; limits, at their last good and first bad place.
import { describe, expect, test } from "vitest";
import type { TraceEvent } from "../events.js";
import { eventsOfOtherRecords } from "../file/block-events.js";
import { lineMax_bytes, type TextImport } from "./log-import.js";
import { MmiotraceImport } from "./mmiotrace.js";
import { QemuImport } from "./qemu.js";
import { RwmmioImport } from "./rwmmio.js";
import { VfioImport } from "./vfio.js";

function read(reader: TextImport, text: string): TraceEvent[] {
  reader.push(Buffer.from(text, "latin1"));
  reader.finish();
  const records = reader.pieces().flatMap((piece) => ("records" in piece ? [piece.records] : []));
  return [...eventsOfOtherRecords(new Uint8Array(Buffer.concat(records)))];
}

const updatesOf = (reader: TextImport) =>
  reader.pieces().flatMap((piece) => ("update" in piece ? [piece.update.pciFunctions![0]!] : []));
const accessesOf = (events: TraceEvent[]) =>
  events.flatMap((event) => (event.kind === "read" || event.kind === "write" ? [event] : []));

describe("vfio", () => {
  const vfio = (...lines: string[]) => read(new VfioImport("log"), lines.map((line) => `${line}\n`).join(""));

  test.each([
    ["vfio_region_read  (0000:01:00.0:region2+0x8, 4) = ", "a hexadecimal number with 0x is missing at its end"],
    ["vfio_region_read  (0000:01:00.0:region2+0x8, 4) = 0x1 x", '"x" is too much at its end'],
    [
      "vfio_region_read  (0000:01:00.0:region2+8, 4) = 0x1",
      '"(0000:01:00.0:region2+8," isn\'t a hexadecimal number with 0x',
    ],
    ["vfio_region_read  (0000:01:00.0:region2+0x8,4) = 0x1", '"(0000:01:00.0:region2+0x8,4)" isn\'t ","'],
    ["vfio_region_read  (0000:01:00.0:region2+0x8, 4)  0x1", '"0x1" isn\'t ") ="'],
    ["vfio_region_write  (0000:01:00.0:region2+0x8, 0x1, 4", '")" is missing at its end'],
    ["vfio_region_write  (0000:01:00.0:region2+0x8, 0x1, x)", '"x)" isn\'t a decimal number'],
  ])("%s", (line, why) => {
    expect(() => vfio(line)).toThrow(`log:1: this isn't how QEMU writes a vfio_region line: ${why}`);
  });

  test.each([
    "vfio_region_read  0000:01:00.0:region2+0x8, 4) = 0x1",
    "vfio_region_read  (:region2+0x8, 4) = 0x1",
    "vfio_region_read  (0000:01:00.0:region+0x8, 4) = 0x1",
    "vfio_region_read  (0000:01:00.0:region12345+0x8, 4) = 0x1",
    `vfio_region_read  (${"x".repeat(65)}:region2+0x8, 4) = 0x1`,
    "vfio_region_read  (0000:01:00.0:region2x+0x8, 4) = 0x1",
    "vfio_region_read  (0000:01:00.0:region2",
  ])("%s", (line) => {
    expect(() => vfio(line)).toThrow("log:1: this isn't how QEMU writes a vfio_region line");
  });

  test("a device's name may have 64 characters, an access eight bytes, an offset 39 bits", () => {
    const name = "x".repeat(64);
    const [access] = accessesOf(vfio(`vfio_region_read  (${name}:region2+0x7fffffffff, 8) = 0xffffffffffffffff`));
    // 2^50 + 2 · 2^39 + offset
    expect(access).toMatchObject({ address: 0x4_017f_ffff_ffffn, width_bytes: 8, value: 2n ** 64n - 1n });
    expect(() => vfio("vfio_region_read  (d:region2+0x8000000000, 4) = 0x1")).toThrow(
      "log:1: offset 0x8000000000 is behind every BAR's end",
    );
    for (const width of [0, 9]) {
      expect(() => vfio(`vfio_region_read  (d:region2+0x8, ${width}) = 0x1`)).toThrow(
        `log:1: an access of ${width} bytes, which VFIO doesn't make`,
      );
    }
  });

  test("a BAR is as long as its accesses need: a power of two, at least 4096 bytes", () => {
    const reader = new VfioImport("log");
    const at = (offset: string, region = 0) => `vfio_region_write  (0000:01:00.0:region${region}+${offset}, 0x1, 4)\n`;
    reader.push(Buffer.from([at("0x0"), at("0xffc"), at("0xffd"), at("0x2000"), at("0x0", 6), at("0x10")].join("")));
    reader.finish();
    const lengths = updatesOf(reader).map(({ bars }) =>
      bars.map(({ index, length_bytes }) => `${index} ${length_bytes}`),
    );
    expect(lengths).toEqual([["0 0x1000"], ["0 0x2000"], ["0 0x4000"], ["0 0x4000", "6 0x1000"]]);
    expect(reader.notes).toEqual([
      ...["the physical addresses and the BARs' lengths are made up: the log has none", "the log has no times"],
    ]);
  });

  test("the ids that the guest read in one piece or two; other reads tell nothing", () => {
    const reader = new VfioImport("log");
    const config = (offset: string, length: string, value: string) =>
      `vfio_pci_read_config  (0000:01:00.0, @${offset}, len=${length}) ${value}\n`;
    reader.push(
      Buffer.from(
        config("0x0", "0x4", "0x100e8086") +
          config("0x0", "0x4", "0x100e8086") +
          config("0x4", "0x2", "0x107") +
          config("0x3", "0x2", "0x1") +
          config("0x0", "0x1", "0x99") +
          config("0x0", "0x2", "0x10de") +
          config("0x2", "0x2", "0xffff1d81"),
      ),
    );
    expect(updatesOf(reader).map(({ vendor, device }) => `${vendor}:${device}`)).toEqual([
      ...["0x8086:0x100e", "0x10de:0x100e", "0x10de:0x1d81"],
    ]);
    expect(() => vfio("vfio_pci_read_config  (0000:01:00.0, @0, len=0x4) 0x1")).toThrow(
      "log:1: this isn't how QEMU writes a vfio_pci_read_config line",
    );
  });

  test("no more than 256 devices", () => {
    const line = (device: number) => `vfio_region_write  (d${device}:region0+0x0, 0x1, 4)`;
    const lines = Array.from({ length: 256 }, (_, device) => line(device));
    expect(accessesOf(vfio(...lines, line(0)))).toHaveLength(257);
    expect(() => vfio(...lines, line(256))).toThrow("log:257: more than 256 devices");
  });

  test("accesses to other regions are left out and counted", () => {
    const reader = new VfioImport("log");
    const line = (region: number) => `vfio_region_write  (d:region${region}+0x0, 0x1, 4)\n`;
    expect(accessesOf(read(reader, line(6) + line(7) + line(8)))).toHaveLength(1);
    expect(reader.notes[0]).toBe("2 accesses to no BAR are left out");
  });

  test("a last line without its end is taken if it is a whole write", () => {
    const write = "vfio_region_write  (d:region0+0x0, 0x1, 4)";
    expect(accessesOf(read(new VfioImport("log"), `${write}\n${write}`))).toHaveLength(2);
    for (const half of [write.slice(0, -1), "vfio_region_read  (d:region0+0x0, 4) = 0x1"]) {
      const reader = new VfioImport("log");
      expect(accessesOf(read(reader, `${write}\n${half}`))).toHaveLength(1);
      expect(reader.incomplete).toEqual(["the log is cut within its last line, 2"]);
    }
  });
});

describe("qemu", () => {
  const line = (changes: Record<string, string> = {}) => {
    const { kind, cpu, mr, addr, value, size, rest } = {
      ...{ kind: "ops_read", cpu: "0", mr: "0x5", addr: "0xfebc0008", value: "0x1", size: "4", rest: " name 'nic'" },
      ...changes,
    };
    return `memory_region_${kind} cpu ${cpu} mr ${mr} addr ${addr} value ${value} size ${size}${rest}\n`;
  };
  const qemu = (text: string) => read(new QemuImport("log"), text);

  test.each<[Record<string, string>, string]>([
    [{ cpu: "x" }, '"x" isn\'t a decimal number'],
    [{ cpu: "-2" }, "\"-2\" isn't a CPU's number"],
    [{ cpu: "65535" }, "\"65535\" isn't a CPU's number"],
    [{ mr: "5" }, '"5" isn\'t a hexadecimal number with 0x'],
    [{ addr: "0x" }, '"0x" isn\'t a hexadecimal number with 0x'],
    [{ size: "" }, '"name" isn\'t a decimal number'],
    [{ rest: " nume 'nic'" }, '"nume" isn\'t "name \'"'],
    [{ rest: " name 'nic" }, '"\'nic" isn\'t "\'"'],
    [{ rest: " name '" }, "a name in quotes is missing at its end"],
  ])("%j is refused", (changes, why) => {
    expect(() => qemu(line(changes))).toThrow(`log:1: this isn't how QEMU writes a memory_region line: ${why}`);
  });

  test.each([
    ["ops_read", "read"],
    ["ops_fetch", "read"],
    ["ram_device_read", "read"],
    ["ops_write", "write"],
    ["ram_device_write", "write"],
  ])("%s is a %s", (kind, wanted) => {
    expect(accessesOf(qemu(line({ kind }))).map((event) => event.kind)).toEqual([wanted]);
  });

  test("its widths are 1 to 8 bytes, its CPUs -1 to 65534", () => {
    for (const size of ["1", "8"])
      expect(accessesOf(qemu(line({ size })))).toMatchObject([{ width_bytes: Number(size) }]);
    for (const size of ["0", "9"]) {
      expect(() => qemu(line({ size }))).toThrow(`log:1: an access of ${size} bytes, which no region takes`);
    }
    expect(accessesOf(qemu(line({ cpu: "-1" }) + line({ cpu: "65534" }))).map(({ cpu }) => cpu)).toEqual([
      65_535, 65_534,
    ]);
  });

  test("ports are left out, memory begins behind them", () => {
    const reader = new QemuImport("log");
    const events = accessesOf(
      read(reader, line({ addr: "0xffff" }) + line({ addr: "0x10000" }) + line({ addr: "0x70" })),
    );
    expect(events.map(({ address }) => address)).toEqual([0x1_0000n]);
    expect(reader.notes).toEqual(["2 port accesses are left out", "the log has no times"]);
  });

  test("devices' own accesses are noted; ports' alone leave nothing to note of times", () => {
    const reader = new QemuImport("log");
    read(reader, line({ cpu: "-1" }));
    expect(reader.notes).toEqual(["1 access was made by devices, shown as CPU 65535", "the log has no times"]);
    const ports = new QemuImport("log");
    read(ports, line({ addr: "0x70" }));
    expect([ports.notes, ports.totals.accesses]).toEqual([["1 port access is left out"], 0]);
  });

  test("regions are told apart by pointer and name, and announced once", () => {
    const events = qemu(
      line() +
        line({ mr: "0x6" }) +
        line() +
        line({ rest: " name 'disk'" }) +
        line({ mr: "0x7", rest: "" }) +
        line({ mr: "0x7", rest: "" }),
    );
    expect(accessesOf(events).map(({ mapping }) => mapping)).toEqual([1, 2, 1, 3, 4, 4]);
    expect(events.flatMap((event) => (event.kind === "mark" ? [event.text] : []))).toEqual([
      ...["region 1 is nic", "region 2 is nic", "region 3 is disk", "region 4 is 0x7"],
    ]);
  });

  test("a value and an address have 64 bits", () => {
    expect(
      accessesOf(qemu(line({ addr: "0x8000000012345678", value: "0xfedcba9876543210", size: "8" }))),
    ).toMatchObject([{ address: 0x8000_0000_1234_5678n, value: 0xfedc_ba98_7654_3210n }]);
  });
});

describe("rwmmio", () => {
  const head = " cat-1 [001] ..... 1.000001: rwmmio_";
  const rwmmio = (...lines: string[]) => read(new RwmmioImport("log"), lines.map((line) => `${line}\n`).join(""));

  test.each([
    `${head}write foo width=32 val=0x1 addr=0x8`,
    `${head}write:foo width=32 val=0x1 addr=0x8`,
    `${head}wrote: foo width=32 val=0x1 addr=0x8`,
    `${head}write: foo val=0x1 addr=0x8`,
    `${head}write: width=32 val=0x1 addr=0x8`,
    `${head}write: foo width=32 addr=0x8`,
    `${head}write: foo width=32 val=0x1 addr=0x8 `,
    `${head}write: foo width=32 val=0x12345678901234567 addr=0x8`,
    `${head}read: foo width=32 val=0x1 addr=`,
    `${head}read: foo width=3232 addr=0x8`,
    "cat-1 [001] ..... 1.00001: rwmmio_write: foo width=32 val=0x1 addr=0x8",
    "cat-x [001] ..... 1.000001: rwmmio_write: foo width=32 val=0x1 addr=0x8",
    "cat-1 001 ..... 1.000001: rwmmio_write: foo width=32 val=0x1 addr=0x8",
  ])("%s", (line) => {
    expect(() => rwmmio(line)).toThrow("log:1: this isn't how ftrace writes an rwmmio event");
  });

  test("widths are those of instructions", () => {
    const line = (width: number) => `${head}write: foo width=${width} val=0x1 addr=0x8`;
    expect(accessesOf(rwmmio(line(8), line(16), line(32), line(64))).map(({ width_bytes }) => width_bytes)).toEqual([
      1, 2, 4, 8,
    ]);
    for (const width of [0, 1, 24, 128]) {
      expect(() => rwmmio(line(width))).toThrow(`log:1: an access of ${width} bits, which no CPU makes`);
    }
  });

  test("names are those of functions, of at most 160 characters", () => {
    const line = (name: string) => `${head}write: ${name} width=32 val=0x1 addr=0x8`;
    expect(
      accessesOf(rwmmio(line("f".repeat(160)), line("a.b$c+0x1/0x2 [m]"), line("ns::f(int*) const&"))),
    ).toHaveLength(3);
    expect(() => rwmmio(line("f".repeat(161)))).toThrow(`log:1: "${"f".repeat(40)}" can't be a function's name`);
    expect(() => rwmmio(line('a"b\u0001'))).toThrow(`log:1: "a"b·" can't be a function's name`);
  });

  test.each([
    [".....", "task"],
    ["d.h1.", "hardirq"],
    ["d.s1.", "softirq"],
    ["d.H1.", 3],
    ["d.Z1.", "nmi"],
    ["d.z1.", "nmi"],
    ["d.h1", "hardirq"],
  ])("the letters %s are the context %s", (letters, context) => {
    const flags = { task: 0, hardirq: 1, softirq: 2, nmi: 4 }[context as string] ?? context;
    const reader = new RwmmioImport("log");
    const line = `cat-1 [001] ${letters} 1.000001: rwmmio_write: foo width=32 val=0x1 addr=0x8\n`;
    expect(accessesOf(read(reader, line))).toMatchObject([{ flags, cpu: 1, pid: 1, tsc: 1_000_001n }]);
    expect(reader.header!.lacks).toEqual(["flags", "mapping", "caller"]);
  });

  test("a log without letters lacks contexts, one with arrows has callers", () => {
    const lacksOf = (line: string) => {
      const reader = new RwmmioImport("log");
      read(reader, `${line}\n`);
      return reader.header!.lacks;
    };
    const rest = "width=32 val=0x1 addr=0x8";
    expect(lacksOf(`cat-1 [001] 1.000001: rwmmio_write: foo ${rest}`)).toEqual([
      "flags",
      "mapping",
      "context",
      "caller",
    ]);
    expect(lacksOf(`cat-1 [001] 1.000001: rwmmio_write: a -> b ${rest}`)).toEqual(["flags", "mapping", "context"]);
  });

  test("a thread group's number before the CPU, and idle processes on two CPUs", () => {
    const line = (task: string, event: string, rest: string) => `${task} 1.000001: rwmmio_${event}: f ${rest}\n`;
    const reader = new RwmmioImport("log");
    const events = read(
      reader,
      line("cat-12 ( 9) [002]", "write", "width=32 val=0x1 addr=0x8") +
        line("<idle>-0 [000]", "read", "width=32 addr=0x8") +
        line("<idle>-0 [001]", "post_read", "width=32 val=0x2 addr=0x8") +
        line("x-7 [000]", "read", "width=32 addr=0x8") +
        line("x-7 [001]", "post_read", "width=32 val=0x3 addr=0x8"),
    );
    expect(accessesOf(events)).toMatchObject([{ cpu: 2, pid: 12 }, { pid: 0 }, { pid: 7 }]);
    // the first idle CPU's read has no value; the process went to another CPU
    expect(reader.incomplete).toEqual(["1 read has no value in the log: no rwmmio_post_read follows"]);
  });

  test("the last line without its end may lack digits: it is left out", () => {
    const line = `${head}write: foo width=32 val=0x1 addr=0x8`;
    const reader = new RwmmioImport("log");
    expect(accessesOf(read(reader, `${line}\n${line}`))).toHaveLength(1);
    expect(reader.incomplete).toEqual(["the log is cut within its last line, 2"]);
    expect(reader.notes).toEqual([
      "the addresses are the kernel's virtual ones; --vmallocinfo makes physical ones of them",
    ]);
  });
});

describe("mmiotrace", () => {
  const access = "R 4 1.000010 1 0xfebc0008 0x80080783 0x0 0";
  const trace = (...lines: string[]) => {
    const reader = new MmiotraceImport("log");
    return { reader, events: read(reader, lines.map((line) => `${line}\n`).join("")) };
  };

  test("a line as the kernel writes it is taken with all of its bits", () => {
    const { events, reader } = trace(
      "VERSION 20070824",
      "W 8 12345678.654321 -1 0xfedcba9876543210 0x123456789abcdef 0xffffffffc0000123 0",
      "R 0 0.000000 2147483647 0x0 0x0 0x0 0",
    );
    expect(accessesOf(events)).toMatchObject([
      {
        ...{
          kind: "write",
          width_bytes: 8,
          tsc: 12_345_678_654_321n,
          mapping: 0xffff_ffff,
          address: 0xfedc_ba98_7654_3210n,
        },
        ...{ value: 0x123_4567_89ab_cdefn, site: 0xffff_ffff_c000_0123n },
      },
      { kind: "read", width_bytes: 0, tsc: 0n, mapping: 0x7fff_ffff },
    ]);
    expect(reader.totals).toMatchObject({ accesses: 2, unusualLines: 0, unknownLines: 0, lines: 3 });
  });

  test("its first event comes within 8 MiB, and its devices are at most 16384", () => {
    // each line with its end has 16 KiB
    const headOf = (lines: number, more: string) => [...Array.from({ length: lines }, () => "x".repeat(16_383)), more];
    const { reader } = trace(...headOf(511, "x".repeat(16_383)), access);
    expect(reader.totals).toMatchObject({ accesses: 1, unknownLines: 512, lines: 513 });
    expect(() => trace(...headOf(511, "x".repeat(16_384)))).toThrow("log:512: no event in the first 8388608 bytes");
    const device = "PCIDEV 0018 8086100e b 0 0 0 0 0 0 0 0 0 0 0 0 0 0 e1000";
    const devices = (count: number) => Array.from({ length: count }, () => device);
    expect(trace(...devices(16_384), access).reader.totals.accesses).toBe(1);
    expect(() => trace(...devices(16_385))).toThrow("log:16385: more than 16384 PCI devices");
  });

  test("its summary counts, and has notes and losses without a number only if there are some", () => {
    const counts = { accesses: 1, lost: 0, escaped: 0, missed: 0, unrecorded: 0, mappings: 0, incomplete: [] };
    expect(trace(access.replace(" 1 ", " -1 ")).reader.summary).toEqual(counts);
    const { summary } = trace(access, "CPU:3 [LOST EVENTS]", "CPU:3 [LOST 7 EVENTS]", "CPU:1 [LOST EVENTS]").reader;
    expect(summary).toEqual({
      ...{ ...counts, lost: 7, lostUncounted: 2 },
      notes: ["1 access uses a mapping that the log doesn't show being made: it may have begun later"],
      incomplete: [
        "7 events were lost when the log was made",
        "events were lost in 2 places, and the log doesn't say how many",
      ],
    });
  });

  test("a mapping's number has 32 bits", () => {
    for (const mapping of ["2147483648", "-2147483649"]) {
      expect(() => trace("VERSION 20070824", access.replace(" 1 ", ` ${mapping} `))).toThrow(
        `log:2: this isn't how mmiotrace writes an access: "${mapping}" isn't a mapping's number`,
      );
    }
    expect(trace("VERSION 20070824", access.replace(" 1 ", " -2147483648 ")).reader.totals.accesses).toBe(1);
  });

  test.each([
    ["two blanks", "R  4 1.000010 1 0xfebc0008 0x1 0x0 0"],
    ["a tab", "R\t4 1.000010 1 0xfebc0008 0x1 0x0 0"],
    ["capitals", "R 4 1.000010 1 0xFEBC0008 0x1 0x0 0"],
    ["a leading zero", "R 4 1.000010 1 0xfebc0008 0x01 0x0 0"],
    ["a process", "R 4 1.000010 1 0xfebc0008 0x1 0x0 10"],
    ["no process", "R 4 1.000010 1 0xfebc0008 0x1 0x0"],
    ["no site", "R 4 1.000010 1 0xfebc0008 0x1"],
    ["a blank at the end", "R 4 1.000010 1 0xfebc0008 0x1 0x0 0 "],
    ["a carriage return alone", "R 4 1.000010 1 0xfebc0008 0x1 0x0 0\r"],
  ])("an access with %s is understood, and counted as unusual", (_name, line) => {
    const { events, reader } = trace("VERSION 20070824", line);
    expect(accessesOf(events)).toMatchObject([
      { kind: "read", width_bytes: 4, tsc: 1_000_010n, address: 0xfebc_0008n, value: 1n, site: 0n },
    ]);
    expect(reader.totals).toMatchObject({ accesses: 1, unusualLines: 1, unknownLines: 0 });
    expect(reader.notes).toContain(
      "1 line isn't written as the kernel writes them; in a new log they are in the kernel's way",
    );
  });

  test("lines after the first event are mappings, ends, unknown instructions, marks", () => {
    const { events, reader } = trace(
      ...["VERSION 20070824", access, "MAP 1.000020 7 0xfe000000 0xffffc90000000000 0x1000 0x0 0"],
      ...[
        "UNKNOWN 1.000030 7 0xfe000010 0f,6f,00 0xffffffffc0000001 0",
        "UNMAP 1.000040 7 0x0 0",
        "MARK 1.000050 here, now",
      ],
      ...["UNMAP 1.000060 7 0x0 0", "PCIDEV 0018 8086100e b 0 0 0 0 0 0 0 0 0 0 0 0 0 0 e1000", "other words"],
    );
    expect(events.slice(1)).toMatchObject([
      {
        kind: "map",
        tsc: 1_000_020n,
        mapping: 7,
        address: 0xfe00_0000n,
        length_bytes: 0x1000n,
        decoy: 0xffff_c900_0000_0000n,
      },
      {
        kind: "escape",
        tsc: 1_000_030n,
        mapping: 7,
        address: 0xfe00_0010n,
        instruction: Uint8Array.of(0x0f, 0x6f, 0),
        site: 0xffff_ffff_c000_0001n,
      },
      {
        kind: "unmap",
        tsc: 1_000_040n,
        mapping: 7,
        address: 0xfe00_0000n,
        length_bytes: 0x1000n,
        decoy: 0xffff_c900_0000_0000n,
      },
      { kind: "mark", tsc: 1_000_050n, text: "here, now" },
      { kind: "unmap", tsc: 1_000_060n, mapping: 7, address: 0n, length_bytes: 0n, decoy: 0n },
      { kind: "mark", tsc: 0n, text: "PCIDEV 0018 8086100e b 0 0 0 0 0 0 0 0 0 0 0 0 0 0 e1000" },
      { kind: "mark", tsc: 0n, text: "other words" },
    ]);
    expect(reader.totals).toMatchObject({ accesses: 1, mappings: 1, escaped: 1, unknownLines: 1, unusualLines: 0 });
    expect(reader.notes).toContain("1 line says nothing known; kept as marks");
    expect(reader.summary.incomplete).toEqual(["1 instruction wasn't understood when the log was made"]);
  });

  test.each([
    ["MAP 1.000020 7 0xfe000000 0xff 0x1000 0x1 0", 1],
    ["MAP 1.000020 7 0xfe000000 0xff 0x1000", 1],
    ["UNMAP 1.000020  7 0x0 0", 1],
    ["UNMAP 1.000020 7 0x0 0\r", 1],
    ["UNKNOWN 1.000020 7 0x10 0f,6F,00 0x0 0", 0],
    ["MARK 01.000020 x", 1],
    ["MARK 1.000020", 0],
  ])("%j is understood, unusual: %i", (line, unusual) => {
    expect(trace("VERSION 20070824", line).reader.totals.unusualLines).toBe(unusual);
  });

  test.each([
    ["UNMAP 1.000000 x 0x0 0", 'the end of a mapping: "x" isn\'t a decimal number'],
    [
      "UNKNOWN 1.000000 1 0x10 f,6f,00 0x0 0",
      'an unknown instruction: "f,6f,00" isn\'t three bytes of two digits each',
    ],
    ["MARK 1.00000 x", 'a mark: "1.00000" isn\'t a time in seconds with six decimals'],
    ["MARK 1.000000x", 'a mark: "1.000000x" isn\'t " "'],
  ])("%j is refused", (line, why) => {
    expect(() => trace("VERSION 20070824", line)).toThrow(`log:2: this isn't how mmiotrace writes ${why}`);
  });

  test("no more than 16384 mappings are alive at once", () => {
    const map = (id: number) => `MAP 1.000000 ${id} 0xfe000000 0xff 0x1000 0x0 0`;
    const all = Array.from({ length: 16_384 }, (_, id) => map(id));
    expect(trace(...all, "UNMAP 1.000000 3 0x0 0", map(3)).reader.totals.mappings).toBe(16_385);
    expect(() => trace(...all, map(16_384))).toThrow("log:16385: more than 16384 mappings at the same time");
  });

  test("the greatest count of lost events has 64 bits", () => {
    const lost = (count: bigint) => `MARK 0.000000 Lost ${count} events.`;
    expect(trace(access, lost(2n ** 64n - 1n)).events.at(-1)).toMatchObject({ kind: "lost", count: 2n ** 64n - 1n });
    expect(() => trace(access, lost(2n ** 64n))).toThrow("log:2: more events lost than can be counted");
  });

  test("half a last line is left out with its words, at most 60 characters of them", () => {
    for (const [half, shown] of [
      ["R 4 1.00", '"R 4 1.00"'],
      [
        "MARK 1.000000 \x01 a mark that may go on and on and on and on, who k",
        '"MARK 1.000000 · a mark that may go on and on and on and on, …"',
      ],
      ["x".repeat(60), `"${"x".repeat(60)}"`],
    ] as const) {
      const reader = new MmiotraceImport("log");
      read(reader, `VERSION 20070824\n${access}\n${half}`);
      expect(reader.incomplete).toEqual([`the log is cut within its last line, 3: ${shown}`]);
    }
    const whole = new MmiotraceImport("log");
    expect(accessesOf(read(whole, `VERSION 20070824\n${access}`))).toHaveLength(1);
    expect(whole.incomplete).toEqual([]);
  });
});

test("a line of 16384 bytes is read, a longer one isn't, whether its end has come or not", () => {
  const words = (length: number) => "x".repeat(length);
  const access = "memory_region_ops_read cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4\n";
  expect(accessesOf(read(new QemuImport("log"), `${access}${words(lineMax_bytes)}\n${access}`))).toHaveLength(2);
  const tooLong = "log:2: the line is longer than 16384 bytes, which none of this format is";
  expect(() => read(new QemuImport("log"), `${access}${words(lineMax_bytes + 1)}\n`)).toThrow(tooLong);
  expect(() => new QemuImport("log").push(Buffer.from(`${access}${words(lineMax_bytes + 1)}`))).toThrow(tooLong);
  new QemuImport("log").push(Buffer.from(`${access}${words(lineMax_bytes)}`));
});

test("a log may come in pieces of any length, and its bytes may be used again", () => {
  const text = "VERSION 20070824\nR 4 1.000010 1 0xfebc0008 0x80080783 0x0 0\nMARK 1.000020 here\n";
  for (let length = 1; length < text.length; length += 7) {
    const reader = new MmiotraceImport("log");
    const piece = Buffer.alloc(length);
    for (let at = 0; at < text.length; at += length) {
      const used = piece.write(text.slice(at, at + length), "latin1");
      reader.push(piece.subarray(0, used));
      piece.fill(0x58);
    }
    expect(read(reader, "")).toMatchObject([
      { kind: "read", value: 0x8008_0783n },
      { kind: "mark", text: "here" },
    ]);
    expect(reader.totals).toMatchObject({ lines: 3, accesses: 1, unknownLines: 0 });
  }
});

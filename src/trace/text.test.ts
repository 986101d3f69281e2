// tier: quick
import { describe, expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../dev/test-support/made-up-records.js";
import type { AccessEvent } from "./events.js";
import { eventsOfOtherRecords } from "./file/block-events.js";
import type { TraceHeader } from "./header.js";
import { functionInRecord, RecordFlag, RecordKind } from "./record.js";
import { type DevicePlace, TraceState } from "./state.js";
import { shortSymbol, TextWriter } from "./text.js";

const site = 0xffffffffc0000123n;
const start = 0x1_0000_0000_0000n;

function linesOf(list: RecordList, writer = new TextWriter(madeUpHeader())): string[] {
  const state = new TraceState(madeUpHeader());
  const lines = [];
  for (const event of eventsOfOtherRecords(list.records)) {
    state.apply(event);
    const line = writer.line(event, state);
    if (line !== "") lines.push(line);
  }
  return lines;
}

describe("report's lines", () => {
  test("an access: time, CPU, direction and width, device, register, value, site", () => {
    const list = new RecordList();
    list.addText({ kind: RecordKind.symbol, site }, "e1000_reset_hw+0x12/0x3f0 [e1000]");
    list.add({
      kind: RecordKind.read,
      address: 0xfebc0008n,
      width: 4,
      value: [0x80783n, 0n],
      site,
      cpu: 1,
      tsc: start + 4n,
    });
    const tell = (_event: unknown, { bar, offset }: DevicePlace) => ({
      name: `REG${bar}_${offset}`,
      meaningOf: () => "FD | LU",
    });
    expect(linesOf(list, new TextWriter(madeUpHeader(), tell))).toEqual([
      " 0.000000002   1 R 4   0000:00:04.0 e1000 BAR0+0x00008      REG0_8                 0x00080783 e1000_reset_hw+0x12 [e1000]                { FD | LU }\n",
    ]);
  });

  test("a value that is an address in a DMA buffer names the place, before a remark and the meaning", () => {
    const list = new RecordList();
    const { mapping, value } = functionInRecord({ device: "0000:00:04.0", value: 0x1000n });
    list.add({ kind: RecordKind.dmaMap, mapping, address: 0x315b000n, value: [0n, value], tsc: start });
    list.add({ kind: RecordKind.write, address: 0xfebc0008n, width: 4, value: [0x315b040n, 0n], tsc: start });
    const state = new TraceState(madeUpHeader());
    const [map, access] = [...eventsOfOtherRecords(list.records)];
    state.apply(map!);
    const noteOf = (remark?: string, meaning?: string) => {
      const tell = () => ({ name: "TDBAL", meaningOf: () => meaning });
      const writer = new TextWriter(madeUpHeader(), tell);
      return writer.accessLine(access as AccessEvent, state, remark).replace(/^.*0x0315b040 */, "");
    };
    expect(noteOf()).toBe("dma#1+0x40\n");
    expect(noteOf("again", "RING")).toBe("dma#1+0x40 again { RING }\n");
  });

  test("the head: machine, kernel, time, engine and filter; of an import its origin", () => {
    const first = (changes: Partial<TraceHeader>) => new TextWriter(madeUpHeader(changes)).head().split("\n")[0];
    const clock = { ...madeUpHeader().clock, wall_ns: `0x${1_700_000_000_123_456_789n.toString(16)}` as const };
    expect(first({ clock })).toBe("# lab, Linux 6.1.0, 4 CPUs, 2023-11-14 22:13:20 UTC, engine emulate (all)");
    const { machine, options } = madeUpHeader();
    for (const host of ["", "(none)"]) {
      expect(first({ machine: { ...machine, host }, options: { ...options, filter: [] }, clock })).toBe(
        "# Linux 6.1.0, 4 CPUs, 2023-11-14 22:13:20 UTC, engine emulate",
      );
    }
    expect(first({ engine: "import", producer: "QEMU" })).toBe("# imported from QEMU");
  });

  test("a site outside of the driver has its caller", () => {
    const list = new RecordList();
    list.addText({ kind: RecordKind.symbol, site: 0xffffffff81234567n }, "ioread8+0x31/0x60");
    list.addText({ kind: RecordKind.symbol, site }, "e100_eeprom_read+0x9a/0x120 [e100]");
    const access = { kind: RecordKind.read, address: 0xfebc0000n, width: 1, site: 0xffffffff81234567n, tsc: start };
    list.add({ ...access, caller: 0xc0000123 });
    list.add({ ...access, kind: RecordKind.escape, caller: 0xc0000124 });
    expect(linesOf(list).map((line) => line.trimEnd().replace(/.* (?=ioread8)/, ""))).toEqual([
      "ioread8+0x31 from e100_eeprom_read+0x9a [e100]",
      "ioread8+0x31 from 0xffffffffc0000124",
    ]);
  });

  test("an address in no BAR and an unknown site are shown as numbers, special accesses by letters", () => {
    const list = new RecordList();
    const flags = RecordFlag.locked | RecordFlag.user;
    list.add({ kind: RecordKind.write, address: 0xfed00000n, width: 8, value: [5n, 0n], site, flags, tsc: start });
    expect(linesOf(list)[0]!.split(/ +/).slice(1)).toEqual([
      "0.000000000",
      "0",
      "Wlu",
      "8",
      "0xfed00000",
      "0x0000000000000005",
      "0xffffffffc0000123\n",
    ]);
  });

  test("everything else", () => {
    const list = new RecordList();
    const at = { tsc: start + 2_000_000n, cpu: 1 };
    list.add({ ...at, kind: RecordKind.map, address: 0xfebc0000n, value: [0x20000n, 1n], mapping: 3, width: 1 });
    list.add({ ...at, kind: RecordKind.escape, address: 0xfebc0010n, value: [0x006f0fn, 0n], width: 3, site });
    const unrecorded = { ...at, kind: RecordKind.unrecorded, address: 0xfebc0000n, pid: 812 };
    list.add({ ...unrecorded, value: [0x1000n, 1n], width: 4, site });
    list.add({ ...unrecorded, value: [0x8000n, 5n], width: 5 });
    list.add({ ...unrecorded, address: 0n, value: [0n, 9n] });
    list.add({ ...at, kind: RecordKind.lost, value: [7n, 0n] });
    list.addText({ ...at, kind: RecordKind.mark }, "hello\u001b[31m");
    list.addText({ ...at, kind: RecordKind.module, site: 0xffffffffc0000000n, mapping: 4096 }, "e1000");
    list.addText(
      { ...at, kind: RecordKind.module, site: 0xffffffffc0000000n, mapping: 4096, flags: RecordFlag.gone },
      "e1000",
    );
    list.add({ ...at, kind: RecordKind.unmap, address: 0xfebc0000n, value: [0x20000n, 1n], mapping: 3 });
    expect(linesOf(list).map((line) => line.slice(" 0.001000000   1 -- ".length))).toEqual([
      "map #3: 0x20000 bytes at 0000:00:04.0 e1000 BAR0+0x00000, write-combining\n",
      "ESCAPED: 0000:00:04.0 e1000 BAR0+0x00010, instruction 0f 6f 00, by 0xffffffffc0000123\n",
      "UNRECORDED: 0000:00:04.0 e1000 BAR0+0x00000, 0x1000 bytes, was mapped by remap_pfn_range() for process 812, called by 0xffffffffc0000123\n",
      "UNRECORDED: parts of 0000:00:04.0 e1000 BAR0+0x00000, 0x8000 bytes, were mapped 5 times by vmf_insert_pfn() for process 812\n",
      "UNRECORDED: 9 more mappings were made without a decoy\n",
      "LOST: 7 records, the ring was full\n",
      "mark: hello·[31m\n",
      "module e1000 came: 4096 bytes of text at 0xffffffffc0000000\n",
      "module e1000 went\n",
      "unmap #3: 0000:00:04.0 e1000 BAR0+0x00000\n",
    ]);
  });

  test("a log's own lines: its losses, mappings without a kind of memory, no CPUs and no times", () => {
    const header = madeUpHeader({
      engine: "import",
      lacks: ["cpu"],
      clock: { ...madeUpHeader().clock, tscFrequency_hz: 1_000_000 },
    });
    const list = new RecordList();
    const at = { tsc: start + 1_500_000n, cpu: 1 };
    list.add({ ...at, kind: RecordKind.map, address: 0xfed00000n, value: [0x1000n, 1n], mapping: 3, site });
    list.add({ ...at, kind: RecordKind.lost, value: [1n, 0n] });
    list.add({ kind: RecordKind.lost, value: [0n, 0n], cpu: 1 });
    list.add({ ...at, kind: RecordKind.lost, value: [2n, 0n], flags: RecordFlag.gone });
    list.add({ ...at, kind: 99 });
    const lines = linesOf(list, new TextWriter(header));
    expect(lines).toEqual([
      "    1.500000     -- map #3: 0x1000 bytes at 0xfed00000, by 0xffffffffc0000123\n",
      "    1.500000     -- LOST: 1 record, as the log says\n",
      "                 -- LOST: an unknown number of records, as the log says\n",
      "    1.500000     -- LOST: 2 records in a damaged part of the trace\n",
      "    1.500000     -- a record of kind 99, which this version doesn't know\n",
    ]);
  });

  test("values have all digits of their width, letters stand in their order", () => {
    const list = new RecordList();
    const access = { kind: RecordKind.read, address: 0xfed00000n, tsc: start };
    for (const [width, value] of [
      [1, 5n],
      [2, 5n],
      [4, 0x1_0000_0005n],
      [8, 5n],
    ] as const) {
      list.add({ ...access, width, value: [value, 0n] });
    }
    const { locked, string, user, unordered } = RecordFlag;
    list.add({ ...access, kind: RecordKind.write, width: 2, flags: locked | string | user | unordered });
    expect(linesOf(list).map((line) => line.trimEnd().split(/ +/).slice(3).join(" "))).toEqual([
      ...[
        "R 1 0xfed00000 0x05",
        "R 2 0xfed00000 0x0005",
        "R 4 0xfed00000 0x100000005",
        "R 8 0xfed00000 0x0000000000000005",
      ],
      "Wlsu? 2 0xfed00000 0x0000",
    ]);
  });

  test("a remark stands before the meaning, and each part is painted by its own name", () => {
    const list = new RecordList();
    list.add({ kind: RecordKind.read, address: 0xfebc0008n, width: 4, value: [5n, 0n], site, tsc: start });
    const tell = () => ({ name: "STATUS", meaningOf: () => "FD" });
    const state = new TraceState(madeUpHeader());
    const [event] = [...eventsOfOtherRecords(list.records)];
    const writer = new TextWriter(madeUpHeader(), tell, (part, text) => `<${part}:${text.trim()}>`);
    if (event?.kind !== "read") throw new Error("a read was made");
    const parts = [...writer.accessLine(event, state, "3 times").matchAll(/<(\w+):([^>]*)>/g)].map((match) => match[0]);
    expect(parts).toEqual([
      ...["<time:0.000000000   0>", "<read:R 4>", "<where:0000:00:04.0 e1000 BAR0+0x00008>", "<register:STATUS>"],
      ...["<value:0x00000005>", "<site:0xffffffffc0000123>", "<note:3 times>", "<meaning:{ FD }>"],
    ]);
    expect(writer.head()).toMatch(/^<head:# lab, Linux .*>\n<head:time\/s cpu .*site>\n$/);
  });

  test("a symbol is shown without its length", () => {
    expect(shortSymbol("ioread32+0x1a/0x40")).toBe("ioread32+0x1a");
    expect(shortSymbol("f+0x0/0x10 [m]")).toBe("f+0x0 [m]");
  });
});

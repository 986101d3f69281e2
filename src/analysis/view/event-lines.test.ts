// tier: quick
// Interrupts and DMA in each form that a trace is shown in: lines, filters, tables, mmiotrace's text, Chrome's trace; and in parts of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { mapSelected, traceOf } from "../../../dev/test-support/recorded-traces.js";
import { builtInFor } from "../../registers/files/index.js";
import { ChromeTrace } from "../../trace/export/chrome-trace.js";
import { EventRows } from "../../trace/export/event-rows.js";
import { MmiotraceWriter } from "../../trace/export/mmiotrace.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { TraceHeader } from "../../trace/header.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { openTrace } from "../../trace/node/file-source.js";
import { callerInRecord, functionInRecord, RecordFlag, RecordKind } from "../../trace/record.js";
import { TextWriter } from "../../trace/text.js";
import { cutTrace } from "../cut-merge/cut-trace.js";
import { mergeTraces } from "../cut-merge/merge-traces.js";
import { compileFilter } from "../filter/filter.js";
import { AccessRegisters } from "./access-registers.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-lines-"));
afterAll(() => rmSync(directory, { recursive: true }));

const nic = "0000:00:04.0";
const [handler, setup, library] = [0xffffffffc0001000n, 0xffffffffc0001100n, 0xffffffff81000000n];
const start = BigInt(madeUpHeader().clock.tsc);
const coherent = 0;
const streamingToDevice = (3 << 2) | 1;

/** A driver that gives its device a ring, tells it the ring's place, and handles an interrupt. */
function driverAtWork(): RecordList {
  const list = new RecordList();
  let tsc = start;
  const next = () => {
    tsc += 2_000n;
    return tsc;
  };
  const about = (result: bigint, device = nic) => {
    const { mapping, value } = functionInRecord({ device, value: result });
    return { mapping, value: [0n, value] as [bigint, bigint], tsc: next() };
  };
  const access = { kind: RecordKind.write, width: 4, mapping: 1, site: setup };
  list.addText({ kind: RecordKind.symbol, site: handler }, "nic_intr+0x0/0x40 [nic]");
  list.addText({ kind: RecordKind.symbol, site: setup }, "nic_setup+0x20/0x80 [nic]");
  list.addText({ kind: RecordKind.symbol, site: library }, "dma_pool_alloc+0x8/0x90");
  list.add({ ...about(0x800n), kind: RecordKind.dmaUnmap, address: 0x7000n, width: streamingToDevice });
  const ring = about(0x1000n);
  list.add({
    ...{ ...ring, value: [0x8000_1000n, ring.value[1]], kind: RecordKind.dmaMap, address: 0x1_2345_6000n },
    ...{ width: coherent, site: library, caller: callerInRecord(setup) },
  });
  const packet = about(0x5een);
  list.add({
    ...{ ...packet, value: [0x2000n, packet.value[1]], kind: RecordKind.dmaMap, address: 0x2000n },
    ...{ width: streamingToDevice, site: setup },
  });
  list.add({ ...access, address: 0xfebc3800n, value: [0x2345_6040n, 0n], tsc: next() });
  list.add({ ...access, address: 0xfebc3804n, value: [1n, 0n], tsc: next() });
  const entry = about(0n);
  list.add({
    ...{ ...entry, value: [35n, entry.value[1]], kind: RecordKind.irqEntry, address: 24n, cpu: 1, site: handler },
    flags: RecordFlag.hardirq,
  });
  list.add({
    ...access,
    address: 0xfebc00c0n,
    value: [0n, 0n],
    tsc: next(),
    cpu: 1,
    flags: RecordFlag.hardirq,
  });
  const exit = about(1n);
  list.add({
    ...{ ...exit, value: [35n, exit.value[1]], kind: RecordKind.irqExit, address: 24n, cpu: 1, site: handler },
    flags: RecordFlag.hardirq,
  });
  const thread = { kind: RecordKind.irqEntry, address: 25n, pid: 77, flags: RecordFlag.thread };
  list.add({ ...about(0n, "10001:02:1f.7"), ...thread });
  list.add({ ...about(3n, "10001:02:1f.7"), ...thread, kind: RecordKind.irqExit });
  list.add({ ...about(0x5een), kind: RecordKind.dmaUnmap, address: 0x2000n, width: streamingToDevice, site: setup });
  return list;
}

async function linesOf(reader: TraceReader, filter?: string): Promise<string[]> {
  const registers = new AccessRegisters(builtInFor);
  const text = new TextWriter(reader.header, (event, place) => registers.see(event, place));
  const selection = filter === undefined ? {} : { filter: compileFilter(filter) };
  const lines = await mapSelected(reader, selection, ({ event, state }) => text.line(event, state));
  return lines.map((line) => line.trimEnd().replaceAll(/ +/g, " "));
}

const expectedLines = [
  " 0.000001000 0 -- the end of streaming DMA memory from before the recording: 0x800 bytes at bus address 0x7000 for 0000:00:04.0 e1000",
  " 0.000002000 0 -- dma#1: 0x1000 bytes at bus address 0x123456000 (physical 0x80001000) for 0000:00:04.0 e1000, coherent, both ways, by dma_pool_alloc+0x8 from nic_setup+0x20 [nic]",
  " 0.000003000 0 -- dma#2: 0x5ee bytes at bus address 0x2000 for 0000:00:04.0 e1000, streaming, to the device, by nic_setup+0x20 [nic]",
  " 0.000004000 0 W 4 0000:00:04.0 e1000 BAR0+0x03800 TDBAL 0x23456040 nic_setup+0x20 [nic] dma#1+0x40",
  " 0.000005000 0 W 4 0000:00:04.0 e1000 BAR0+0x03804 TDBAH 0x00000001 nic_setup+0x20 [nic]",
  " 0.000006000 1 -- interrupt 24 (vector 35) of 0000:00:04.0 e1000: nic_intr [nic] begins",
  " 0.000007000 1 W 4 0000:00:04.0 e1000 BAR0+0x000c0 ICR 0x00000000 nic_setup+0x20 [nic] { 0 }",
  " 0.000008000 1 -- interrupt 24 (vector 35) of 0000:00:04.0 e1000: nic_intr [nic] returns: handled",
  " 0.000009000 0 -- interrupt 25 of 10001:02:1f.7: a handler begins in its thread",
  " 0.000010000 0 -- interrupt 25 of 10001:02:1f.7: a handler returns in its thread: handled, its thread is woken",
  " 0.000011000 0 -- dma#2 ends: 0x5ee bytes at bus address 0x2000 for 0000:00:04.0 e1000, by nic_setup+0x20 [nic]",
];

test("lines", async () => {
  const reader = await traceOf(driverAtWork().records);
  expect(await linesOf(reader)).toEqual(expectedLines);
  await reader.close();
});

describe("filters", () => {
  const cases: [filter: string, lines: number[]][] = [
    ["op == interrupt", [5, 7, 8, 9]],
    ["op == dma-map or op == dma-unmap", [0, 1, 2, 10]],
    ["irq == 24", [5, 7]],
    ["vector == 35", [5, 7]],
    ["op == interrupt and text ~ '^exit'", [7, 9]],
    ["site == nic_intr", [5, 7]],
    ["device == 0000:00:04.0 and not access", [0, 1, 2, 5, 7, 10]],
    ["driver == e1000 and op == interrupt", [5, 7]],
    ["dma == dma#1", [1, 3]],
    ["dma == dma#1+0x40", [3]],
    ["dma ~ '#2$'", [2, 10]],
    ["dma == streaming", [0, 2, 10]],
    ["dma == to-device and bus >= 0x2000 and bus <= 0x2fff", [2, 10]],
    ["address == 0x80001000", [1]],
    ["caller ~ nic_setup", [1]],
  ];
  test.each(cases)("%s", async (filter, lines) => {
    const reader = await traceOf(driverAtWork().records);
    expect(await linesOf(reader, filter)).toEqual(lines.map((index) => expectedLines[index]));
    await reader.close();
  });
});

test("rows of a table", async () => {
  const reader = await traceOf(driverAtWork().records);
  const registers = new AccessRegisters(builtInFor);
  const rows = new EventRows(reader.header, "t", (event, place) => registers.see(event, place));
  const told = await mapSelected(reader, {}, ({ event, state }) => rows.row(event, state)!);
  const device = { device: nic, pci_id: "8086:100e", driver: "e1000" };
  expect(told[1]).toMatchObject({
    ...{ ...device, op: "dma-map", bus: 0x1_2345_6000n, address: 0x8000_1000n, length_bytes: 0x1000n, dma: "dma#1" },
    ...{ text: "coherent both", site: "dma_pool_alloc+0x8", module: "kernel", caller: "nic_setup+0x20 [nic]" },
  });
  expect(told[3]).toMatchObject({ ...device, op: "write", register: "TDBAL", dma: "dma#1+0x40" });
  expect(told[5]).toMatchObject({ ...device, op: "interrupt", irq: 24, vector: 35, text: "entry", context: "hardirq" });
  expect(told[7]).toMatchObject({ op: "interrupt", text: "exit: handled", site: "nic_intr+0x0 [nic]" });
  expect(told[8]).toMatchObject({ device: "10001:02:1f.7", pci_id: undefined, vector: undefined, flags: "thread" });
  expect(told[10]).toMatchObject({ op: "dma-unmap", dma: "dma#2", address: undefined, text: "streaming to-device" });
  await reader.close();
});

test("mmiotrace's text has no lines for them, and says so", async () => {
  const reader = await traceOf(driverAtWork().records);
  const writer = new MmiotraceWriter(reader.header);
  const lines = await mapSelected(reader, {}, ({ event }) => `${writer.lines(event)}`);
  expect(lines.join("").match(/^\w+/gm)).toEqual(["W", "W", "W"]);
  expect(writer.notes()).toEqual(
    expect.arrayContaining([
      "4 events of interrupts left out: mmiotrace has no lines for them",
      "4 events of DMA left out: mmiotrace has no lines for them",
    ]),
  );
  await reader.close();
});

test("Chrome's trace has slices for handlers and for buffers' lives", async () => {
  const reader = await traceOf(driverAtWork().records);
  const chrome = new ChromeTrace(reader.header, "t");
  const head = chrome.head();
  const parts = await mapSelected(reader, {}, ({ event, state }) => chrome.event(event, state));
  const { traceEvents } = JSON.parse(head + parts.join("") + chrome.end()) as {
    traceEvents: { ph: string; cat?: string; name: string; tid?: number; ts?: number }[];
  };
  const slices = traceEvents.flatMap(({ ph, cat, name, tid, ts }) =>
    "BEbe".includes(ph) ? [[ph, cat, name, tid, Number(ts)]] : [],
  );
  expect(slices).toEqual([
    ["b", "dma", "dma#1: 0000:00:04.0", 0, 2],
    ["b", "dma", "dma#2: 0000:00:04.0", 0, 3],
    ["B", "interrupt", "interrupt 24: nic_intr+0x0 [nic]", 1, 6],
    ["E", "interrupt", "interrupt 24: nic_intr+0x0 [nic]", 1, 8],
    ["b", "interrupt", "interrupt 25: 10001:02:1f.7", 0, 9],
    ["e", "interrupt", "interrupt 25: 10001:02:1f.7", 0, 10],
    ["e", "dma", "dma#2: 0000:00:04.0", 0, 11],
    ["e", "dma", "dma#1: 0000:00:04.0", 0, 11],
  ]);
  await reader.close();
});

test("parts of a trace have its buffers' numbers, and together its lines", async () => {
  const whole = await traceOf(driverAtWork().records);
  const parts: TraceReader[] = [];
  for (const [from, to] of [
    [0, 4],
    [5, 5],
    [6, 12],
    [13, whole.events - 1],
  ] as const) {
    const path = join(directory, `part-${from}`);
    await cutTrace(whole, {
      selection: { from: { kind: "event", number: from }, to: { kind: "event", number: to } },
      registers: new AccessRegisters(builtInFor),
      commandLine: [],
      create: (header: TraceHeader) => createTrace(path, header),
    });
    parts.push(await openTrace(path));
  }
  const lines: string[] = [];
  for (const part of parts) lines.push(...(await linesOf(part)));
  expect(lines).toEqual(expectedLines);
  const path = join(directory, "merged");
  await mergeTraces(parts, { commandLine: [], create: (header: TraceHeader) => createTrace(path, header) });
  const merged = await openTrace(path);
  expect(await linesOf(merged)).toEqual(expectedLines);
  for (const reader of [whole, merged, ...parts]) await reader.close();
});

// tier: quick
// Runs of interrupts' handlers and DMA buffers, counted.
import { expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { traceOf } from "../../../dev/test-support/recorded-traces.js";
import { builtInFor } from "../../registers/files/index.js";
import { functionInRecord, RecordFlag, RecordKind, type RingRecord } from "../../trace/record.js";
import { AccessRegisters } from "../view/access-registers.js";
import { selectedViews } from "../view/selection.js";
import { type Statistics, StatisticsCollector } from "./statistics.js";

const nic = "0000:00:04.0";
const handler = 0xffffffffc0001000n;
const start = BigInt(madeUpHeader().clock.tsc);

/** `at`: nanoseconds since the start. */
function interrupt(kind: number, at: number, { result = 0n, ...more }: Partial<RingRecord> & { result?: bigint } = {}) {
  const { mapping, value } = functionInRecord({ device: nic, value: result });
  const tsc = start + 2n * BigInt(at);
  return { kind, mapping, address: 24n, value: [35n, value] as [bigint, bigint], tsc, site: handler, ...more };
}

function dma(kind: number, bus: bigint, bytes: bigint, width = 0, device = nic): Partial<RingRecord> {
  const { mapping, value } = functionInRecord({ device, value: bytes });
  return { kind, mapping, address: bus, value: [0n, value], tsc: start, width };
}

async function statisticsOf(list: RecordList): Promise<Statistics> {
  const reader = await traceOf(list.records);
  const collector = new StatisticsCollector(reader.header);
  for await (const { views } of selectedViews(reader, new AccessRegisters(builtInFor), {})) {
    for (const view of views) collector.add(view);
  }
  await reader.close();
  return collector.result();
}

test("runs count by handler and CPU; their time needs both ends, on one CPU", async () => {
  const list = new RecordList();
  list.addText({ kind: RecordKind.symbol, site: handler }, "nic_intr+0x0/0x40 [nic]");
  const { irqEntry, irqExit } = RecordKind;
  // from before the recording
  list.add(interrupt(irqExit, 10, { result: 1n }));
  list.add(interrupt(irqEntry, 100));
  list.add(interrupt(irqEntry, 150, { cpu: 1 }));
  list.add(interrupt(irqExit, 250, { cpu: 1 }));
  list.add(interrupt(irqExit, 400, { result: 1n }));
  list.add(interrupt(irqEntry, 1000));
  list.add(interrupt(irqExit, 1100, { result: 3n }));
  // without its end
  list.add(interrupt(irqEntry, 2000));
  const { interrupts } = await statisticsOf(list);
  const common = { irq: 24, device: nic, driver: "e1000", handler: "nic_intr [nic]", inThread: false };
  const times = (all: number, mean: number, greatest: number) => ({ all, mean, greatest });
  expect([...interrupts]).toEqual([
    { ...common, cpu: 0, runs: 3, handled: 3, time_s: times(400e-9, 200e-9, 300e-9) },
    { ...common, cpu: 1, runs: 1, handled: 0, time_s: times(100e-9, 100e-9, 100e-9) },
  ]);
});

test("a run in a thread may end on another CPU", async () => {
  const list = new RecordList();
  const flags = RecordFlag.thread;
  list.add(interrupt(RecordKind.irqEntry, 100, { flags, pid: 77 }));
  list.add(interrupt(RecordKind.irqEntry, 150));
  list.add(interrupt(RecordKind.irqExit, 160));
  list.add(interrupt(RecordKind.irqExit, 300, { flags, pid: 77, cpu: 1, result: 1n }));
  const { interrupts } = await statisticsOf(list);
  const told = [...interrupts].map(({ inThread, cpu, runs, time_s }) => [inThread, cpu, runs, time_s?.all ?? null]);
  expect(told).toEqual([
    [true, 0, 1, 200e-9],
    [false, 0, 1, 10e-9],
    [true, 1, 0, null],
  ]);
});

test("buffers count by way and direction, with their bytes and ends", async () => {
  const list = new RecordList();
  const [streaming, toDevice] = [3 << 2, 1];
  list.add(dma(RecordKind.dmaMap, 0x1000n, 0x100n));
  list.add(dma(RecordKind.dmaMap, 0x2000n, 0x300n, streaming | toDevice));
  list.add(dma(RecordKind.dmaMap, 0x3000n, 0x200n, streaming | toDevice));
  list.add(dma(RecordKind.dmaUnmap, 0x2000n, 0x300n, streaming | toDevice));
  list.add(dma(RecordKind.dmaUnmap, 0x9000n, 0x300n, streaming | toDevice));
  const row = { device: nic, driver: "e1000" };
  expect([...(await statisticsOf(list)).dma]).toEqual([
    {
      ...{ ...row, way: "streaming", direction: "to-device", buffers: 2, bytes: 0x500, greatest_bytes: 0x300 },
      ...{ ended: 1, endedUnknown: 1 },
    },
    {
      ...{ ...row, way: "coherent", direction: "both", buffers: 1, bytes: 0x100, greatest_bytes: 0x100 },
      ...{ ended: 0, endedUnknown: 0 },
    },
  ]);
});

test("buffers of a device that the trace doesn't know have no driver", async () => {
  const list = new RecordList();
  list.add(dma(RecordKind.dmaMap, 0x1000n, 0x100n, 0, "0000:00:1f.0"));
  const told = [...(await statisticsOf(list)).dma].map(({ device, driver, buffers }) => [device, driver, buffers]);
  expect(told).toEqual([["0000:00:1f.0", null, 1]]);
});

test("a handler's time is known where its own end comes, and no other's", async () => {
  const other = 0xffffffffc0002000n;
  const list = new RecordList();
  list.addText({ kind: RecordKind.symbol, site: handler }, "nic_intr+0x0/0x40 [nic]");
  const { irqEntry, irqExit } = RecordKind;
  const inThread = { flags: RecordFlag.thread, pid: 77 };
  // one handler interrupts another; the end of one that didn't begin; a thread's end of another handler
  list.add(interrupt(irqEntry, 0));
  list.add(interrupt(irqEntry, 100, { site: other }));
  list.add(interrupt(irqExit, 150, { site: other }));
  list.add(interrupt(irqExit, 400));
  list.add(interrupt(irqEntry, 500));
  list.add(interrupt(irqExit, 600, { site: other }));
  list.add(interrupt(irqEntry, 700, inThread));
  list.add(interrupt(irqExit, 800, { ...inThread, site: other }));
  list.add(interrupt(irqExit, 900, inThread));
  const told = [...(await statisticsOf(list)).interrupts].map((row) => [
    ...[row.handler, row.inThread, row.runs, row.time_s?.all ?? null],
  ]);
  expect(told).toEqual([
    ["nic_intr [nic]", false, 2, 400e-9],
    ["0xffffffffc0002000", false, 1, 50e-9],
    ["nic_intr [nic]", true, 1, null],
    ["0xffffffffc0002000", true, 0, null],
  ]);
});

test("of beginnings without ends the latest 64 on a CPU are kept", async () => {
  const list = new RecordList();
  for (let run = 0; run < 70; run += 1) list.add(interrupt(RecordKind.irqEntry, run));
  for (let run = 0; run < 70; run += 1) list.add(interrupt(RecordKind.irqExit, 100 + run));
  const [row] = (await statisticsOf(list)).interrupts;
  expect(row).toMatchObject({ runs: 70 });
  // the first one to end is the last one that began: the greatest time is that of the 64th from the end
  expect(row!.time_s!.greatest).toBeCloseTo((163 - 6) * 1e-9, 15);
  expect(row!.time_s!.all / row!.time_s!.mean).toBeCloseTo(64, 9);
});

// tier: quick
// A time line of a small trace, entry by entry, as Chrome's and Perfetto's viewers get it.
import { expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { importedTrace, traceOf } from "../../../dev/test-support/recorded-traces.js";
import type { TraceReader } from "../file/reader.js";
import { functionInRecord, RecordFlag, RecordKind } from "../record.js";
import { ChromeTrace } from "./chrome-trace.js";
import { exportText } from "./text-export.js";

interface Entry {
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  name: string;
  s?: string;
  id?: number | string;
  cat?: string;
  args?: Record<string, unknown>;
}

async function entriesOf(reader: TraceReader): Promise<Entry[]> {
  const tell = () => ({ name: "STATUS", meaningOf: () => undefined });
  const pieces: Uint8Array[] = [];
  for await (const piece of exportText(reader, new ChromeTrace(reader.header, "a trace", tell))) pieces.push(piece);
  await reader.close();
  const { traceEvents, ...rest } = JSON.parse(Buffer.concat(pieces).toString());
  expect(rest).toEqual({ displayTimeUnit: "ns", otherData: { trace: "a trace" } });
  return traceEvents;
}

/** `i 1/0 12.5 R STATUS = 0x5`: phase, group and track, microseconds, name; of a counter its numbers, of a name the named. */
function shown({ ph, pid, tid, ts, name, id, args }: Entry): string {
  if (ph === "M") return `M ${pid}/${tid ?? "-"} ${args!.name}`;
  const track = tid === undefined ? pid : `${pid}/${tid}`;
  const end = ph === "C" ? `: ${args!.reads} ${args!.writes}` : id === undefined ? "" : ` (${id})`;
  return `${ph} ${track} ${ts} ${name}${end}`;
}

const start = BigInt(madeUpHeader().clock.tsc);
const at = (time_ns: number) => start + 2n * BigInt(time_ns);
const heads = ["M 1/- CPUs", "M 2/- devices"];
const nic = "0000:00:04.0 e1000 BAR0";

test("accesses on their CPU's and their device's track, and their number each millisecond", async () => {
  const list = new RecordList();
  const access = {
    kind: RecordKind.read,
    address: 0xfebc0008n,
    width: 4,
    value: [5n, 0n] as [bigint, bigint],
    mapping: 1,
  };
  list.add({ ...access, tsc: at(12_500) });
  list.add({ ...access, kind: RecordKind.write, cpu: 1, tsc: at(900_001) });
  list.add({ ...access, tsc: at(1_000_000) });
  list.add({ ...access, kind: RecordKind.write, address: 0xfed00000n, tsc: at(5_999_999) });
  const entries = await entriesOf(await traceOf(list.records));
  expect(entries.find(({ ph }) => ph === "i")?.args).toEqual({
    ...{ event: 0, pid: 0, context: "task", width_bytes: 4, address: "0xfebc0008", offset: "0x8", value: "0x5" },
    mapping: 1,
  });
  expect(entries.map(shown)).toEqual([
    ...heads,
    "M 1/0 CPU 0",
    `M 2/1 ${nic}`,
    "i 1/0 12.5 R STATUS = 0x5",
    "i 2/1 12.5 R STATUS = 0x5",
    "M 1/1 CPU 1",
    "i 1/1 900.001 W STATUS = 0x5",
    "i 2/1 900.001 W STATUS = 0x5",
    `C 2 0 accesses/ms ${nic}: 1 1`,
    "i 1/0 1000 R STATUS = 0x5",
    "i 2/1 1000 R STATUS = 0x5",
    `C 2 1000 accesses/ms ${nic}: 1 0`,
    `C 2 2000 accesses/ms ${nic}: 0 0`,
    "M 2/2 other addresses",
    "i 1/0 5999.999 W 0xfed00000 = 0x5",
    "i 2/2 5999.999 W 0xfed00000 = 0x5",
    `C 2 5000 accesses/ms ${nic}: 0 0`,
    "C 2 5000 accesses/ms other addresses: 0 1",
  ]);
});

test("mappings, buffers and handlers from their beginning to their end, or to the trace's", async () => {
  const list = new RecordList();
  const site = 0xffffffffc0000000n;
  list.addText({ kind: RecordKind.symbol, site }, "nic_intr+0x0/0x40 [nic]");
  const map = (mapping: number, address: bigint, kind: number, time_ns: number) =>
    list.add({ kind, mapping, address, value: [0x1000n, 1n], tsc: at(time_ns) });
  map(1, 0xfebc0000n, RecordKind.map, 1_000);
  map(2, 0xfed00000n, RecordKind.map, 2_000);
  const about = functionInRecord({ device: "0000:00:04.0", value: 0x100n });
  const buffer = (kind: number, bus: bigint, time_ns: number) =>
    list.add({ kind, mapping: about.mapping, address: bus, value: [0n, about.value], width: 0, tsc: at(time_ns) });
  buffer(RecordKind.dmaMap, 0x1000n, 3_000);
  buffer(RecordKind.dmaMap, 0x2000n, 4_000);
  buffer(RecordKind.dmaUnmap, 0x1000n, 5_000);
  buffer(RecordKind.dmaUnmap, 0x9000n, 5_500);
  const handler = (kind: number, irq: bigint, time_ns: number, more = {}) =>
    list.add({
      kind,
      mapping: about.mapping,
      address: irq,
      value: [35n, about.value],
      site,
      tsc: at(time_ns),
      ...more,
    });
  // the end of a run that began before the recording, and one run within another
  handler(RecordKind.irqExit, 24n, 6_000);
  handler(RecordKind.irqEntry, 24n, 7_000);
  handler(RecordKind.irqEntry, 25n, 8_000);
  handler(RecordKind.irqExit, 25n, 9_000);
  handler(RecordKind.irqExit, 24n, 10_000);
  handler(RecordKind.irqEntry, 26n, 11_000, { flags: RecordFlag.thread, pid: 5, cpu: 1 });
  handler(RecordKind.irqExit, 26n, 12_000, { flags: RecordFlag.thread, pid: 5, cpu: 2 });
  map(2, 0xfed00000n, RecordKind.unmap, 13_000);
  map(3, 0xfed00000n, RecordKind.unmap, 13_500);
  const entries = (await entriesOf(await traceOf(list.records))).filter(({ ph }) => ph !== "M");
  expect(entries.map(shown)).toEqual([
    "b 2/0 1 mapping 1: 0000:00:04.0 BAR0 (1)",
    "b 2/0 2 mapping 2: 0xfed00000 (2)",
    "b 2/0 3 dma#1: 0000:00:04.0 (1)",
    "b 2/0 4 dma#2: 0000:00:04.0 (2)",
    "e 2/0 5 dma#1: 0000:00:04.0 (1)",
    "B 1/0 7 interrupt 24: nic_intr+0x0 [nic]",
    "B 1/0 8 interrupt 25: nic_intr+0x0 [nic]",
    "E 1/0 9 interrupt 25: nic_intr+0x0 [nic]",
    "E 1/0 10 interrupt 24: nic_intr+0x0 [nic]",
    "b 2/0 11 interrupt 26: nic_intr+0x0 [nic] (thread 26 5)",
    "e 2/0 12 interrupt 26: nic_intr+0x0 [nic] (thread 26 5)",
    "e 2/0 13 mapping 2: 0xfed00000 (2)",
    "e 2/0 13.5 mapping 1: 0000:00:04.0 BAR0 (1)",
    "e 2/0 13.5 dma#2: 0000:00:04.0 (2)",
  ]);
  const facts = (ph: string) => entries.filter((one) => one.ph === ph).map(({ args }) => args);
  for (const args of [...facts("e"), ...facts("E")]) expect(args).toBeUndefined();
  for (const args of [...facts("b"), ...facts("B")]) expect(Object.keys(args!).length).toBeGreaterThan(1);
});

test("whatever else happens is an instant of all tracks, with its facts", async () => {
  const list = new RecordList();
  list.addText({ kind: RecordKind.mark, tsc: at(1_000) }, 'a "mark"');
  list.add({ kind: RecordKind.lost, value: [1234n, 0n], tsc: at(2_000) });
  list.addText({ kind: RecordKind.module, mapping: 0x100, site: 0x1000n, tsc: at(3_000) }, "nic");
  const entries = (await entriesOf(await traceOf(list.records))).filter(({ ph }) => ph === "i");
  expect(entries.map(({ s, cat, name }) => [s, cat, name])).toEqual([
    ["g", "mark", expect.stringContaining('a "mark"')],
    ["g", "lost", expect.stringMatching(/1,234/)],
    ["g", "module", expect.stringContaining("nic")],
  ]);
  expect(entries[0]!.args).toEqual({ event: 0, pid: 0, context: "task" });
});

test("events without a time stand at that of the one before them; at the beginning, at the first one's", async () => {
  const lines = [
    "# tracer: mmiotrace",
    "#",
    "# entries-in-buffer/entries-written: 1/11   #P:4",
    "VERSION 20070824",
    "R 4 1.000010 1 0xfebc0008 0x5 0x0 0",
    "CPU:1 [LOST 7 EVENTS]",
  ];
  const entries = await entriesOf(await importedTrace(`${lines.join("\n")}\n`));
  const instants = entries.filter(({ ph, cat }) => ph === "i" && cat !== "mark");
  expect(instants.map(({ ts, cat }) => [ts, cat])).toEqual([
    [1_000_010, "lost"],
    [1_000_010, "read"],
    [1_000_010, "read"],
    [1_000_010, "lost"],
  ]);
  expect(entries.filter(({ ph }) => ph === "M").map(({ args }) => args!.name)).toContain("CPU not known");
});

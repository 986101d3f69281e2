// tier: quick
// The fields of every kind of event, each on a trace that has one event of every kind: the numbers of the events that fit.
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordList } from "../../../dev/test-support/made-up-records.js";
import { mapSelected, traceOf } from "../../../dev/test-support/recorded-traces.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { functionInRecord, RecordFlag, RecordKind } from "../../trace/record.js";
import { compileFilter } from "./filter.js";

const site = 0xffff_ffff_c000_0010n;
const caller = 0xc000_0020;
let reader: TraceReader;

beforeAll(async () => {
  const nic = functionInRecord({ device: "0000:00:04.0", value: 0x1000n });
  const about = { mapping: nic.mapping, site, caller };
  const list = new RecordList();
  const [streaming, toDevice] = [3 << 2, 1];
  const bus = 0x1_2345_0000n;
  list.addText({ kind: RecordKind.symbol, site }, "nic_start+0x10/0x20 [nic]");
  list.addText({ kind: RecordKind.symbol, site: 0xffff_ffff_0000_0000n | BigInt(caller) }, "bus_start+0x20/0x40 [bus]");
  // 2: a buffer's beginning, 3: its address in a register, 4: its end
  list.add({
    kind: RecordKind.dmaMap,
    ...about,
    address: bus,
    value: [0x77_0000n, nic.value],
    width: streaming | toDevice,
  });
  list.add({ kind: RecordKind.write, mapping: 1, address: 0xfebc_0008n, value: [bus + 0x40n, 0n], width: 8, cpu: 1 });
  list.add({ kind: RecordKind.dmaUnmap, ...about, address: bus, value: [0n, nic.value], width: streaming | toDevice });
  // 5, 6: an interrupt
  list.add({ kind: RecordKind.irqEntry, mapping: nic.mapping, address: 24n, value: [33n, nic.value] });
  list.add({ kind: RecordKind.irqExit, mapping: nic.mapping, address: 24n, value: [0n, nic.value | 1n] });
  list.addText({ kind: RecordKind.mark, pid: 9 }, "here");
  list.addText({ kind: RecordKind.module, site: 0xffff_ffff_c000_0000n, mapping: 0x8000 }, "nic");
  list.add({ kind: RecordKind.unrecorded, address: 0xfebc_0000n, value: [0x1000n, 2n], width: 4 });
  // 10: an access without a caller, to no device, by an interrupt
  list.add({
    kind: RecordKind.read,
    site,
    mapping: 2,
    address: 0xd000_0000n,
    width: 2,
    value: [5n, 0n],
    flags: RecordFlag.hardirq,
  });
  // 11: a port; 12: configuration space
  list.add({
    kind: RecordKind.write,
    address: 0xc_0000_0000_c004n,
    width: 1,
    value: [6n, 0n],
    flags: RecordFlag.unordered,
  });
  list.add({ kind: RecordKind.read, address: 0xe_0000_0002_0010n, width: 4, value: [7n, 0n] });
  reader = await traceOf(list.records);
});
afterAll(() => reader.close());

test.each<[string, number[]]>([
  ["op == dma-map", [2]],
  ["dma == dma#1", [2, 3, 4]],
  ["dma == 'dma#1+0x40'", [3]],
  ["dma == streaming", [2, 4]],
  ["dma == to-device", [2, 4]],
  ["dma ~ '.'", [2, 3, 4]],
  ["bus == 0x123450000", [2, 4]],
  ["irq == 24", [5, 6]],
  ["vector == 33", [5]],
  ["irq == 24 and vector != 33", [6]],
  ["text == entry", [5]],
  ["text == 'exit: *'", [6]],
  ["text == here", [7]],
  ["text == nic", [8]],
  ["op == unrecorded and text ~ '.'", [9]],
  ["text ~ '.'", [5, 6, 7, 8, 9]],
  ["pid == 9", [7]],
  ["cpu == 1", [3]],
  ["context == hardirq", [10]],
  ["unordered", [11]],
  ["width == 1..2", [10, 11]],
  ["value == 5..7", [10, 11, 12]],
  ["space == ports", [11]],
  ["space == configuration", [12]],
  ["access and space == memory", [3, 10]],
  ["access and address == 0xc004", [11]],
  ["device == 0000:00:04.0 and access", [3, 11, 12]],
  ["driver == e1000 and access", [3, 11, 12]],
  ["access and bar == 0", [3]],
  ["bar == 1", [11]],
  ["offset == 4", [11]],
  ["access and offset == 0..0x20", [3, 11, 12]],
  ["mapping == 2", [10]],
  ["access and site == nic_start", [10]],
  ["site == nic_start+0x10", [2, 4, 10]],
  ["site == 0xffffffffc0000010", [2, 4, 10]],
  ["caller == bus_start", [2, 4]],
  ["caller == 0xffffffffc0000020", [2, 4]],
  ["access and caller ~ '.'", []],
  ["access and module == nic", [10]],
  ["module == bus", [2, 4]],
  ["read", [10, 12]],
  ["write", [3, 11]],
])("%s", async (expression, numbers) => {
  const found = await mapSelected(reader, { filter: compileFilter(expression) }, ({ event }) => event.number);
  expect(found).toEqual(numbers);
});

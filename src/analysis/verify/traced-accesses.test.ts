// tier: quick
// A trace's accesses in parts as QEMU logs them, and the lives of its mappings.
import { expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { traceOf } from "../../../dev/test-support/recorded-traces.js";
import { RecordFlag, RecordKind, type RingRecord } from "../../trace/record.js";
import { addressInTrace, collectAccesses } from "./traced-accesses.js";

async function collected(records: Partial<RingRecord>[], header = madeUpHeader()) {
  const list = new RecordList();
  for (const record of records) list.add(record);
  const reader = await traceOf(list.records, header);
  const parts: number[] = [];
  const accesses = await collectAccesses(reader, (part) => parts.push(part));
  await reader.close();
  return { ...accesses, parts };
}

const { read, write, map, unmap, lost, escape: escaped, mark } = RecordKind;
const ports = 0xc_0000_0000_0000n;
const configuration = 0xe_0000_0000_0000n;

test("an access is parts of at most eight bytes, with their own values", async () => {
  const value: [bigint, bigint] = [0x8877_6655_4433_2211n, 0xccbb_aa99n];
  const found = await collected([
    { kind: write, address: 0xfebc_0000n, width: 12, value, cpu: 3, flags: RecordFlag.unordered },
    { kind: mark },
    { kind: read, address: 0xfebc_0010n, width: 8, value: [0x1_0000_0002n, 0n] },
    { kind: read, address: 0xfebc_0020n, width: 4, value: [0xffff_ffffn, 0n] },
    { kind: read, address: ports + 0xc004n, width: 1, value: [7n, 0n] },
    { kind: read, address: configuration + 0x2_0010n, width: 2, value: [8n, 0n] },
  ]);
  const { count, write: writes, width_bytes, address, valueLow, valueHigh, cpu, event, unordered } = found;
  expect(count).toBe(6);
  expect({ writes, width_bytes, address, valueLow, valueHigh, cpu, event, unordered }).toEqual({
    writes: [1, 1, 0, 0, 0, 0],
    width_bytes: [8, 4, 8, 4, 1, 2],
    address: [0xfebc_0000, 0xfebc_0008, 0xfebc_0010, 0xfebc_0020, 0xc004, 0xe_0000_0002_0010],
    valueLow: [0x4433_2211, 0xccbb_aa99, 2, 0xffff_ffff, 7, 8],
    valueHigh: [0x8877_6655, 0, 1, 0, 0, 0],
    cpu: [3, 3, 0, 0, 0, 0],
    event: [0, 0, 2, 3, 4, 5],
    unordered: [1, 1, 0, 0, 0, 0],
  });
  expect(found.parts.at(-1)).toBe(1);
});

test("mappings live from place to place; losses and escapes are counted", async () => {
  const mapped = (mapping: number, address: bigint, length: bigint): Partial<RingRecord> => ({
    ...{ kind: map, mapping, address, value: [length, 0n] },
  });
  const access = { kind: read, address: 0xfebc_0000n, width: 4 };
  const found = await collected([
    ...[mapped(1, 0xfebc_0000n, 0x1000n), access, mapped(2, ports + 0xc000n, 0x20n), access, access],
    ...[
      { kind: unmap, mapping: 1 },
      { kind: lost, value: [5n, 0n] as [bigint, bigint] },
    ],
    ...[
      { kind: lost, value: [2n, 0n] as [bigint, bigint] },
      { kind: escaped, width: 1 },
      { kind: unmap, mapping: 9 },
    ],
  ]);
  const [memory, io] = [
    { first: 0xfebc_0000, last: 0xfebc_0fff },
    { first: 0xc000, last: 0xc01f },
  ];
  expect(found.coverage).toEqual([
    { at: 0, living: [memory] },
    { at: 1, living: [memory, io] },
    { at: 3, living: [io] },
    { at: 3, living: [io] },
  ]);
  expect([found.mapped, found.atStart, found.lost, found.escaped]).toEqual([[memory, io], [], 7n, 1]);
});

test("configuration space and a rewritten driver's ports need no mapping", async () => {
  const { options, pciFunctions } = madeUpHeader();
  const startOf = async (more: Partial<typeof options>) => {
    const found = await collected([{ kind: mark }], madeUpHeader({ options: { ...options, ...more } }));
    expect(found.mapped).toEqual(found.atStart);
    return found.atStart;
  };
  const space = { first: 0xe_0000_0002_0000, last: 0xe_0000_0002_0fff };
  const io = { first: 0xc000, last: 0xc03f };
  const { address } = pciFunctions[0]!;
  expect(await startOf({})).toEqual([]);
  expect(await startOf({ configuration: "all" })).toEqual([space]);
  expect(await startOf({ configuration: [address] })).toEqual([space]);
  expect(await startOf({ configuration: ["0000:00:05.0", "elsewhere"] })).toEqual([
    { first: space.first + 0x8000, last: space.last + 0x8000 },
  ]);
  expect(await startOf({ ports: [address], configuration: "all" })).toEqual([space, io]);
  expect(await startOf({ ports: ["0000:00:05.0"] })).toEqual([]);
});

test("a log's small addresses are ports", () => {
  expect([0, 0xffff, 0x1_0000, 0xfebc_0000].map(addressInTrace)).toEqual([
    ...[ports, ports + 0xffffn, 0x1_0000n, 0xfebc_0000n],
  ]);
});

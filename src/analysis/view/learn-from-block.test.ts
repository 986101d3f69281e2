// tier: quick
// Names of accesses before and after their device told its variant: one name each, in whole traces and in parts of them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import { traceOf } from "../../../dev/test-support/recorded-traces.js";
import type { Observer } from "../../registers/database.js";
import { loadSchema } from "../../registers/files/index.js";
import { RegisterDatabase } from "../../registers/index.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { openTrace } from "../../trace/node/file-source.js";
import { RecordKind, record_bytes } from "../../trace/record.js";
import { AccessRegisters } from "./access-registers.js";
import { followedViews } from "./follow.js";
import { learnFromBlock } from "./learn-from-block.js";
import type { Selection } from "./range.js";
import { selectedViews, type ViewBatch } from "./selection.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-learn-"));
afterAll(() => rmSync(directory, { recursive: true }));

const xml = join(directory, "chip.xml");
writeFileSync(
  xml,
  `<?xml version="1.0"?><database><enum name="chip"><value name="A"/><value name="B"/></enum>
<domain name="CHIP" prefix="chip"><reg32 offset="0" name="ID"/>
<reg32 offset="4" name="OLD" variants="A"/><reg32 offset="4" name="NEW" variants="B"/></domain></database>`,
);
/** A read of the register at 0 tells the variant: 1 is A, 2 is B. */
const observer: Observer = (database, _bar, offset, _width_bytes, value) =>
  offset === 0 && (value === 1n || value === 2n) && !database.variants.has("chip")
    ? database.withVariant("chip", value === 1n ? "A" : "B").settled()
    : database;
const chip = () =>
  new RegisterDatabase("chip", loadSchema(xml), new Map([[0, [{ domain: "CHIP", start: 0 }]]]), new Map(), observer);
const namer = () => new AccessRegisters(chip);

const bar = 0xfebc0000n;
/** Makes records of reads, all of one device. */
function reads(accesses: [offset: number, value: bigint][]): Uint8Array {
  const list = new RecordList();
  for (const [offset, value] of accesses) {
    list.add({
      kind: RecordKind.read,
      tsc: 0x1_0000_0000_0001n,
      address: bar + BigInt(offset),
      width: 4,
      value: [value, 0n],
    });
  }
  return list.records;
}

async function namesOf(views: AsyncIterable<ViewBatch>): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for await (const batch of views) for (const view of batch.views) names.push(view.register?.name);
  return names;
}

/** Enough reads of the register at 4 to fill a block. */
const many = Array.from({ length: 140_000 }, (): [number, bigint] => [4, 7n]);

test("an access is named alike before and after its device told its variant, in another block, too", async () => {
  const reader = await traceOf(reads([...many, [0, 2n], [4, 7n]]));
  expect(reader.blocks.length).toBeGreaterThan(1);
  const named = async (selection: Selection) => {
    const registers = namer();
    const names = await namesOf(selectedViews(reader, registers, selection));
    expect(registers.uncertainNames).toBe(0);
    return [...new Set(names)];
  };
  expect(await named({})).toEqual(["NEW", "ID"]);
  expect(await named({ to: { kind: "event", number: 5 } })).toEqual(["NEW"]);
  expect(await named({ from: { kind: "event", number: 140_001 } })).toEqual(["NEW"]);
  await reader.close();
});

test("a device that told its variant in a block before the selected ones told it for these, too", async () => {
  const reader = await traceOf(reads([[0, 2n], ...many, [4, 7n]]));
  const from = { kind: "event", number: 140_001 } as const;
  expect(reader.blocks.at(-1)!.firstEvent).toBeLessThanOrEqual(from.number);
  expect(reader.blocks.at(-1)!.firstEvent).toBeGreaterThan(0);
  expect(await namesOf(selectedViews(reader, namer(), { from }))).toEqual(["NEW"]);
  await reader.close();
});

test("of two devices each is named alike, though they told their variants in different blocks", async () => {
  const path = join(directory, "two.mmt");
  const [nic] = madeUpHeader().pciFunctions;
  const other = { ...nic!, address: "0000:00:05.0", bars: [{ ...nic!.bars[0]!, start: "0xfe000000" as const }] };
  const writer = await createTrace(path, madeUpHeader({ pciFunctions: [nic!, other] }));
  const distance = 0xfe00_0000 - Number(bar);
  const [first, second] = [0, distance];
  const accesses: [number, bigint][] = [
    [first + 4, 7n],
    [second + 4, 7n],
    [first, 2n],
    [second, 2n],
    [first + 4, 7n],
    [second + 4, 7n],
  ];
  const all = reads(accesses);
  for (const [from, to] of [[0, 3] as const, [3, 5] as const, [5, 6] as const]) {
    await writer.append(all.subarray(from * record_bytes, to * record_bytes));
    // an update ends a block
    await writer.note({});
  }
  await writer.close(madeUpSummary);
  const reader = await openTrace(path);
  expect(reader.blocks).toHaveLength(3);
  expect(await namesOf(selectedViews(reader, namer(), {}))).toEqual(["NEW", "NEW", "ID", "ID", "NEW", "NEW"]);
  await reader.close();
});

test("a device learns nothing from reads at its addresses before it was there", async () => {
  const path = join(directory, "plugged.mmt");
  const { pciFunctions } = madeUpHeader();
  const writer = await createTrace(path, madeUpHeader({ pciFunctions: [] }));
  const all = reads([
    [0, 2n],
    [0, 1n],
    [4, 7n],
  ]);
  await writer.append(all.subarray(0, record_bytes));
  await writer.note({ pciFunctions });
  await writer.append(all.subarray(record_bytes));
  await writer.close(madeUpSummary);
  const reader = await openTrace(path);
  expect(reader.blocks).toHaveLength(2);
  const registers = namer();
  for (const block of [0, 1]) await learnFromBlock(reader, block, registers);
  const from = { kind: "event", number: 2 } as const;
  expect(await namesOf(selectedViews(reader, registers, { from }))).toEqual(["OLD"]);
  await reader.close();
});

test("a device that never tells its variant keeps the first name, and its database stays undecided", async () => {
  const reader = await traceOf(
    reads([
      [4, 7n],
      [0, 9n],
      [4, 7n],
    ]),
  );
  const registers = namer();
  expect(await namesOf(selectedViews(reader, registers, {}))).toEqual(["OLD", "ID", "OLD"]);
  expect(registers.naming.map((database) => database.undecidedVarsets())).toEqual([["chip"]]);
  await reader.close();
});

test("while a trace grows, names are those known so far, and the uncertain ones are counted", async () => {
  const path = join(directory, "growing.mmt");
  const writer = await createTrace(path, madeUpHeader());
  const all = reads([
    [4, 7n],
    [4, 7n],
    [4, 7n],
    [0, 2n],
    [4, 7n],
  ]);
  await writer.append(all.subarray(0, 2 * record_bytes));
  await writer.flush();
  const reader = await openTrace(path);
  const registers = namer();
  let waited = 0;
  const wait = async () => {
    waited += 1;
    if (waited > 1) return true;
    // in one block, the variant is known before the first access
    await writer.append(all.subarray(2 * record_bytes));
    await writer.close(madeUpSummary);
    return true;
  };
  const names = await namesOf(followedViews(reader, registers, {}, { wait }));
  expect(names).toEqual(["OLD", "OLD", "NEW", "ID", "NEW"]);
  expect(registers.uncertainNames).toBe(2);
  await reader.close();
});

// tier: quick
// A data set's files: their folders' names, and the rows that wait in memory over all of them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync } from "hyparquet";
import { afterAll, expect, test } from "vitest";
import type { EventRow } from "../export/event-rows.js";
import { rowGroupRows } from "../export/parquet.js";
import { PartitionedTrace, type PartitionKey } from "./partitions.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-partitions-"));
afterAll(() => rmSync(directory, { recursive: true }));

const rowOf = (row: Partial<EventRow>) => ({ trace: "t", event: 0n, op: "read", ...row }) as EventRow;

/** Returns the rows of each group of a file. */
async function groupsOf(...path: string[]): Promise<number[]> {
  const { row_groups } = await parquetMetadataAsync(await asyncBufferFromFile(join(directory, ...path)));
  return row_groups.map(({ num_rows }) => Number(num_rows));
}

test("the file with the most rows is written first, once more wait in all than a group has", async () => {
  const set = new PartitionedTrace(directory, "set", ["cpu"], "a.parquet", "test");
  const add = async (cpu: number, count: number) => {
    const row = rowOf({ cpu });
    for (let at = 0; at < count; at += 1) await set.add(row);
  };
  await add(0, rowGroupRows);
  // a whole group doesn't wait
  await add(1, 10);
  await add(2, 3);
  await add(0, rowGroupRows - 13);
  // one more than a group
  await add(1, 1);
  await add(0, 5);
  await set.finish();
  expect(await groupsOf("cpu=0", "a.parquet")).toEqual([rowGroupRows, rowGroupRows - 13, 5]);
  expect(await groupsOf("cpu=1", "a.parquet")).toEqual([11]);
  expect(await groupsOf("cpu=2", "a.parquet")).toEqual([3]);
});

test.each<[PartitionKey, Partial<EventRow>, string]>([
  ["device", { device: "0000:00:04.0" }, "device=0000%3A00%3A04.0"],
  ["device", {}, "device=__HIVE_DEFAULT_PARTITION__"],
  ["driver", { driver: "" }, "driver=__HIVE_DEFAULT_PARTITION__"],
  ["driver", { driver: "Az09._-~/é\n" }, "driver=Az09._-%7E%2F%C3%A9%0A"],
  ["cpu", { cpu: 0 }, "cpu=0"],
  ["date", { wall: BigInt(Date.UTC(2026, 6, 7, 23, 59, 59)) * 1000n }, "date=2026-07-07"],
  ["date", {}, "date=__HIVE_DEFAULT_PARTITION__"],
  // outside the calendar
  ["date", { wall: 2n ** 63n }, "date=__HIVE_DEFAULT_PARTITION__"],
])("by %s, %#", async (key, row, folder) => {
  const set = new PartitionedTrace(join(directory, key), "set", [key, "op"], "b.parquet", "test");
  await set.add(rowOf(row));
  await set.finish();
  expect(await groupsOf(key, folder, "op=read", "b.parquet")).toEqual([1]);
});

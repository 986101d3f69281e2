// A data set of Parquet files in folders whose names are columns' values (`device=0000:00:04.0/date=2026-11-23/…`), a layout of Hive's
// that DuckDB, Spark, Trino and ClickHouse read. The columns in the folders' names aren't in the files.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../../base/errors.js";
import type { EventRow } from "../export/event-rows.js";
import { ParquetFile, rowGroupRows } from "../export/parquet.js";
import { gzip } from "./codec.js";
import { Output } from "./output.js";

/** Keys for partitioning a data set. */
export const partitionKeys = ["device", "pci_id", "driver", "trace", "op", "cpu", "date"] as const;
export type PartitionKey = (typeof partitionKeys)[number];

/** Hive's name of the partition of rows without a value. */
const noValue = "__HIVE_DEFAULT_PARTITION__";
/** Most files open at the same time, all of one trace. */
const filesMax = 512;
/** Most rows in memory, over all files. */
const pendingMax = rowGroupRows;

/** One trace's part of a data set. */
export class PartitionedTrace {
  private readonly folder: string;
  private readonly shownAs: string;
  private readonly keys: readonly PartitionKey[];
  private readonly fileName: string;
  private readonly producer: string;
  private readonly files = new Map<string, ParquetFile>();
  private pending = 0;

  /** `folder`: where the data set is made; `shownAs`: its final name; `fileName`: in every partition. */
  constructor(folder: string, shownAs: string, keys: readonly PartitionKey[], fileName: string, producer: string) {
    this.folder = folder;
    this.shownAs = shownAs;
    this.keys = keys;
    this.fileName = fileName;
    this.producer = producer;
  }

  /** Adds a row. Await the result if there is one. Throws UserError. */
  add(row: EventRow): Promise<void> | undefined {
    const path = this.keys.map((key) => `${key}=${escapeValue(partitionValue(row, key))}`).join("/");
    let file = this.files.get(path);
    if (file === undefined) {
      file = this.create(path);
      this.files.set(path, file);
    }
    const before = file.pending;
    const written = file.add(row);
    this.pending += 1;
    if (written !== undefined) {
      this.pending -= before + 1;
      return written;
    }
    return this.pending > pendingMax ? this.flushLargest() : undefined;
  }

  async finish(): Promise<void> {
    for (const file of this.files.values()) await file.finish();
  }

  private async flushLargest(): Promise<void> {
    let largest: ParquetFile | undefined;
    for (const file of this.files.values()) if (file.pending > (largest?.pending ?? 0)) largest = file;
    this.pending -= largest?.pending ?? 0;
    await largest?.flush();
  }

  private create(path: string): ParquetFile {
    if (this.files.size >= filesMax) {
      throw new UserError(`partitioning by ${this.keys.join(",")} makes more than ${filesMax} files of one trace`, {
        advice: "partition by less",
      });
    }
    const folder = join(this.folder, path);
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw new UserError(`making ${this.shownAs}/${path} failed: ${messageOf(error)}`, { cause: error });
    }
    const output = Output.create(join(folder, this.fileName), `${this.shownAs}/${path}/${this.fileName}`);
    return new ParquetFile(output, gzip, this.producer, new Set<string>(this.keys));
  }
}

function partitionValue(row: EventRow, key: PartitionKey): string | undefined {
  if (key !== "date") return row[key] === undefined ? undefined : `${row[key]}`;
  const date = row.wall === undefined ? undefined : new Date(Number(row.wall / 1000n));
  // A damaged trace may have a time outside the calendar.
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString().replace(/T.*/, "");
}

/** Escapes a value as Hive does: characters with a meaning in paths become %XX. */
function escapeValue(value: string | undefined): string {
  if (value === undefined || value === "") return noValue;
  return [...Buffer.from(value)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

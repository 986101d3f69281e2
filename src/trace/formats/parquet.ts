// A trace as Parquet, for DuckDB, Spark, Trino, ClickHouse, pandas: the columns of event-rows.ts, nullable but for those that every
// event has. Numbers of 64 bits are INT64, signed, since not all of those know others: the bits are right, the sign is the top
// bit's. An access wider than 8 bytes has its upper half in `value_high`.
import { gzipSync } from "node:zlib";
import { ByteWriter, ParquetWriter, type SchemaElement } from "hyparquet-writer";
import type { Output } from "../output.js";
import { type ColumnKind, columns, type EventRow } from "./event-rows.js";

/** What is kept in memory of a file before it is written; a query reads these one by one. */
export const rowGroupRows = 65_536;
const compressionLevel = 4;
const always = new Set<string>(["trace", "event", "cpu", "pid", "op", "context"]);

type Cell = string | number | bigint | undefined;

interface ParquetColumn {
  name: string;
  read: (row: EventRow) => Cell;
  element: SchemaElement;
}

function elementOf(name: string, kind: ColumnKind): SchemaElement {
  const repetition_type = always.has(name) ? "REQUIRED" : "OPTIONAL";
  switch (kind) {
    case "text":
      return { name, repetition_type, type: "BYTE_ARRAY", converted_type: "UTF8" };
    case "double":
      return { name, repetition_type, type: "DOUBLE" };
    case "int":
      return { name, repetition_type, type: "INT32" };
    case "long":
    case "bits":
      return { name, repetition_type, type: "INT64" };
    case "time":
      return {
        name,
        repetition_type,
        type: "INT64",
        converted_type: "TIMESTAMP_MICROS",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
      };
  }
}

const signed = (value: bigint | undefined) => (value === undefined ? undefined : BigInt.asIntN(64, value));

const parquetColumns: readonly ParquetColumn[] = columns.flatMap(({ name, kind }): ParquetColumn[] => {
  const element = elementOf(name, kind);
  if (kind === "text" || kind === "double") return [{ name, element, read: (row) => row[name] }];
  if (kind === "int")
    return [{ name, element, read: (row) => (row[name] === undefined ? undefined : Number(row[name]) | 0) }];
  const column = { name, element, read: (row: EventRow) => signed(row[name] as bigint | undefined) };
  if (name !== "value") return [column];
  const high = (row: EventRow) => {
    const { value } = row;
    return value === undefined || value >> 64n === 0n ? undefined : signed(value >> 64n);
  };
  return [column, { name: "value_high", element: elementOf("value_high", "long"), read: high }];
});

/** The columns' names, in the files' order. */
export const parquetColumnNames: readonly string[] = parquetColumns.map(({ name }) => name);

/** Writes one file, a row group at a time. */
export class ParquetFile {
  readonly output: Output;
  private readonly columns: readonly ParquetColumn[];
  private readonly bytes = new ByteWriter(1 << 16);
  private readonly writer: ParquetWriter;
  private cells: Cell[][];
  /** Rows that aren't written yet. */
  pending = 0;

  /** `without`: columns that the file doesn't have, because its path says them. */
  constructor(output: Output, producer: string, without: ReadonlySet<string> = new Set()) {
    this.output = output;
    this.columns = parquetColumns.filter(({ name }) => !without.has(name));
    this.cells = this.columns.map(() => []);
    this.writer = new ParquetWriter({
      writer: this.bytes,
      schema: [{ name: "root", num_children: this.columns.length }, ...this.columns.map(({ element }) => element)],
      codec: "GZIP",
      compressors: { GZIP: (bytes) => gzipSync(bytes, { level: compressionLevel }) },
      createdBy: producer,
    });
  }

  /** Await what it returns where it returns something. Throws UserError where writing fails. */
  add(row: EventRow): Promise<void> | undefined {
    const { cells } = this;
    for (const [index, column] of this.columns.entries()) cells[index]!.push(column.read(row));
    this.pending += 1;
    return this.pending >= rowGroupRows ? this.flush() : undefined;
  }

  /** Writes what is pending as a row group. */
  async flush(): Promise<void> {
    if (this.pending === 0) return;
    const columnData = this.columns.map(({ name }, index) => ({ name, data: this.cells[index]! as unknown[] }));
    await this.writer.write({ columnData, rowGroupSize: this.pending });
    this.cells = this.columns.map(() => []);
    this.pending = 0;
    await this.drain();
  }

  /** Writes the rest, and closes the file. */
  async finish(): Promise<void> {
    await this.flush();
    await this.writer.finish();
    await this.drain();
    this.output.close();
  }

  private async drain(): Promise<void> {
    const bytes = this.bytes.getBytes();
    if (bytes.length > 0) await this.output.append(bytes);
    this.bytes.index = 0;
  }
}

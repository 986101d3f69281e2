// Exports a trace as Parquet, for DuckDB, Spark, Trino, ClickHouse, pandas: the columns of event-rows.ts, nullable except those that
// every event has. Numbers of 64 bits are signed INT64, since not all of those programs know unsigned ones: the bits are right, and
// the top bit is the sign. An access wider than 8 bytes has its upper half in `value_high`.
import { ByteWriter, ParquetWriter, type SchemaElement } from "hyparquet-writer";
import { assertUnreachable } from "../../base/assert.js";
import type { ByteSink } from "../file/sink.js";
import { type Cell, CellColumn, type CellKind } from "./cell-columns.js";
import { type ColumnKind, columns, type EventRow } from "./event-rows.js";

/**
 * Rows buffered per row group; a query reads one group at a time. The table of the groups is also kept in memory until the file's
 * end: half a kilobyte for each column.
 */
export const rowGroupRows = 65_536;
/** Limit of a dictionary; beyond it a row group's column is written value by value: a longer list needs memory, and saves nothing. */
const dictionary_bytes = 65_536;
const always = new Set<string>(["trace", "event", "op"]);

interface ParquetColumn {
  name: string;
  kind: CellKind;
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
    default:
      return assertUnreachable(kind);
  }
}

const signed = (value: bigint | undefined) => (value === undefined ? undefined : BigInt.asIntN(64, value));

const parquetColumns: readonly ParquetColumn[] = columns.flatMap(({ name, kind }): ParquetColumn[] => {
  const element = elementOf(name, kind);
  if (kind === "text" || kind === "double") return [{ name, kind, element, read: (row) => row[name] }];
  if (kind === "int")
    return [{ name, kind, element, read: (row) => (row[name] === undefined ? undefined : Number(row[name]) | 0) }];
  const read = (row: EventRow) => signed(row[name] as bigint | undefined);
  const column = { name, kind: "long" as const, element, read };
  if (name !== "value") return [column];
  const high = (row: EventRow) => {
    const { value } = row;
    return value === undefined || value >> 64n === 0n ? undefined : signed(value >> 64n);
  };
  return [column, { name: "value_high", kind: "long", element: elementOf("value_high", "long"), read: high }];
});

/** The part of a sink for a file written from beginning to end. */
export type FileSink = Pick<ByteSink, "append" | "close">;

/** Compresses like gzip: RFC 1952. */
export type Gzip = (bytes: Uint8Array) => Uint8Array;

/** Writes one file, a row group at a time. */
export class ParquetFile {
  readonly output: FileSink;
  private readonly columns: readonly ParquetColumn[];
  private readonly bytes = new ByteWriter(1 << 16);
  private readonly writer: ParquetWriter;
  private cells: readonly CellColumn[];
  private readonly repeats = new Map<string, unknown>();
  /** Number of rows not written yet. */
  pending = 0;

  /** `without`: columns that the file lacks because its path has their values. */
  constructor(output: FileSink, gzip: Gzip, producer: string, without: ReadonlySet<string> = new Set()) {
    this.output = output;
    this.columns = parquetColumns.filter(({ name }) => !without.has(name));
    this.cells = this.columns.map(({ kind }) => new CellColumn(kind));
    this.writer = new ParquetWriter({
      writer: this.bytes,
      schema: [{ name: "root", num_children: this.columns.length }, ...this.columns.map(({ element }) => element)],
      codec: "GZIP",
      compressors: { GZIP: gzip },
      createdBy: producer,
    });
  }

  /** Adds a row. Await the result if there is one. Throws UserError if writing fails. */
  add(row: EventRow): Promise<void> | undefined {
    const { cells } = this;
    for (const [index, column] of this.columns.entries()) cells[index]!.push(column.read(row));
    this.pending += 1;
    return this.pending >= rowGroupRows ? this.flush() : undefined;
  }

  /** Writes the pending rows as a row group. */
  async flush(): Promise<void> {
    if (this.pending === 0) return;
    // The writer asks for a column's cells when it writes that column: only one column's cells are in memory.
    const columnData = this.columns.map(({ name }, index) => {
      const column = this.cells[index]!;
      return {
        name,
        get data() {
          return column.cells() as unknown[];
        },
        offsetIndex: false,
      };
    });
    await this.writer.write({ columnData, rowGroupSize: this.pending, dictionarySize: dictionary_bytes });
    this.shareRepeats();
    for (const column of this.cells) column.clear();
    this.pending = 0;
    await this.drain();
  }

  /** Shares the equal parts of the row groups' descriptions, which the writer keeps for the file's end. */
  private shareRepeats(): void {
    // there are no page indexes
    this.writer.pendingIndexes.length = 0;
    for (const { meta_data } of this.writer.row_groups.at(-1)!.columns) {
      if (meta_data === undefined) continue;
      meta_data.path_in_schema = this.shared(meta_data.path_in_schema);
      meta_data.encodings = this.shared(meta_data.encodings);
      if (meta_data.encoding_stats !== undefined) meta_data.encoding_stats = this.shared(meta_data.encoding_stats);
    }
  }

  private shared<Value>(value: Value): Value {
    const key = JSON.stringify(value);
    if (!this.repeats.has(key)) this.repeats.set(key, value);
    return this.repeats.get(key) as Value;
  }

  /** Writes the rest, and closes the file. */
  async finish(): Promise<void> {
    await this.flush();
    // frees memory for the table of the row groups
    this.cells = [];
    await this.writer.finish();
    await this.drain();
    await this.output.close();
  }

  private async drain(): Promise<void> {
    await this.output.append(this.bytes.getBytes());
    this.bytes.index = 0;
  }
}

// Turns the payload of an events block back into typed arrays: table-decoder.ts reads its tables, row-decoder.ts its rows.
// No node: imports; decompression comes from outside (compression.ts).

import type { EventColumns } from "../event-columns.js";
import { record_bytes } from "../record.js";
import { BlockError } from "./block-error.js";
import type { Codec } from "./compression.js";
import { unpackColumns } from "./events-payload.js";
import { blockOthersMax, blockRowsMax, Column, columnCount, columnEntry_bytes, eventsPrelude_bytes } from "./layout.js";
import { decodeOtherPlaces, decodeTaskRuns, decodeTimes, decodeWordRows } from "./row-decoder.js";
import { decodeAddresses, decodeShapes, decodeTasks, decodeWords } from "./table-decoder.js";
import { Varints } from "./varints.js";

/** Decodes a block's payload, whose checksum was checked. `records` is the number in its header. Throws BlockError. */
export async function decodeEvents(payload: Uint8Array, records: number, codec: Codec): Promise<EventColumns> {
  const head = eventsPrelude_bytes + columnCount * columnEntry_bytes;
  if (payload.length < head) throw new BlockError("the block is too short for its table of columns");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const count = (index: number) => view.getUint32(8 + 4 * index, true);
  const [rows, others, words, addresses, shapes, tasks] = [count(0), count(1), count(2), count(3), count(4), count(5)];
  const plausible =
    rows <= blockRowsMax &&
    others <= blockOthersMax &&
    rows + others === records &&
    shapes <= addresses &&
    addresses <= words &&
    words <= rows &&
    tasks <= rows;
  if (!plausible) throw new BlockError("the block's counts contradict each other");
  const columns = await unpackColumns(payload, view, codec);
  const shapeTable = decodeShapes(new Varints(columns.get(Column.shape)!, "shape"), shapes);
  const addressTable = decodeAddresses(
    columns.get(Column.addressShape)!,
    columns.get(Column.addressDelta)!,
    addresses,
    shapes,
  );
  const wordTable = decodeWords(
    {
      refs: columns.get(Column.wordAddress)!,
      tags: columns.get(Column.wordTag)!,
      bytes: columns.get(Column.wordBytes)!,
    },
    words,
    addresses,
  );
  const other = columns.get(Column.other)!;
  if (other.length !== others * record_bytes) throw new BlockError("column other isn't whole records");
  return {
    rows,
    tscFirst: view.getBigUint64(0, true),
    ticks: decodeTimes(columns.get(Column.timeLow)!, columns.get(Column.timeHigh)!, rows),
    word: decodeWordRows(columns.get(Column.word)!, rows, words),
    task: decodeTaskRuns(new Varints(columns.get(Column.taskRun)!, "taskRun"), rows, tasks),
    tasks: decodeTasks(new Varints(columns.get(Column.task)!, "task"), tasks),
    words,
    ...wordTable,
    addresses,
    ...addressTable,
    shapes: shapeTable,
    others,
    otherAt: decodeOtherPlaces(new Varints(columns.get(Column.otherAt)!, "otherAt"), others, rows),
    other,
    state: columns.get(Column.state)!,
    before: new Uint8Array(0),
  };
}

// A part of a decoded block: the rows and other records between two places. The tables stay whole.
import type { EventColumns } from "../event-columns.js";
import { record_bytes } from "../record.js";

/** Returns `count` records of `columns`, from record `from` (counted from 0) on. */
export function sliceColumns(columns: EventColumns, from: number, count: number): EventColumns {
  const first = othersBefore(columns, from);
  const end = othersBefore(columns, from + count);
  const firstRow = from - first;
  const endRow = from + count - end;
  return {
    ...columns,
    rows: endRow - firstRow,
    ticks: columns.ticks.subarray(firstRow, endRow),
    word: columns.word.subarray(firstRow, endRow),
    task: columns.task.subarray(firstRow, endRow),
    others: end - first,
    otherAt: columns.otherAt.slice(first, end).map((row) => row - firstRow),
    other: columns.other.subarray(record_bytes * first, record_bytes * end),
    before: columns.other.subarray(0, record_bytes * first),
  };
}

/** Counts the other records among a block's first `records` records. */
function othersBefore({ others, otherAt }: EventColumns, records: number): number {
  let low = 0;
  let high = others;
  while (low < high) {
    const middle = (low + high) >> 1;
    // The record number of an other record is the rows and the other records before it.
    if (otherAt[middle]! + middle < records) low = middle + 1;
    else high = middle;
  }
  return low;
}

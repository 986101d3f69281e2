// Walks through a decoded block event by event: rows and other records in their order, parts joined.
// Convenient, not fast: bulk consumers use the columns themselves.
import { blockTargets } from "../by-target.js";
import type { EventColumns } from "../event-columns.js";
import { type AccessEvent, continues, eventOfRecords, joinValues, type TraceEvent } from "../events.js";
import { callerAddress, RecordFlag, RecordKind, record_bytes, recordOffset } from "../record.js";
import type { BlockHeader } from "./layout.js";

/** Yields the block's events in order. */
export function* eventsOfBlock(block: EventColumns, header: BlockHeader): Generator<TraceEvent, void, undefined> {
  const accesses = new AccessMaker(block, header);
  let number = header.firstEvent;
  let row = 0;
  let other = 0;
  while (row < block.rows || other < block.others) {
    const sequence = header.firstRecord + row + other + 1;
    if (other < block.others && block.otherAt[other] === row) {
      const end = endOfGroup(block, other);
      const group = block.other.subarray(record_bytes * other, record_bytes * end);
      yield eventOfRecords(group, { number, sequence });
      other = end;
    } else {
      const limit = other < block.others ? block.otherAt[other]! : block.rows;
      const end = endOfAccess(block, row, limit);
      yield accesses.make(row, end, number, sequence);
      row = end;
    }
    number += 1;
  }
}

/** Finds the first other record after `from` that doesn't continue its event. */
export function endOfGroup(block: EventColumns, from: number): number {
  const at = (index: number) => record_bytes * index;
  let end = from + 1;
  while (
    end < block.others &&
    block.otherAt[end] === block.otherAt[from] &&
    continues(kindOf(block.other, at(end - 1)), flagsOf(block.other, at(end - 1)), kindOf(block.other, at(end)))
  ) {
    end += 1;
  }
  return end;
}

const kindOf = (records: Uint8Array, at: number) => records[at + recordOffset.kind]!;
const flagsOf = (records: Uint8Array, at: number) =>
  records[at + recordOffset.flags]! | (records[at + recordOffset.flags + 1]! << 8);

/** The first row after `from`, and before `limit`, that is no further part of the same access. */
export function endOfAccess(block: EventColumns, from: number, limit: number): number {
  let end = from + 1;
  let shape = shapeOfRow(block, from);
  while (end < limit && (block.shapes.flags[shape]! & RecordFlag.more) !== 0) {
    const next = shapeOfRow(block, end);
    if (block.shapes.kind[next] !== block.shapes.kind[shape]) break;
    shape = next;
    end += 1;
  }
  return end;
}

/** Returns a row's shape. */
export function shapeOfRow(block: EventColumns, row: number): number {
  return block.addressShape[block.wordAddress[block.word[row]!]!]!;
}

/** Returns a row's whole value. */
function valueOfRow(block: EventColumns, row: number): bigint {
  const word = block.word[row]!;
  const high = block.wordHigh[word]!;
  const low = BigInt(block.wordLow[word]!);
  if (high === 0 && block.wordUpper.size === 0) return low;
  const both = (BigInt(high) << 32n) | low;
  const upper = block.wordUpper.get(word);
  return upper === undefined ? both : both | (upper << 64n);
}

/** Makes a block's accesses. Makes the parts that many of them share only once. */
class AccessMaker {
  private readonly block: EventColumns;
  private readonly firstTarget: number;
  private readonly addresses: (bigint | undefined)[] = [];

  constructor(block: EventColumns, { firstRecord }: BlockHeader) {
    this.block = block;
    this.firstTarget = firstRecord * blockTargets;
  }

  /** Makes the access of the rows from `from` up to, but without, `end`. */
  make(from: number, end: number, number: number, sequence: number): AccessEvent {
    const { block } = this;
    const { shapes, tasks } = block;
    const word = block.word[from]!;
    const addressIndex = block.wordAddress[word]!;
    const shape = block.addressShape[addressIndex]!;
    const task = block.task[from]!;
    const whole = end === from + 1 ? undefined : joinRows(block, from, end);
    return {
      kind: shapes.kind[shape] === RecordKind.read ? "read" : "write",
      number,
      sequence,
      tsc: block.tscFirst + BigInt(block.ticks[from]!),
      cpu: tasks.cpu[task]!,
      pid: tasks.pid[task]!,
      flags: ((shapes.flags[shape]! & ~RecordFlag.more) | tasks.contextFlags[task]!) >>> 0,
      address: this.address(addressIndex),
      site: shapes.site[shape]!,
      caller: callerAddress(shapes.caller[shape]!),
      mapping: shapes.mapping[shape]!,
      target: whole === undefined ? this.firstTarget + addressIndex : -1,
      width_bytes: whole === undefined ? shapes.width_bytes[shape]! : whole.width_bytes,
      value: whole === undefined ? valueOfRow(block, from) : whole.value,
    };
  }

  private address(index: number): bigint {
    let address = this.addresses[index];
    if (address === undefined) {
      address = BigInt(this.block.address[index]!);
      this.addresses[index] = address;
    }
    return address;
  }
}

/** Width and value of the access whose parts are the rows from `from` up to, but without, `end`. */
export function joinRows(block: EventColumns, from: number, end: number): { width_bytes: number; value: bigint } {
  return joinValues(
    Array.from({ length: end - from }, (_, part) => ({
      width_bytes: block.shapes.width_bytes[shapeOfRow(block, from + part)]!,
      value: valueOfRow(block, from + part),
    })),
  );
}

/** Joins records of kinds other than access, in order, into events. Their places aren't known here: all 0. */
export function* eventsOfOtherRecords(records: Uint8Array): Generator<TraceEvent, void, undefined> {
  for (let from = 0; from < records.length; ) {
    let end = from + record_bytes;
    while (
      end < records.length &&
      continues(kindOf(records, end - record_bytes), flagsOf(records, end - record_bytes), kindOf(records, end))
    ) {
      end += record_bytes;
    }
    yield eventOfRecords(records.subarray(from, end), { number: 0, sequence: 0 });
    from = end;
  }
}

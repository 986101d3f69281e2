// A block's accesses as flat typed arrays, one element an access, for computing with millions of them. They are independent of the
// file's coding (event-columns.ts).
import type { EventColumns } from "../event-columns.js";
import { callerAddress, RecordFlag, RecordKind } from "../record.js";
import { endOfAccess, endOfGroup, joinRows, shapeOfRow } from "./block-events.js";

/** Accesses in their order. Each array has `count` elements. */
export interface AccessColumns {
  readonly count: number;
  /** Place among the trace's events, like `AccessEvent.number`. */
  readonly number: Float64Array;
  /** Seconds since recording began; NaN where a log of another format has no time. */
  readonly time_s: Float64Array;
  /** 1 for a write, 0 for a read. */
  readonly isWrite: Uint8Array;
  /** Physical address; exact, because addresses are below 2^52. */
  readonly address: Float64Array;
  readonly width_bytes: Uint32Array;
  /** The value's low 64 bits. */
  readonly value: BigUint64Array;
  /** Whole values of more than 64 bits, by place in the arrays. */
  readonly wide: ReadonlyMap<number, bigint>;
  /** Address of the instruction; 0 if none was recorded. */
  readonly site: BigUint64Array;
  /** Return address in the driver, where the instruction lies outside of it; 0 for none. */
  readonly caller: BigUint64Array;
  readonly mapping: Uint32Array;
  readonly cpu: Uint16Array;
  readonly pid: Uint32Array;
  /** `RecordFlag` bits. */
  readonly flags: Uint32Array;
}

/** The clock of the time stamps. */
export interface ColumnClock {
  start: bigint;
  tscFrequency_hz: number;
}

/** Makes the columns of a decoded block, whose first event is number `firstEvent` of the trace. */
export function accessColumns(block: EventColumns, firstEvent: number, clock: ColumnClock): AccessColumns {
  const { rows, shapes, tasks } = block;
  const out = emptyColumns(rows);
  // A bigint a row would take most of the time.
  const halves = new Uint32Array(out.value.buffer);
  const first = Number(block.tscFirst - clock.start);
  /** The ticks of time stamp 0, which means that there is no time. */
  const timeless = -Number(block.tscFirst);
  const wide = new Map<number, bigint>();
  let count = 0;
  let number = firstEvent;
  for (let row = 0, other = 0; row < rows || other < block.others; number += 1) {
    if (other < block.others && block.otherAt[other] === row) {
      other = endOfGroup(block, other);
      continue;
    }
    const end = endOfAccess(block, row, other < block.others ? block.otherAt[other]! : rows);
    const shape = shapeOfRow(block, row);
    const task = block.task[row]!;
    const word = block.word[row]!;
    out.number[count] = number;
    const ticks = block.ticks[row]!;
    out.time_s[count] = ticks === timeless ? Number.NaN : (first + ticks) / clock.tscFrequency_hz;
    out.isWrite[count] = shapes.kind[shape] === RecordKind.write ? 1 : 0;
    out.address[count] = block.address[block.wordAddress[word]!]!;
    out.width_bytes[count] = shapes.width_bytes[shape]!;
    halves[2 * count] = block.wordLow[word]!;
    halves[2 * count + 1] = block.wordHigh[word]!;
    if (end > row + 1 || block.wordUpper.has(word)) {
      const { width_bytes, value } = joinRows(block, row, end);
      out.width_bytes[count] = width_bytes;
      out.value[count] = value;
      if (value >> 64n !== 0n) wide.set(count, value);
    }
    out.site[count] = shapes.site[shape]!;
    out.caller[count] = callerAddress(shapes.caller[shape]!);
    out.mapping[count] = shapes.mapping[shape]!;
    out.cpu[count] = tasks.cpu[task]!;
    out.pid[count] = tasks.pid[task]!;
    out.flags[count] = (shapes.flags[shape]! & ~RecordFlag.more) | tasks.contextFlags[task]!;
    count += 1;
    row = end;
  }
  return { ...shortened(out, count), count, wide };
}

type Arrays = Omit<AccessColumns, "count" | "wide">;

function emptyColumns(rows: number): Arrays {
  return {
    number: new Float64Array(rows),
    time_s: new Float64Array(rows),
    isWrite: new Uint8Array(rows),
    address: new Float64Array(rows),
    width_bytes: new Uint32Array(rows),
    value: new BigUint64Array(rows),
    site: new BigUint64Array(rows),
    caller: new BigUint64Array(rows),
    mapping: new Uint32Array(rows),
    cpu: new Uint16Array(rows),
    pid: new Uint32Array(rows),
    flags: new Uint32Array(rows),
  };
}

/** Cuts the columns to the number of accesses: some rows were parts of accesses. */
function shortened(columns: Arrays, count: number): Arrays {
  if (columns.number.length === count) return columns;
  const entries = Object.entries(columns).map(([name, array]) => [name, array.subarray(0, count)]);
  return Object.fromEntries(entries) as Arrays;
}

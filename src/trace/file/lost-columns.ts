// The content of a block that can't be read, for its readers: one LOST event with the number of its records.
import type { EventColumns } from "../event-columns.js";
import { noCpu } from "../event-task.js";
import { RecordFlag, RecordKind, record_bytes, writeRecord } from "../record.js";
import type { BlockHeader } from "./layout.js";

const none = new Uint8Array(0);

/** Makes the columns of an unreadable block. They have no state: that of the next block doesn't follow from them. */
export function lostColumns({ records, tscMin }: BlockHeader): EventColumns {
  const other = new Uint8Array(record_bytes);
  const lost = { kind: RecordKind.lost, cpu: noCpu, tsc: tscMin, flags: RecordFlag.gone };
  writeRecord(new DataView(other.buffer), 0, { ...lost, value: [BigInt(records), 0n] });
  return {
    ...{ rows: 0, tscFirst: 0n, ticks: new Float64Array(0), word: new Uint16Array(0), task: new Uint16Array(0) },
    tasks: { count: 0, cpu: new Uint16Array(0), pid: new Uint32Array(0), contextFlags: none },
    ...{ words: 0, wordAddress: new Uint16Array(0), wordLow: new Uint32Array(0), wordHigh: new Uint32Array(0) },
    wordUpper: new Map(),
    ...{ addresses: 0, address: new Float64Array(0), addressShape: new Uint16Array(0) },
    shapes: {
      ...{ count: 0, kind: none, width_bytes: none, flags: new Uint32Array(0), mapping: new Uint32Array(0) },
      ...{ site: new BigUint64Array(0), caller: new Uint32Array(0) },
    },
    ...{ others: 1, otherAt: new Uint32Array(1), other, state: none, before: none },
  };
}

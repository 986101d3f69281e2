// The payload of an events block as bytes: packs an encoder's columns, each with the best method, and unpacks them again.
// block-encoder.ts and block-decoder.ts know the meaning of the columns. No node: imports.
import { assert } from "../../base/assert.js";
import { BlockError } from "./block-error.js";
import type { Codec } from "./compression.js";
import { Column, columnCount, columnEntry_bytes, columnRawMax_bytes, eventsPrelude_bytes, Method } from "./layout.js";

/** Least length of a column worth compressing. */
const deflateMin_bytes = 17;
/** Up to this length effort costs hardly any time: blocks of recordings that flush, and of short ones. */
const effortMax_bytes = 16_384;

export interface EventsContent {
  tscFirstLow: number;
  tscFirstHigh: number;
  /** Rows, other records, words, addresses, shapes, tasks. */
  counts: readonly number[];
  /** The columns with their numbers. */
  columns: readonly (readonly [number, Uint8Array])[];
}

/** Packs the payload. */
export async function packEvents(content: EventsContent, codec: Codec): Promise<Uint8Array> {
  const { columns } = content;
  assert(columns.length === columnCount, "every column is stored");
  const stored: { number: number; raw: Uint8Array; method: number; bytes: Uint8Array }[] = [];
  for (const [number, raw] of columns) {
    const bytes = await packColumn(number, raw, codec);
    stored.push({ number, raw, method: bytes === raw ? Method.raw : Method.deflate, bytes });
  }
  const entries_bytes = eventsPrelude_bytes + columnCount * columnEntry_bytes;
  const payload = new Uint8Array(stored.reduce((sum, column) => sum + column.bytes.length, entries_bytes));
  const view = new DataView(payload.buffer);
  view.setUint32(0, content.tscFirstLow, true);
  view.setUint32(4, content.tscFirstHigh, true);
  content.counts.forEach((count, index) => {
    view.setUint32(8 + 4 * index, count, true);
  });
  let entry = eventsPrelude_bytes;
  let at = entries_bytes;
  for (const column of stored) {
    payload[entry] = column.number;
    payload[entry + 1] = column.method;
    view.setUint32(entry + 4, column.bytes.length, true);
    view.setUint32(entry + 8, column.raw.length, true);
    payload.set(column.bytes, at);
    entry += columnEntry_bytes;
    at += column.bytes.length;
  }
  return payload;
}

/** Deflates a column, or stores it raw if that is no longer. */
async function packColumn(number: number, raw: Uint8Array, codec: Codec): Promise<Uint8Array> {
  if (raw.length < deflateMin_bytes) return raw;
  const smaller = (best: Uint8Array, other: Uint8Array) => (other.length < best.length ? other : best);
  // Times never repeat, but some are likelier than others; a search for repetitions would take half of all time.
  const isTime = number === Column.timeLow || number === Column.timeHigh;
  if (isTime) {
    if (isNoise(raw)) return raw;
    const coded = smaller(raw, await codec.deflate(raw, "entropy"));
    return raw.length <= effortMax_bytes ? smaller(coded, await codec.deflate(raw, "small")) : coded;
  }
  return smaller(raw, await codec.deflate(raw, raw.length <= effortMax_bytes ? "small" : "fast"));
}

/** Returns true if all byte values of a column are about equally likely, so that coding them gains nothing. */
function isNoise(bytes: Uint8Array): boolean {
  const counts = new Uint32Array(256);
  for (let at = 0; at < bytes.length; at += 1) counts[bytes[at]!]! += 1;
  let bits = 0;
  for (const count of counts) if (count > 0) bits += count * Math.log2(bytes.length / count);
  return bits > 7.9 * bytes.length;
}

/** Decompresses the stored columns; returns them by number. Throws BlockError. */
export async function unpackColumns(
  payload: Uint8Array,
  view: DataView,
  codec: Codec,
): Promise<Map<number, Uint8Array>> {
  const columns = new Map<number, Uint8Array>();
  let at = eventsPrelude_bytes + columnCount * columnEntry_bytes;
  for (let index = 0; index < columnCount; index += 1) {
    const entry = eventsPrelude_bytes + index * columnEntry_bytes;
    const number = payload[entry]!;
    const method = payload[entry + 1]!;
    const stored_bytes = view.getUint32(entry + 4, true);
    const raw_bytes = view.getUint32(entry + 8, true);
    if (number === 0 || number > columnCount || columns.has(number))
      throw new BlockError(`column ${number} twice or unknown`);
    if (raw_bytes > columnRawMax_bytes) throw new BlockError(`column ${number} claims ${raw_bytes} bytes`);
    if (at + stored_bytes > payload.length) throw new BlockError(`column ${number} runs past the block's end`);
    const stored = payload.subarray(at, at + stored_bytes);
    at += stored_bytes;
    let raw = stored;
    if (method === Method.deflate) {
      try {
        const inflated = codec.inflate(stored, raw_bytes);
        raw = inflated instanceof Uint8Array ? inflated : await inflated;
      } catch (error) {
        throw new BlockError(`column ${number} can't be decompressed: ${(error as Error).message}`);
      }
    } else if (method !== Method.raw)
      throw new BlockError(`column ${number} is stored by method ${method}, which is unknown`);
    if (raw.length !== raw_bytes) throw new BlockError(`column ${number} has ${raw.length} bytes, not ${raw_bytes}`);
    columns.set(number, raw);
  }
  if (at !== payload.length) throw new BlockError(`${payload.length - at} bytes follow the last column`);
  return columns;
}

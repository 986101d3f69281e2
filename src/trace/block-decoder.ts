// Turns the payload of an events block back into typed arrays. Trusts nothing: every count and index is checked.
// No node: imports; decompression comes from outside (compression.ts).
import type { Codec } from "./compression.js";
import {
  blockOthersMax,
  blockRowsMax,
  Column,
  columnAddressLimit,
  columnCount,
  columnEntry_bytes,
  columnRawMax_bytes,
  eventsPrelude_bytes,
  Method,
  ValueTag,
  valueDeltaMax_bytes,
} from "./layout.js";
import { record_bytes, value_bytes } from "./record.js";

const two32 = 2 ** 32;

/** What is wrong with a block's content. The reader makes a FormatError with the file's name and offset of it. */
export class BlockError extends Error {}

/** Distinct (site, kind, width, flags, mapping) of a block. */
export interface Shapes {
  count: number;
  kind: Uint8Array;
  width_bytes: Uint8Array;
  /** Without the flags that say where the CPU was: those are the task's. */
  flags: Uint32Array;
  mapping: Uint32Array;
  site: BigUint64Array;
}

/** Distinct (CPU, process, interrupt context) of a block. */
export interface Tasks {
  count: number;
  cpu: Uint16Array;
  pid: Uint32Array;
  contextFlags: Uint8Array;
}

/**
 * The content of one events block.
 *
 * A row is an access, or a part of one that needs several records. Its word says what was accessed:
 * `word[row]` → `wordAddress[word]` → `address[…]`, `addressShape[…]` → shapes.
 */
export interface EventColumns {
  rows: number;
  /** Time stamp of the first row. */
  tscFirst: bigint;
  /** By row: ticks since the first row. May go back where CPUs raced. */
  ticks: Float64Array;
  /** By row. */
  word: Uint32Array;
  /** By row: which task. */
  task: Uint32Array;
  tasks: Tasks;
  words: number;
  /** By word: which address. */
  wordAddress: Uint32Array;
  /** By word: the value's low and high 32 bits. */
  wordLow: Uint32Array;
  wordHigh: Uint32Array;
  /** By word: the value's upper 64 bits where it has any (accesses wider than 8 bytes). */
  wordUpper: Map<number, bigint>;
  addresses: number;
  /** By address: physical. Exact: below 2^52. */
  address: Float64Array;
  /** By address: which shape. */
  addressShape: Uint32Array;
  shapes: Shapes;
  others: number;
  /** By other record: how many rows come before it. */
  otherAt: Uint32Array;
  /** Whole records, 64 bytes each; their sequence numbers are 0. */
  other: Uint8Array;
  /** JSON: what holds before the block's first record. */
  state: Uint8Array;
}

/** A reader of varints that refuses to run past its end. */
class Varints {
  private readonly bytes: Uint8Array;
  private readonly name: string;
  at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.name = name;
  }

  /** A number below 2^53. */
  next(): number {
    const bytes = this.bytes;
    const first = bytes[this.at++];
    if (first === undefined) throw new BlockError(`column ${this.name} ends too soon`);
    if (first < 128) return first;
    let value = first & 127;
    for (let scale = 128; ; scale *= 128) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw new BlockError(`column ${this.name} ends too soon`);
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new BlockError(`column ${this.name} holds too large a number`);
      if (byte < 128) return value;
    }
  }

  /** A number below `limit`. */
  below(limit: number): number {
    const value = this.next();
    if (value >= limit) throw new BlockError(`column ${this.name} holds ${value}, which should be below ${limit}`);
    return value;
  }

  zigzag(): number {
    const value = this.next();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A difference of 64-bit numbers. */
  zigzag64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || shift > 63n) throw new BlockError(`column ${this.name} holds a broken number`);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    return (value >> 1n) ^ -(value & 1n);
  }

  end(): void {
    if (this.at !== this.bytes.length) {
      throw new BlockError(`column ${this.name} has ${this.bytes.length - this.at} bytes too many`);
    }
  }
}

/** Decodes a block's payload, whose checksum was checked. `records` is what its header says. Throws BlockError. */
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
  const columns = await readColumns(payload, view, codec);
  const shapeTable = decodeShapes(new Varints(columns.get(Column.shape)!, "shape"), shapes);
  const addressTable = decodeAddresses(columns, addresses, shapes);
  const wordTable = decodeWords(columns, words, addresses);
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
  };
}

async function readColumns(payload: Uint8Array, view: DataView, codec: Codec): Promise<Map<number, Uint8Array>> {
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

function decodeShapes(column: Varints, count: number): Shapes {
  const shapes: Shapes = {
    count,
    kind: new Uint8Array(count),
    width_bytes: new Uint8Array(count),
    flags: new Uint32Array(count),
    mapping: new Uint32Array(count),
    site: new BigUint64Array(count),
  };
  let site = 0n;
  for (let shape = 0; shape < count; shape += 1) {
    const kindWidth = column.below(64);
    const width_bytes = kindWidth & 31;
    if (width_bytes === 0 || width_bytes > value_bytes) throw new BlockError(`an access ${width_bytes} bytes wide`);
    shapes.kind[shape] = (kindWidth >> 5) + 1;
    shapes.width_bytes[shape] = width_bytes;
    shapes.flags[shape] = column.below(two32);
    shapes.mapping[shape] = column.below(two32);
    site = BigInt.asUintN(64, site + column.zigzag64());
    shapes.site[shape] = site;
  }
  column.end();
  return shapes;
}

function decodeAddresses(columns: Map<number, Uint8Array>, count: number, shapes: number) {
  const refs = new Varints(columns.get(Column.addressShape)!, "addressShape");
  const deltas = new Varints(columns.get(Column.addressDelta)!, "addressDelta");
  const address = new Float64Array(count);
  const addressShape = new Uint32Array(count);
  const last = new Float64Array(shapes);
  let defined = 0;
  for (let index = 0; index < count; index += 1) {
    const ref = refs.below(defined + 1);
    let base: number;
    let shape: number;
    if (ref === 0) {
      if (defined === shapes) throw new BlockError("column addressShape defines more shapes than there are");
      shape = defined++;
      base = index === 0 ? 0 : address[index - 1]!;
    } else {
      shape = ref - 1;
      base = last[shape]!;
    }
    const here = base + deltas.zigzag();
    if (here < 0 || here >= columnAddressLimit) throw new BlockError("column addressDelta leaves the address space");
    address[index] = here;
    last[shape] = here;
    addressShape[index] = shape;
  }
  if (defined !== shapes) throw new BlockError("column addressShape doesn't define every shape");
  refs.end();
  deltas.end();
  return { address, addressShape };
}

function decodeWords(columns: Map<number, Uint8Array>, count: number, addresses: number) {
  const refs = new Varints(columns.get(Column.wordAddress)!, "wordAddress");
  const tags = columns.get(Column.wordTag)!;
  const bytes = columns.get(Column.wordBytes)!;
  if (tags.length !== count) throw new BlockError("column wordTag doesn't fit the number of words");
  const wordAddress = new Uint32Array(count);
  const wordLow = new Uint32Array(count);
  const wordHigh = new Uint32Array(count);
  const wordUpper = new Map<number, bigint>();
  /** By address: the word last defined, counted from 1. */
  const lastWord = new Uint32Array(addresses);
  let defined = 0;
  let at = 0;
  for (let word = 0; word < count; word += 1) {
    let index = refs.below(defined + 1) - 1;
    if (index < 0) {
      if (defined === addresses) throw new BlockError("column wordAddress defines more addresses than there are");
      index = defined++;
    }
    wordAddress[word] = index;
    const tag = tags[word]!;
    const length = tag & 31;
    const mode = tag - length;
    if (at + length > bytes.length) throw new BlockError("column wordBytes ends too soon");
    let low = 0;
    let high = 0;
    for (let byte = Math.min(length, 8) - 1; byte >= 4; byte -= 1) high = high * 256 + bytes[at + byte]!;
    for (let byte = Math.min(length, 4) - 1; byte >= 0; byte -= 1) low = low * 256 + bytes[at + byte]!;
    if (mode === ValueTag.raw) {
      if (length > value_bytes) throw new BlockError(`a value of ${length} bytes`);
      if (length > 8) wordUpper.set(word, upperOf(bytes, at, length));
    } else {
      const before = lastWord[index]! - 1;
      const sign = mode === ValueTag.up ? 1 : mode === ValueTag.down ? -1 : 0;
      if (sign === 0 || length > valueDeltaMax_bytes || before < 0)
        throw new BlockError("column wordTag holds a wrong tag");
      low = wordLow[before]! + sign * low;
      high = wordHigh[before]! + sign * high + Math.floor(low / two32);
      if (high < 0 || high >= two32) throw new BlockError("a value's delta leaves 64 bits");
    }
    wordLow[word] = low;
    wordHigh[word] = high;
    lastWord[index] = word + 1;
    at += length;
  }
  if (defined !== addresses) throw new BlockError("column wordAddress doesn't define every address");
  if (at !== bytes.length) throw new BlockError("column wordBytes has bytes too many");
  refs.end();
  return { wordAddress, wordLow, wordHigh, wordUpper };
}

function upperOf(bytes: Uint8Array, at: number, length: number): bigint {
  let upper = 0n;
  for (let byte = length - 1; byte >= 8; byte -= 1) upper = (upper << 8n) | BigInt(bytes[at + byte]!);
  return upper;
}

function decodeWordRows(bytes: Uint8Array, rows: number, words: number): Uint32Array {
  const word = new Uint32Array(rows);
  let defined = 0;
  let at = 0;
  // Past the column's end a byte reads as undefined, which the bit operations take for 0; `at` tells in the end.
  for (let row = 0; row < rows; row += 1) {
    let ref = bytes[at++]!;
    if (ref > 127) {
      const second = bytes[at++]!;
      ref = (ref & 127) | ((second & 127) << 7);
      if (second > 127) ref |= bytes[at++]! << 14;
    }
    if (ref === 0) ref = ++defined;
    else if (ref > defined) throw new BlockError("column word names a word before it is defined");
    word[row] = ref - 1;
  }
  if (at !== bytes.length) throw new BlockError("column word doesn't fit the number of rows");
  if (defined !== words) throw new BlockError("column word doesn't define every word");
  return word;
}

function decodeTimes(lows: Uint8Array, highs: Uint8Array, rows: number): Float64Array {
  if (lows.length !== rows) throw new BlockError("column timeLow doesn't fit the number of rows");
  const ticks = new Float64Array(rows);
  let now = 0;
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    let upper = highs[at++]!;
    if (upper > 127) {
      upper &= 127;
      let scale = 128;
      for (;;) {
        const byte = highs[at++];
        if (byte === undefined || scale > 2 ** 46) throw new BlockError("column timeHigh holds a broken number");
        upper += (byte & 127) * scale;
        if (byte < 128) break;
        scale *= 128;
      }
      now += (upper % 2 === 0 ? upper / 2 : -(upper + 1) / 2) * 256 + lows[row]!;
    } else now += ((upper >>> 1) ^ -(upper & 1)) * 256 + lows[row]!;
    ticks[row] = now;
  }
  if (at !== highs.length) throw new BlockError("column timeHigh doesn't fit the number of rows");
  if (rows > 0 && !Number.isSafeInteger(now)) throw new BlockError("column timeHigh leaves the range of times");
  return ticks;
}

function decodeTaskRuns(column: Varints, rows: number, tasks: number): Uint32Array {
  const task = new Uint32Array(rows);
  let defined = 0;
  for (let row = 0; row < rows; ) {
    let ref = column.below(defined + 1);
    if (ref === 0) {
      if (defined === tasks) throw new BlockError("column taskRun defines more tasks than there are");
      ref = ++defined;
    }
    const run = column.next();
    if (run === 0 || row + run > rows) throw new BlockError("column taskRun doesn't fit the number of rows");
    task.fill(ref - 1, row, row + run);
    row += run;
  }
  if (defined !== tasks) throw new BlockError("column taskRun doesn't define every task");
  column.end();
  return task;
}

function decodeTasks(column: Varints, count: number): Tasks {
  const tasks = {
    count,
    cpu: new Uint16Array(count),
    pid: new Uint32Array(count),
    contextFlags: new Uint8Array(count),
  };
  for (let task = 0; task < count; task += 1) {
    tasks.cpu[task] = column.below(0x10000);
    tasks.pid[task] = column.below(two32);
    tasks.contextFlags[task] = column.below(8);
  }
  column.end();
  return tasks;
}

function decodeOtherPlaces(column: Varints, count: number, rows: number): Uint32Array {
  const places = new Uint32Array(count);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    at += column.next();
    if (at > rows) throw new BlockError("column otherAt lies past the last row");
    places[index] = at;
  }
  column.end();
  return places;
}

// Turns ring records into the columns of one events block. Bulk path: typed arrays only, no object an event.
// The words used here (row, shape, address, word, task) are those of docs/trace-format.md.
import { assert } from "../base/assert.js";
import { continues } from "./events.js";
import {
  blockOthersMax,
  blockRowsMax,
  Column,
  columnAddressLimit,
  columnCount,
  columnEntry_bytes,
  eventsPrelude_bytes,
  Method,
  ValueTag,
  valueDeltaMax_bytes,
} from "./layout.js";
import { RecordFlag, RecordKind, record_bytes, value_bytes } from "./record.js";

assert(new Uint8Array(Uint32Array.of(1).buffer)[0] === 1, "the machine is little endian");

/** Flags that say where the CPU was rather than what it did: they go with the task. */
export const contextFlags = RecordFlag.hardirq | RecordFlag.softirq | RecordFlag.nmi;
const tableSize = 1 << 17;
const tableMask = tableSize - 1;
const two32 = 2 ** 32;

/** A byte column that grows to a known most. */
class ByteColumn {
  readonly bytes: Uint8Array;
  length = 0;

  constructor(max_bytes: number) {
    this.bytes = new Uint8Array(max_bytes);
  }

  /** A number from 0 to 2^53, seven bits a byte, least significant first. */
  varint(value: number): void {
    const bytes = this.bytes;
    let at = this.length;
    while (value >= two32) {
      bytes[at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    while (value > 127) {
      bytes[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.length = at;
  }

  /** Positive and negative numbers below 2^52 in size: 0, -1, 1, -2, … */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  get used(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

export interface EncodedBlock {
  payload: Uint8Array;
  records: number;
  events: number;
  tscMin: bigint;
  tscMax: bigint;
}

export class BlockEncoder {
  rows = 0;
  events = 0;
  private others = 0;
  private lastKind = 0;
  private lastFlags = 0;
  private lastWasRow = false;

  private tscFirstHigh = 0;
  private tscFirstLow = 0;
  private tscHigh = 0;
  private tscLow = 0;
  /** Ticks since the first row, of the present row, and their least and greatest. */
  private ticks = 0;
  private ticksMin = 0;
  private ticksMax = 0;
  private otherTscMin = 0n;
  private otherTscMax = 0n;

  private shapes = 0;
  private readonly shapeTable = new Int32Array(tableSize);
  /** Kind, width, flags, mapping, site low, site high. */
  private readonly shapeKey = new Uint32Array(5 * blockRowsMax);
  private readonly shapeAddress = new Float64Array(blockRowsMax);

  private addresses = 0;
  private readonly addressTable = new Int32Array(tableSize);
  private readonly addressKey = new Float64Array(blockRowsMax);
  private readonly addressShapeOf = new Uint32Array(blockRowsMax);
  /** The word last defined for an address, counted from 1. */
  private readonly addressWord = new Uint32Array(blockRowsMax);

  private words = 0;
  private readonly wordTable = new Int32Array(tableSize);
  private readonly wordAddressOf = new Uint32Array(blockRowsMax);
  /** Four numbers a word. */
  private readonly wordValue = new Uint32Array(4 * blockRowsMax);

  private readonly tasks = new Map<number, number>();
  private taskKey = -1;
  private taskRef = 0;
  private taskRun = 0;

  private readonly word = new ByteColumn(3 * blockRowsMax);
  private readonly wordAddress = new ByteColumn(3 * blockRowsMax);
  private readonly addressShape = new ByteColumn(3 * blockRowsMax);
  private readonly addressDelta = new ByteColumn(8 * blockRowsMax);
  private readonly shape = new ByteColumn(21 * blockRowsMax);
  private readonly wordTag = new ByteColumn(blockRowsMax);
  private readonly wordBytes = new ByteColumn(value_bytes * blockRowsMax);
  private readonly taskRuns = new ByteColumn(6 * blockRowsMax);
  private readonly task = new ByteColumn(9 * blockRowsMax);
  private readonly timeLow = new ByteColumn(blockRowsMax);
  private readonly timeHigh = new ByteColumn(7 * blockRowsMax);
  private readonly otherAt = new ByteColumn(3 * blockOthersMax);
  private readonly other = new ByteColumn(record_bytes * blockOthersMax);
  private lastOtherAt = 0;

  get records(): number {
    return this.rows + this.others;
  }

  /** Whether another record still fits. */
  get hasRoom(): boolean {
    return this.rows < blockRowsMax && this.others < blockOthersMax;
  }

  /** Whether the last record taken says that the next one belongs to it. */
  get unfinished(): boolean {
    return (this.lastFlags & RecordFlag.more) !== 0;
  }

  reset(): void {
    this.rows = this.events = this.others = this.lastKind = this.lastFlags = 0;
    this.ticks = this.ticksMin = this.ticksMax = 0;
    this.otherTscMin = this.otherTscMax = 0n;
    if (this.shapes > 0) this.shapeTable.fill(0);
    if (this.addresses > 0) this.addressTable.fill(0);
    if (this.words > 0) this.wordTable.fill(0);
    this.shapes = this.addresses = this.words = 0;
    this.tasks.clear();
    this.taskKey = -1;
    this.taskRun = this.lastOtherAt = 0;
    for (const column of this.columns().values()) column.length = 0;
  }

  /** Takes the record whose first 32-bit word is `words32[at]`. Needs `hasRoom`. */
  add(words32: Uint32Array, at: number): void {
    const packed = words32[at + 14]!;
    const kind = (packed >>> 16) & 0xff;
    const width = packed >>> 24;
    const flags = words32[at + 15]!;
    const address = words32[at + 5]! * two32 + words32[at + 4]!;
    const isRow = this.addTime(kind, width, address, words32, at);
    if (isRow !== this.lastWasRow || !continues(this.lastKind, this.lastFlags, kind)) this.events += 1;
    this.lastWasRow = isRow;
    this.lastKind = kind;
    this.lastFlags = flags;
    if (!isRow) {
      this.addOther(words32, at);
      return;
    }
    const shape = this.shapeOf(kind, width, flags & ~contextFlags, words32, at);
    const addressIndex = this.addressOf(shape, address);
    this.addWord(addressIndex, words32[at + 6]!, words32[at + 7]!, words32[at + 8]!, words32[at + 9]!);
    const taskKey = ((packed & 0xffff) * two32 + words32[at + 12]!) * 8 + (flags & contextFlags);
    if (taskKey !== this.taskKey) this.switchTask(taskKey);
    this.taskRun += 1;
    this.rows += 1;
  }

  /** Adds the row's time stamp; returns false, and adds nothing, where the record has to be kept whole. */
  private addTime(kind: number, width: number, address: number, words32: Uint32Array, at: number): boolean {
    if (kind !== RecordKind.read && kind !== RecordKind.write) return false;
    if (width === 0 || width > value_bytes || address >= columnAddressLimit) return false;
    if (width < value_bytes && hasBitsBeyond(width, words32, at + 6)) return false;
    const low = words32[at + 2]!;
    const high = words32[at + 3]!;
    if (this.rows === 0) {
      this.tscFirstHigh = this.tscHigh = high;
      this.tscFirstLow = this.tscLow = low;
    }
    const delta = (high - this.tscHigh) * two32 + (low - this.tscLow);
    const ticks = this.ticks + delta;
    if (Math.abs(delta) >= 2 ** 52 || Math.abs(ticks) >= 2 ** 52) return false;
    this.tscLow = low;
    this.tscHigh = high;
    this.ticks = ticks;
    if (ticks < this.ticksMin) this.ticksMin = ticks;
    else if (ticks > this.ticksMax) this.ticksMax = ticks;
    const upper = Math.floor(delta / 256);
    this.timeLow.bytes[this.timeLow.length++] = delta - upper * 256;
    this.timeHigh.zigzag(upper);
    return true;
  }

  private addOther(words32: Uint32Array, at: number): void {
    this.otherAt.varint(this.rows - this.lastOtherAt);
    this.lastOtherAt = this.rows;
    const bytes = new Uint8Array(words32.buffer, words32.byteOffset + 4 * at, record_bytes);
    this.other.bytes.set(bytes, this.other.length);
    // Its sequence number is its place, which a reader knows.
    this.other.bytes.fill(0, this.other.length, this.other.length + 8);
    this.other.length += record_bytes;
    this.others += 1;
    const tsc = (BigInt(words32[at + 3]!) << 32n) | BigInt(words32[at + 2]!);
    if (tsc === 0n) return;
    if (this.otherTscMin === 0n || tsc < this.otherTscMin) this.otherTscMin = tsc;
    if (tsc > this.otherTscMax) this.otherTscMax = tsc;
  }

  private shapeOf(kind: number, width: number, flags: number, words32: Uint32Array, at: number): number {
    const mapping = words32[at + 13]!;
    const siteLow = words32[at + 10]!;
    const siteHigh = words32[at + 11]!;
    const kindWidth = ((kind - 1) << 5) | width;
    const keys = this.shapeKey;
    const hash = Math.imul(siteLow ^ Math.imul(mapping, 0x85ebca6b) ^ (kindWidth << 20) ^ flags, 0x9e3779b1);
    for (let slot = hash >>> 15; ; slot = (slot + 1) & tableMask) {
      const found = this.shapeTable[slot]!;
      if (found === 0) {
        this.shapeTable[slot] = this.shapes + 1;
        return this.newShape(kindWidth, flags, mapping, siteLow, siteHigh);
      }
      const key = 5 * (found - 1);
      if (
        keys[key] === siteLow &&
        keys[key + 1] === siteHigh &&
        keys[key + 2] === kindWidth &&
        keys[key + 3] === flags &&
        keys[key + 4] === mapping
      ) {
        return found - 1;
      }
    }
  }

  private newShape(kindWidth: number, flags: number, mapping: number, siteLow: number, siteHigh: number): number {
    const shape = this.shapes++;
    const key = 5 * shape;
    const before = key - 5;
    const site = (BigInt(siteHigh) << 32n) | BigInt(siteLow);
    const siteBefore = shape === 0 ? 0n : (BigInt(this.shapeKey[before + 1]!) << 32n) | BigInt(this.shapeKey[before]!);
    this.shapeKey.set([siteLow, siteHigh, kindWidth, flags, mapping], key);
    this.shapeAddress[shape] = -1;
    const column = this.shape;
    column.varint(kindWidth);
    column.varint(flags);
    column.varint(mapping);
    const delta = BigInt.asIntN(64, site - siteBefore);
    let rest = BigInt.asUintN(64, (delta << 1n) ^ (delta >> 63n));
    for (; rest > 127n; rest >>= 7n) column.bytes[column.length++] = Number(rest & 127n) | 128;
    column.bytes[column.length++] = Number(rest);
    return shape;
  }

  private addressOf(shape: number, address: number): number {
    const low = address >>> 0;
    const hash = Math.imul(low ^ Math.imul(shape + 1, 0x85ebca6b) ^ (address / two32), 0x9e3779b1);
    for (let slot = hash >>> 15; ; slot = (slot + 1) & tableMask) {
      const found = this.addressTable[slot]! - 1;
      if (found < 0) {
        const index = this.addresses++;
        this.addressTable[slot] = index + 1;
        this.addressKey[index] = address;
        this.addressShapeOf[index] = shape;
        this.addressWord[index] = 0;
        this.addressShape.varint(this.shapeAddress[shape] === -1 ? 0 : shape + 1);
        this.addressDelta.zigzag(address - this.addressBefore(shape, index));
        this.shapeAddress[shape] = address;
        return index;
      }
      if (this.addressKey[found] === address && this.addressShapeOf[found] === shape) return found;
    }
  }

  /** What a new address is told relative to: the shape's last new one, else the block's last new one, else 0. */
  private addressBefore(shape: number, index: number): number {
    const before = this.shapeAddress[shape]!;
    if (before !== -1) return before;
    return index === 0 ? 0 : this.addressKey[index - 1]!;
  }

  private addWord(address: number, v0: number, v1: number, v2: number, v3: number): void {
    const values = this.wordValue;
    const mixed = Math.imul(address + 1, 0x85ebca6b) ^ Math.imul(v0, 0xc2b2ae35) ^ Math.imul(v1 ^ v2 ^ v3, 0x27d4eb2f);
    const hash = Math.imul(mixed ^ (mixed >>> 15), 0x9e3779b1);
    for (let slot = hash >>> 15; ; slot = (slot + 1) & tableMask) {
      const found = this.wordTable[slot]! - 1;
      if (found < 0) {
        this.wordTable[slot] = this.words + 1;
        this.newWord(address, v0, v1, v2, v3);
        return;
      }
      const key = 4 * found;
      if (
        this.wordAddressOf[found] === address &&
        values[key] === v0 &&
        values[key + 1] === v1 &&
        values[key + 2] === v2 &&
        values[key + 3] === v3
      ) {
        this.word.varint(found + 1);
        return;
      }
    }
  }

  private newWord(address: number, v0: number, v1: number, v2: number, v3: number): void {
    const word = this.words++;
    const key = 4 * word;
    const values = this.wordValue;
    values[key] = v0;
    values[key + 1] = v1;
    values[key + 2] = v2;
    values[key + 3] = v3;
    this.wordAddressOf[word] = address;
    this.word.bytes[this.word.length++] = 0;
    const before = this.addressWord[address]!;
    this.addressWord[address] = word + 1;
    // An address without a word so far is the one just defined.
    this.wordAddress.varint(before === 0 ? 0 : address + 1);
    let length =
      v3 !== 0 ? 12 + lengthOf(v3) : v2 !== 0 ? 8 + lengthOf(v2) : v1 !== 0 ? 4 + lengthOf(v1) : lengthOf(v0);
    let tag: number = ValueTag.raw;
    let low = v0;
    let high = v1;
    if (before !== 0 && length > 1 && length <= 8) {
      const old = 4 * (before - 1);
      if (values[old + 2] === 0 && values[old + 3] === 0) {
        const delta = (v1 - values[old + 1]!) * two32 + (v0 - values[old]!);
        const size = Math.abs(delta);
        const sizeHigh = Math.floor(size / two32);
        const deltaLength = sizeHigh !== 0 ? 4 + lengthOf(sizeHigh) : lengthOf(size >>> 0);
        if (deltaLength < length && deltaLength <= valueDeltaMax_bytes) {
          tag = delta > 0 ? ValueTag.up : ValueTag.down;
          length = deltaLength;
          low = size >>> 0;
          high = sizeHigh;
        }
      }
    }
    this.wordTag.bytes[this.wordTag.length++] = tag + length;
    const bytes = this.wordBytes.bytes;
    let at = this.wordBytes.length;
    for (let byte = 0; byte < length; byte += 1) {
      const part = byte < 4 ? low : byte < 8 ? high : byte < 12 ? v2 : v3;
      bytes[at++] = part >>> (8 * (byte & 3));
    }
    this.wordBytes.length = at;
  }

  private switchTask(key: number): void {
    this.endTaskRun();
    this.taskKey = key;
    const known = this.tasks.get(key);
    if (known !== undefined) {
      this.taskRef = known;
      return;
    }
    this.tasks.set(key, this.tasks.size + 1);
    this.taskRef = 0;
    const cpuPid = Math.floor(key / 8);
    this.task.varint(Math.floor(cpuPid / two32));
    this.task.varint(cpuPid % two32);
    this.task.varint(key % 8);
  }

  private endTaskRun(): void {
    if (this.taskRun === 0) return;
    this.taskRuns.varint(this.taskRef);
    this.taskRuns.varint(this.taskRun);
    this.taskRun = 0;
  }

  /** Every column but the state's, which is JSON and not ours. */
  private columns(): Map<number, ByteColumn> {
    return new Map([
      [Column.word, this.word],
      [Column.wordAddress, this.wordAddress],
      [Column.addressShape, this.addressShape],
      [Column.addressDelta, this.addressDelta],
      [Column.shape, this.shape],
      [Column.wordTag, this.wordTag],
      [Column.wordBytes, this.wordBytes],
      [Column.taskRun, this.taskRuns],
      [Column.task, this.task],
      [Column.timeLow, this.timeLow],
      [Column.timeHigh, this.timeHigh],
      [Column.otherAt, this.otherAt],
      [Column.other, this.other],
    ]);
  }

  /** The sites that the block's accesses name; those of its other records are theirs to tell. */
  sites(): Set<bigint> {
    const sites = new Set<bigint>();
    for (let shape = 0; shape < this.shapes; shape += 1) {
      const key = 5 * shape;
      sites.add((BigInt(this.shapeKey[key + 1]!) << 32n) | BigInt(this.shapeKey[key]!));
    }
    return sites;
  }

  /** Whole records of the kinds that have no columns, in order, without their sequence numbers. */
  get otherRecords(): Uint8Array {
    return this.other.used;
  }

  /**
   * The block's payload. `state` is the JSON of what holds before its first record.
   * `deflate` is asked for each column; where it doesn't help, the column is stored as it is.
   */
  encode(state: Uint8Array, deflate: (bytes: Uint8Array) => Uint8Array): EncodedBlock {
    this.endTaskRun();
    const columns = new Map<number, Uint8Array>();
    for (const [number, column] of this.columns()) columns.set(number, column.used);
    columns.set(Column.state, state);
    const stored = [...columns].map(([number, raw]) => {
      const packed = raw.length > 16 ? deflate(raw) : raw;
      const smaller = packed.length < raw.length;
      return { number, raw, method: smaller ? Method.deflate : Method.raw, bytes: smaller ? packed : raw };
    });
    assert(stored.length === columnCount, "every column is stored");
    const entries_bytes = eventsPrelude_bytes + columnCount * columnEntry_bytes;
    const payload = new Uint8Array(stored.reduce((sum, column) => sum + column.bytes.length, entries_bytes));
    const view = new DataView(payload.buffer);
    view.setUint32(0, this.tscFirstLow, true);
    view.setUint32(4, this.tscFirstHigh, true);
    [this.rows, this.others, this.words, this.addresses, this.shapes, this.tasks.size].forEach((count, index) => {
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
    return { payload, records: this.records, events: this.events, ...this.tscRange() };
  }

  private tscRange(): { tscMin: bigint; tscMax: bigint } {
    if (this.rows === 0) return { tscMin: this.otherTscMin, tscMax: this.otherTscMax };
    const first = (BigInt(this.tscFirstHigh) << 32n) | BigInt(this.tscFirstLow);
    let tscMin = first + BigInt(this.ticksMin);
    let tscMax = first + BigInt(this.ticksMax);
    if (this.otherTscMin !== 0n && this.otherTscMin < tscMin) tscMin = this.otherTscMin;
    if (this.otherTscMax > tscMax) tscMax = this.otherTscMax;
    return { tscMin, tscMax };
  }
}

/** Bytes needed for an unsigned 32-bit number; 0 for 0. */
function lengthOf(value: number): number {
  return value === 0 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x1000000 ? 3 : 4;
}

/** Whether the 16 bytes of value at `at` have bits beyond `width` bytes. */
function hasBitsBeyond(width: number, words32: Uint32Array, at: number): boolean {
  for (let part = 0; part < 4; part += 1) {
    const bits = 8 * width - 32 * part;
    if (bits >= 32) continue;
    const value = words32[at + part]!;
    if (bits <= 0 ? value !== 0 : value >>> bits !== 0) return true;
  }
  return false;
}

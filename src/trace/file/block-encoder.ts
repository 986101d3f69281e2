// Turns ring records into the columns of one events block. Bulk path: typed arrays only, no object an event.
// The words used here (row, shape, address, word, task) are those of docs/trace-format.md; block-tables.ts has the tables.
import { assert } from "../../base/assert.js";
import { continues } from "../events.js";
import { callerAddress, RecordFlag, RecordKind, record_bytes, recordOffset, value_bytes } from "../record.js";
import { AddressTable, ShapeTable, WordTable } from "./block-tables.js";
import { ByteColumn } from "./byte-column.js";
import type { Codec } from "./compression.js";
import { packEvents } from "./events-payload.js";
import { blockOthersMax, blockRowsMax, Column, columnAddressLimit } from "./layout.js";

assert(new Uint8Array(Uint32Array.of(1).buffer)[0] === 1, "the machine is little endian");

/** Flags of the CPU's context, not of its access: they belong to the task. */
export const contextFlags = RecordFlag.hardirq | RecordFlag.softirq | RecordFlag.nmi;
const two32 = 2 ** 32;
/** Limit of the upper half of an address kept in columns. */
const addressHighLimit = columnAddressLimit / two32;
/** Rows with times so far from the first row's are kept as whole records: the sum of two such distances is still exact. */
const ticksLimit = 2 ** 52;

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
  others = 0;
  private lastKind = 0;
  private lastFlags = 0;
  private lastWasRow = false;

  private tscFirstHigh = 0;
  private tscFirstLow = 0;
  private tscHigh = 0;
  private tscLow = 0;
  /** Ticks of the current row since the first row, and the least and greatest of them. */
  private ticks = 0;
  private ticksMin = 0;
  private ticksMax = 0;
  private otherTscMin = 0n;
  private otherTscMax = 0n;

  private readonly shapes = new ShapeTable();
  private readonly addresses = new AddressTable(this.shapes);
  private readonly words = new WordTable(this.addresses);

  private readonly tasks = new Map<number, number>();
  /** The task of the last row: CPU, process, context flags. */
  private taskCpu = -1;
  private taskPid = 0;
  private taskContext = 0;
  private taskRef = 0;
  private taskRun = 0;

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

  /** True if the next record belongs to the last one taken. */
  get unfinished(): boolean {
    return (this.lastFlags & RecordFlag.more) !== 0;
  }

  reset(): void {
    this.rows = this.events = this.others = this.lastKind = this.lastFlags = 0;
    this.ticks = this.ticksMin = this.ticksMax = 0;
    this.otherTscMin = this.otherTscMax = 0n;
    this.shapes.reset();
    this.addresses.reset();
    this.words.reset();
    this.tasks.clear();
    this.taskCpu = -1;
    this.taskRun = this.lastOtherAt = 0;
    this.taskRuns.length = this.task.length = this.timeLow.length = this.timeHigh.length = 0;
    this.otherAt.length = this.other.length = 0;
  }

  /** Takes the record whose first 32-bit word is `words32[at]`. There must be room. */
  add(words32: Int32Array, at: number): void {
    const packed = words32[at + 14]!;
    const kind = (packed >>> 16) & 0xff;
    const flags = words32[at + 15]!;
    const isRow = fitsColumns(packed >>> 16, words32, at) && this.addTime(words32, at);
    if (isRow !== this.lastWasRow || !continues(this.lastKind, this.lastFlags, kind)) this.events += 1;
    this.lastWasRow = isRow;
    this.lastKind = kind;
    this.lastFlags = flags;
    if (!isRow) {
      this.addOther(words32, at);
      return;
    }
    const kindWidth = ((kind - 1) << 5) | (packed >>> 24);
    const shape = this.shapes.find(
      kindWidth,
      flags & ~contextFlags,
      words32[at + 13]!,
      words32[at + 10]!,
      words32[at + 11]!,
      words32[at + 1]!,
    );
    const address = this.addresses.find(shape, words32[at + 4]!, words32[at + 5]!);
    this.words.addRow(address, words32[at + 6]!, words32[at + 7]!, words32[at + 8]!, words32[at + 9]!);
    const cpu = packed & 0xffff;
    const pid = words32[at + 12]!;
    const context = flags & contextFlags;
    if (cpu !== this.taskCpu || pid !== this.taskPid || context !== this.taskContext) {
      this.switchTask(cpu, pid, context);
    }
    this.taskRun += 1;
    this.rows += 1;
  }

  /** Takes whole records, which begin at a multiple of four bytes. */
  addAll(records: Uint8Array): void {
    const words32 = new Int32Array(records.buffer, records.byteOffset, records.length / 4);
    for (let at = 0; at < words32.length; at += record_bytes / 4) this.add(words32, at);
  }

  /** Adds the row's time stamp; if it is too far from the others, adds nothing and returns false. */
  private addTime(words32: Int32Array, at: number): boolean {
    const low = words32[at + 2]! >>> 0;
    const high = words32[at + 3]! >>> 0;
    if (this.rows === 0) {
      this.tscFirstHigh = this.tscHigh = high;
      this.tscFirstLow = this.tscLow = low;
    }
    const delta = (high - this.tscHigh) * two32 + (low - this.tscLow);
    const ticks = this.ticks + delta;
    if (delta >= 0 && delta < 2 ** 30 && ticks < ticksLimit) {
      // Nearly all deltas are small enough for integers.
      const small = delta | 0;
      this.timeLow.bytes[this.timeLow.length++] = small;
      this.timeHigh.varint((small >>> 8) << 1);
    } else {
      if (Math.abs(ticks) >= ticksLimit) return false;
      const upper = Math.floor(delta / 256);
      this.timeLow.bytes[this.timeLow.length++] = delta - upper * 256;
      this.timeHigh.zigzag(upper);
    }
    this.tscLow = low;
    this.tscHigh = high;
    this.ticks = ticks;
    if (ticks > this.ticksMax) this.ticksMax = ticks;
    else if (ticks < this.ticksMin) this.ticksMin = ticks;
    return true;
  }

  private addOther(words32: Int32Array, at: number): void {
    this.otherAt.varint(this.rows - this.lastOtherAt);
    this.lastOtherAt = this.rows;
    const bytes = new Uint8Array(words32.buffer, words32.byteOffset + 4 * at, record_bytes);
    this.other.bytes.set(bytes, this.other.length);
    // A reader knows its sequence number from its place.
    this.other.bytes.fill(0, this.other.length, this.other.length + recordOffset.caller);
    this.other.length += record_bytes;
    this.others += 1;
    const tsc = (BigInt(words32[at + 3]! >>> 0) << 32n) | BigInt(words32[at + 2]! >>> 0);
    if (tsc === 0n) return;
    if (this.otherTscMin === 0n || tsc < this.otherTscMin) this.otherTscMin = tsc;
    if (tsc > this.otherTscMax) this.otherTscMax = tsc;
  }

  private switchTask(cpu: number, pid: number, context: number): void {
    this.endTaskRun();
    this.taskCpu = cpu;
    this.taskPid = pid;
    this.taskContext = context;
    const key = (cpu * two32 + (pid >>> 0)) * 8 + context;
    const known = this.tasks.get(key);
    if (known !== undefined) {
      this.taskRef = known;
      return;
    }
    this.tasks.set(key, this.tasks.size + 1);
    this.taskRef = 0;
    this.task.varint(cpu);
    this.task.varint(pid >>> 0);
    this.task.varint(context);
  }

  private endTaskRun(): void {
    if (this.taskRun === 0) return;
    this.taskRuns.varint(this.taskRef);
    this.taskRuns.varint(this.taskRun);
    this.taskRun = 0;
  }

  /** Returns the sites and callers of the block's accesses, without those of its other records. */
  sites(): Set<bigint> {
    const sites = new Set<bigint>();
    for (let shape = 0; shape < this.shapes.count; shape += 1) {
      sites.add(this.shapes.site(shape));
      const caller = this.shapes.caller(shape);
      if (caller !== 0) sites.add(callerAddress(caller));
    }
    return sites;
  }

  /** The records of the kinds without columns, in order, without their sequence numbers. */
  get otherRecords(): Uint8Array {
    return this.other.used;
  }

  /** Encodes the block's payload. `state` is the JSON of the state before its first record. */
  async encode(state: Uint8Array, codec: Codec): Promise<EncodedBlock> {
    this.endTaskRun();
    const { shapes, addresses, words } = this;
    const payload = await packEvents(
      {
        tscFirstLow: this.tscFirstLow,
        tscFirstHigh: this.tscFirstHigh,
        counts: [this.rows, this.others, words.count, addresses.count, shapes.count, this.tasks.size],
        columns: [
          [Column.word, words.word.used],
          [Column.wordAddress, words.wordAddress.used],
          [Column.addressShape, addresses.addressShape.used],
          [Column.addressDelta, addresses.addressDelta.used],
          [Column.shape, shapes.shape.used],
          [Column.wordTag, words.wordTag.used],
          [Column.wordBytes, words.wordBytes.used],
          [Column.taskRun, this.taskRuns.used],
          [Column.task, this.task.used],
          [Column.timeLow, this.timeLow.used],
          [Column.timeHigh, this.timeHigh.used],
          [Column.otherAt, this.otherAt.used],
          [Column.other, this.other.used],
          [Column.state, state],
        ],
      },
      codec,
    );
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

/** Returns true if the record at `at` is an access that fits into columns. `kindWidth` has the kind below the width. */
function fitsColumns(kindWidth: number, words32: Int32Array, at: number): boolean {
  const kind = kindWidth & 0xff;
  if (kind !== RecordKind.read && kind !== RecordKind.write) return false;
  if (words32[at + 5]! >>> 0 >= addressHighLimit) return false;
  const width = kindWidth >>> 8;
  if (width === 4) return (words32[at + 7]! | words32[at + 8]! | words32[at + 9]!) === 0;
  return width !== 0 && width <= value_bytes && !hasBitsBeyond(width, words32, at + 6);
}

/** Returns true if the 16 bytes of value at `at` have bits beyond `width` bytes. */
function hasBitsBeyond(width: number, words32: Int32Array, at: number): boolean {
  for (let part = 0; part < 4; part += 1) {
    const bits = 8 * width - 32 * part;
    if (bits >= 32) continue;
    const value = words32[at + part]!;
    if (bits <= 0 ? value !== 0 : value >>> bits !== 0) return true;
  }
  return false;
}

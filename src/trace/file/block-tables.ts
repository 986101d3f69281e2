// The tables of an events block during encoding: shapes, addresses and words, each entry written once, in the order of first
// use, and found again by hashing. Bulk path: typed arrays only. The terms are those of docs/trace-format.md.

import { value_bytes } from "../record.js";
import { ByteColumn } from "./byte-column.js";
import { blockRowsMax, ValueTag, valueDeltaMax_bytes } from "./layout.js";

/** Twice the limit of a table's entries, so that an entry is at or just behind its hash. */
const tableSize = 1 << 17;
const tableMask = tableSize - 1;
/**
 * A hash's upper bits number the slot. The slot keeps the lower 15 above the entry's number (counted from 1; 0 for none), so
 * that other entries are nearly always skipped without being compared.
 */
const hashShift = 15;
const tagShift = 17;
const entryMask = (1 << tagShift) - 1;
const two32 = 2 ** 32;
const noAddress = -1;

/** Set beside kind and width of a shape that has a caller. */
const hasCaller = 64;

/** The different (site, caller, kind, width, flags, mapping). */
export class ShapeTable {
  count = 0;
  readonly shape = new ByteColumn(27 * blockRowsMax);
  /** The last new address of a shape, or `noAddress`. */
  readonly lastAddress = new Float64Array(blockRowsMax);
  private readonly slots = new Int32Array(tableSize);
  /** Six numbers a shape: site low, site high, kind and width, flags, mapping, caller. */
  private readonly keys = new Int32Array(6 * blockRowsMax);

  reset(): void {
    if (this.count > 0) this.slots.fill(0);
    this.count = this.shape.length = 0;
  }

  /** Returns the number of a shape; adds a new one. All numbers are signed 32-bit ones, which V8 never boxes. */
  find(kindWidth: number, flags: number, mapping: number, siteLow: number, siteHigh: number, caller: number): number {
    const { keys, slots } = this;
    const where = siteLow ^ Math.imul(caller, 0xc2b2ae35) ^ Math.imul(mapping, 0x85ebca6b);
    const hash = Math.imul(where ^ (kindWidth << 20) ^ flags, 0x9e3779b1);
    for (let slot = hash >>> hashShift; ; slot = (slot + 1) & tableMask) {
      const found = slots[slot]!;
      if (found === 0) {
        slots[slot] = this.count + 1;
        return this.add(kindWidth, flags, mapping, siteLow, siteHigh, caller);
      }
      const key = 6 * (found - 1);
      if (
        keys[key] === siteLow &&
        keys[key + 1] === siteHigh &&
        keys[key + 2] === kindWidth &&
        keys[key + 3] === flags &&
        keys[key + 4] === mapping &&
        keys[key + 5] === caller
      ) {
        return found - 1;
      }
    }
  }

  site(shape: number): bigint {
    return (BigInt(this.keys[6 * shape + 1]! >>> 0) << 32n) | BigInt(this.keys[6 * shape]! >>> 0);
  }

  /** Returns a shape's caller, as a record has it. */
  caller(shape: number): number {
    return this.keys[6 * shape + 5]! >>> 0;
  }

  private add(
    kindWidth: number,
    flags: number,
    mapping: number,
    siteLow: number,
    siteHigh: number,
    caller: number,
  ): number {
    const shape = this.count++;
    this.keys.set([siteLow, siteHigh, kindWidth, flags, mapping, caller], 6 * shape);
    this.lastAddress[shape] = noAddress;
    this.shape.varint(kindWidth | (caller === 0 ? 0 : hasCaller));
    this.shape.varint(flags >>> 0);
    this.shape.varint(mapping >>> 0);
    this.shape.zigzag64(BigInt.asIntN(64, this.site(shape) - (shape === 0 ? 0n : this.site(shape - 1))));
    if (caller !== 0) this.shape.varint(caller >>> 0);
    return shape;
  }
}

/** The different (physical address, shape). */
export class AddressTable {
  count = 0;
  readonly addressShape = new ByteColumn(3 * blockRowsMax);
  readonly addressDelta = new ByteColumn(8 * blockRowsMax);
  /** The word last defined for an address, counted from 1. */
  readonly lastWord = new Uint32Array(blockRowsMax);
  private readonly slots = new Int32Array(tableSize);
  private readonly keys = new Float64Array(blockRowsMax);
  private readonly shapeOf = new Uint32Array(blockRowsMax);
  private readonly shapes: ShapeTable;

  constructor(shapes: ShapeTable) {
    this.shapes = shapes;
  }

  reset(): void {
    if (this.count > 0) this.slots.fill(0);
    this.count = this.addressShape.length = this.addressDelta.length = 0;
  }

  /** Returns the number of an address, given by its halves as signed numbers; adds a new one. */
  find(shape: number, low: number, high: number): number {
    const { slots, keys, shapeOf } = this;
    const address = high * two32 + (low >>> 0);
    const hash = Math.imul(low ^ (low >>> 16) ^ Math.imul(shape + 1, 0x85ebca6b) ^ high, 0x9e3779b1);
    const tag = hash << tagShift;
    for (let slot = hash >>> hashShift; ; slot = (slot + 1) & tableMask) {
      const entry = slots[slot]!;
      if (entry === 0) {
        slots[slot] = tag | (this.count + 1);
        return this.add(shape, address);
      }
      if ((entry & ~entryMask) !== tag) continue;
      const found = (entry & entryMask) - 1;
      if (keys[found] === address && shapeOf[found] === shape) return found;
    }
  }

  private add(shape: number, address: number): number {
    const index = this.count++;
    const { lastAddress } = this.shapes;
    const before = lastAddress[shape]!;
    this.keys[index] = address;
    this.shapeOf[index] = shape;
    this.lastWord[index] = 0;
    if (before !== noAddress) {
      this.addressShape.varint(shape + 1);
      this.addressDelta.zigzag(address - before);
    } else {
      this.addressShape.varint(0);
      this.addressDelta.zigzag(address - (index === 0 ? 0 : this.keys[index - 1]!));
    }
    lastAddress[shape] = address;
    return index;
  }
}

/** The different (address, value), and the column of the rows' words. */
export class WordTable {
  count = 0;
  readonly word = new ByteColumn(3 * blockRowsMax);
  readonly wordAddress = new ByteColumn(3 * blockRowsMax);
  readonly wordTag = new ByteColumn(blockRowsMax);
  readonly wordBytes = new ByteColumn(value_bytes * blockRowsMax);
  private readonly slots = new Int32Array(tableSize);
  private readonly addressOf = new Uint32Array(blockRowsMax);
  /** Four numbers a word. */
  private readonly values = new Int32Array(4 * blockRowsMax);
  private readonly addresses: AddressTable;

  constructor(addresses: AddressTable) {
    this.addresses = addresses;
  }

  reset(): void {
    if (this.count > 0) this.slots.fill(0);
    this.count = 0;
    this.word.length = this.wordAddress.length = this.wordTag.length = this.wordBytes.length = 0;
  }

  /** Adds a row with this word; the value is in four signed parts. */
  addRow(address: number, v0: number, v1: number, v2: number, v3: number): void {
    const { slots, values, addressOf } = this;
    const mixed = Math.imul(address + 1, 0x85ebca6b) ^ Math.imul(v0, 0xc2b2ae35) ^ Math.imul(v1 ^ v2 ^ v3, 0x27d4eb2f);
    const hash = Math.imul(mixed ^ (mixed >>> 15), 0x9e3779b1);
    const tag = hash << tagShift;
    for (let slot = hash >>> hashShift; ; slot = (slot + 1) & tableMask) {
      const entry = slots[slot]!;
      if (entry === 0) {
        slots[slot] = tag | (this.count + 1);
        this.word.bytes[this.word.length++] = 0;
        this.add(address, v0, v1, v2, v3);
        return;
      }
      if ((entry & ~entryMask) !== tag) continue;
      const found = (entry & entryMask) - 1;
      const key = 4 * found;
      if (
        addressOf[found] === address &&
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

  private add(address: number, v0: number, v1: number, v2: number, v3: number): void {
    const word = this.count++;
    const { values } = this;
    const { lastWord } = this.addresses;
    const key = 4 * word;
    values[key] = v0;
    values[key + 1] = v1;
    values[key + 2] = v2;
    values[key + 3] = v3;
    this.addressOf[word] = address;
    const before = lastWord[address]!;
    lastWord[address] = word + 1;
    // An address without a word is the one just defined.
    this.wordAddress.varint(before === 0 ? 0 : address + 1);
    const length =
      v3 !== 0 ? 12 + lengthOf(v3) : v2 !== 0 ? 8 + lengthOf(v2) : v1 !== 0 ? 4 + lengthOf(v1) : lengthOf(v0);
    if (before !== 0 && length > 1 && length <= 8 && this.addDelta(4 * (before - 1), v0, v1, length)) return;
    this.wordTag.bytes[this.wordTag.length++] = ValueTag.raw + length;
    this.addBytes(length, v0, v1);
    if (length > 8) this.addBytes(length - 8, v2, v3);
  }

  /** Writes a value as its difference from an older one, if that is shorter. */
  private addDelta(old: number, v0: number, v1: number, length: number): boolean {
    const { values } = this;
    if (values[old + 2] !== 0 || values[old + 3] !== 0) return false;
    const delta = ((v1 >>> 0) - (values[old + 1]! >>> 0)) * two32 + ((v0 >>> 0) - (values[old]! >>> 0));
    const size = Math.abs(delta);
    const high = Math.floor(size / two32);
    const deltaLength = high !== 0 ? 4 + lengthOf(high) : lengthOf(size | 0);
    if (deltaLength >= length || deltaLength > valueDeltaMax_bytes) return false;
    this.wordTag.bytes[this.wordTag.length++] = (delta > 0 ? ValueTag.up : ValueTag.down) + deltaLength;
    this.addBytes(deltaLength, size | 0, high | 0);
    return true;
  }

  /** Writes the lowest bytes of a number, at most eight. */
  private addBytes(length: number, low: number, high: number): void {
    const { bytes } = this.wordBytes;
    let at = this.wordBytes.length;
    const lows = Math.min(length, 4);
    for (let byte = 0; byte < lows; byte += 1) bytes[at++] = low >>> (8 * byte);
    const highs = Math.min(length, 8);
    for (let byte = 4; byte < highs; byte += 1) bytes[at++] = high >>> (8 * byte - 32);
    this.wordBytes.length = at;
  }
}

/** Returns the bytes needed for a 32-bit number; 0 for 0. */
function lengthOf(value: number): number {
  if (value >>> 16 !== 0) return value >>> 24 !== 0 ? 4 : 3;
  return value > 0xff ? 2 : value > 0 ? 1 : 0;
}

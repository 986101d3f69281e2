// Names as numbers: each distinct string of bytes gets the next number. Looking up a known name allocates nothing, and reads one
// slot, which holds the name itself unless it is long.
import { UserError } from "../../base/errors.js";

const firstSlots = 64;
const firstNameBytes = 1 << 12;
/** The greatest number of bytes that all names may have together. */
const nameBytesMax = 2 ** 31 - 1;

/**
 * A slot in 32-bit words:
 *
 *     number + 1 (0: free) | hash | length in bytes | 5 words with the name's first 20 bytes, zeros behind a shorter one
 */
const slotWidth = 8;
const Slot = { number: 0, hash: 1, length: 2, words: 3 } as const;
const inlineWords = slotWidth - Slot.words;
const word_bytes = 4;
const hashFactor = 0x2c1b3c6d;
const inline_bytes = inlineWords * word_bytes;

export class NameTable {
  count = 0;
  /** Each name in the slot of its hash or the next free one behind it; at most three of four are taken. */
  private slots = new Int32Array(firstSlots * slotWidth);
  /** Each name's first byte in `bytes`; the next one's is its end. */
  private starts = new Int32Array(firstSlots + 1);
  private bytes = new Uint8Array(firstNameBytes);

  /** Returns the number of the name in the bytes [from, end) of `view`, whose hash is `hash`, as hashOfName() computes it. */
  number(view: DataView, from: number, end: number, hash: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    const length = end - from;
    let slot = (hash * slotWidth) & mask;
    for (;;) {
      const known = slots[slot]! - 1;
      if (known < 0) return this.add(slot, view, from, end, hash);
      const isAlike = slots[slot + Slot.hash] === hash && slots[slot + Slot.length] === length;
      if (isAlike && this.isAt(slot, view, from, end)) return known;
      slot = (slot + slotWidth) & mask;
    }
  }

  /** Returns a name's text. */
  text(number: number): string {
    return new TextDecoder().decode(this.bytes.subarray(this.starts[number], this.starts[number + 1]));
  }

  /** Compares a name with the one in a slot, which is as long. */
  private isAt(slot: number, view: DataView, from: number, end: number): boolean {
    const { slots } = this;
    let part = slot + Slot.words;
    if (end - from > inline_bytes) return this.isLong(slot, view, from, end);
    let at = from;
    for (; at + word_bytes <= end; at += word_bytes) {
      if (slots[part] !== view.getInt32(at, true)) return false;
      part += 1;
    }
    return at === end || slots[part] === wordAt(view, at, end);
  }

  /** Does the same for a name that the slot has no room for. */
  private isLong(slot: number, view: DataView, from: number, end: number): boolean {
    let known = this.starts[this.slots[slot]! - 1]!;
    for (let at = from; at < end; at += 1) {
      if (this.bytes[known] !== view.getUint8(at)) return false;
      known += 1;
    }
    return true;
  }

  private add(slot: number, view: DataView, from: number, end: number, hash: number): number {
    const number = this.count;
    const start = this.starts[number]!;
    const after = start + end - from;
    if (after > nameBytesMax) throw new UserError("the trace's names need more than 2 GiB of memory");
    if (after > this.bytes.length) this.bytes = grown(this.bytes, Math.min(2 * after, nameBytesMax));
    for (let byte = from; byte < end; byte += 1) this.bytes[start + byte - from] = view.getUint8(byte);
    this.count += 1;
    if (this.count >= this.starts.length) this.starts = grown(this.starts, 2 * this.count);
    this.starts[this.count] = after;
    const { slots } = this;
    slots[slot] = this.count;
    slots[slot + Slot.hash] = hash;
    slots[slot + Slot.length] = end - from;
    let at = from;
    for (let part = slot + Slot.words; at < end && part < slot + slotWidth; part += 1) {
      slots[part] = wordAt(view, at, end);
      at += word_bytes;
    }
    if (4 * this.count * slotWidth > 3 * slots.length) this.spread();
    return number;
  }

  /** Doubles the slots. */
  private spread(): void {
    const before = this.slots;
    const slots = new Int32Array(2 * before.length);
    const mask = slots.length - 1;
    for (let old = 0; old < before.length; old += slotWidth) {
      if (before[old] === 0) continue;
      let slot = (before[old + Slot.hash]! * slotWidth) & mask;
      while (slots[slot] !== 0) slot = (slot + slotWidth) & mask;
      for (let part = 0; part < slotWidth; part += 1) slots[slot + part] = before[old + part]!;
    }
    this.slots = slots;
  }
}

/** Returns the four bytes at `at`, with zeros for those from `end` on. */
function wordAt(view: DataView, at: number, end: number): number {
  const word = view.getInt32(at, true);
  return end - at < word_bytes ? word & ((1 << (8 * (end - at))) - 1) : word;
}

/** Computes the hash of the name in the bytes [from, end) of `view`, which has at least 3 more bytes behind it. */
export function hashOfName(view: DataView, from: number, end: number): number {
  let hash = end - from;
  let at = from;
  for (; at + word_bytes <= end; at += word_bytes) {
    hash = Math.imul(hash ^ view.getInt32(at, true), hashFactor);
    hash ^= hash >>> 15;
  }
  if (at < end) hash = Math.imul(hash ^ wordAt(view, at, end), hashFactor);
  hash = Math.imul(hash ^ (hash >>> 15), 0x297a2d39);
  return hash ^ (hash >>> 15);
}

/** Returns a copy of `column` with room for `length` elements; the new ones are 0. */
export function grown<T extends Uint8Array | Int32Array | Float64Array>(column: T, length: number): T {
  const larger = new (column.constructor as new (length: number) => T)(length);
  larger.set(column);
  return larger;
}

// The buffer of importers: ring records made one after the other, numbered from 1, in 32-bit words.
import { RecordFlag, type RingRecord, record_bytes, text_bytes, writeRecord } from "../record.js";

/** 32-bit words of a record. */
const recordWords = record_bytes / 4;
/** Places of the fields in a record's words: record.ts's offsets divided by four. */
export const Word = {
  sequence: 0,
  caller: 1,
  tsc: 2,
  address: 4,
  value: 6,
  site: 10,
  pid: 12,
  mapping: 13,
  /** CPU, kind << 16, width << 24. */
  packed: 14,
  flags: 15,
} as const;

const utf8 = new TextEncoder();

export class RecordBuffer {
  /** The words of all records; set those of the record that `next` gave out. Each `next` may change the array. */
  words = new Uint32Array(recordWords * 4096);
  private used = 0;
  private sequence = 0;

  /** Makes a record of zeros with its sequence number; returns the place of its first word. */
  next(): number {
    const at = this.used;
    if (at === this.words.length) this.grow();
    this.used = at + recordWords;
    this.sequence += 1;
    const { words } = this;
    words[at] = this.sequence;
    return at;
  }

  private grow(): void {
    const larger = new Uint32Array(2 * this.words.length);
    larger.set(this.words);
    this.words = larger;
  }

  /** Adds a record; not for bulk paths. */
  add(record: Partial<RingRecord>): void {
    const at = this.next();
    writeRecord(new DataView(this.words.buffer), 4 * at, { ...record, sequence: this.sequence });
  }

  /** Adds a text, as one record or several. */
  addText(record: Partial<RingRecord>, text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? utf8.encode(text) : text;
    for (let from = 0; from === 0 || from < bytes.length; from += text_bytes) {
      const part = new Uint8Array(text_bytes);
      part.set(bytes.subarray(from, from + text_bytes));
      const view = new DataView(part.buffer);
      const more = from + text_bytes < bytes.length ? RecordFlag.more : 0;
      this.add({
        ...record,
        address: view.getBigUint64(0, true),
        value: [view.getBigUint64(8, true), view.getBigUint64(16, true)],
        width: Math.min(text_bytes, bytes.length - from),
        flags: (record.flags ?? 0) | more,
      });
    }
  }

  get isEmpty(): boolean {
    return this.used === 0;
  }

  /** Returns the records made since the last `take`. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.words.buffer, 0, 4 * this.used);
    this.words = new Uint32Array(this.words.length);
    this.used = 0;
    return taken;
  }
}

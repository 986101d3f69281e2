// Turns the ring's places into records one by one: a run (core/record.h) becomes a record for each of its elements, numbered
// as if each had had a place of its own in the ring. The places that a run takes may come in several batches.
import { assert } from "../../base/assert.js";
import { UserError } from "../../base/errors.js";
import { RecordFlag, record_bytes, recordOffset, runPart_bytes, runPartOffset } from "../../trace/record.js";

/** 32-bit words of a record, and where its fields begin. */
const stride = record_bytes / 4;
const word = {
  tsc: recordOffset.tsc / 4,
  address: recordOffset.address / 4,
  value: recordOffset.value / 4,
  packed: recordOffset.cpu / 4,
  flags: recordOffset.flags / 4,
  part: runPartOffset.value / 4,
} as const;
const two32 = 2 ** 32;

export class RunExpander {
  private readonly output: Int32Array;
  /** Words of the output that are filled. */
  private filled = 0;
  /** Ring's number of the last place taken; undefined before the first. */
  private lastPlace: number | undefined;
  /** Number of the last record given. */
  private lastGiven = 0;

  /** The record of the run under way. */
  private readonly head = new Int32Array(stride);
  /** Places of the run that are still to come. */
  private partsLeft = 0;
  private elementsLeft = 0;
  /** Bytes of an element, and from one to the next. */
  private width = 0;
  private step = 0;
  /** Address of the next element: low and high word. */
  private addressLow = 0;
  private addressHigh = 0;

  /** Number of the last place taken, counted on beyond 2^32; 0 before the first. */
  get taken(): number {
    return this.lastPlace ?? 0;
  }

  /** Gives at most this number of records at once. */
  constructor(recordsAtOnce: number) {
    this.output = new Int32Array(recordsAtOnce * stride);
  }

  /**
   * Yields the records of a batch of places, in order: either the batch itself, with its numbers changed, or a buffer
   * that is used again for the next ones. A gap in the ring's numbers stays a gap of as many. Throws UserError if places can't
   * be what the core writes.
   */
  *expand(batch: Uint8Array): Iterable<Uint8Array> {
    assert(batch.length % record_bytes === 0, "a batch is whole places");
    const words = new Int32Array(batch.buffer, batch.byteOffset, batch.length / 4);
    if (this.partsLeft === 0 && !hasRun(words)) {
      for (let at = 0; at < words.length; at += stride) this.number(words, at, this.numberOf(words, at));
      yield batch;
      return;
    }
    for (let at = 0; at < words.length; at += stride) {
      if (this.partsLeft > 0) {
        this.checkPart(words, at);
        yield* this.part(words, at);
      } else if ((words[at + word.flags]! & RecordFlag.run) !== 0) {
        this.begin(words, at);
      } else {
        const number = this.numberOf(words, at);
        yield* this.makeRoom();
        this.output.set(words.subarray(at, at + stride), this.filled);
        this.number(this.output, this.filled, number);
        this.filled += stride;
      }
    }
    yield* this.give();
  }

  /** Returns the number of the record in this place, which is the next to be given. */
  private numberOf(words: Int32Array, at: number): number {
    const place = this.placeAt(words, at);
    const number = this.lastPlace === undefined ? place : this.lastGiven + (place - this.lastPlace);
    this.lastPlace = place;
    this.lastGiven = number;
    return number;
  }

  /** Returns the number of a place. The ring counts modulo 2^32, and its places come in order. */
  private placeAt(words: Int32Array, at: number): number {
    const low = words[at]! >>> 0;
    return this.lastPlace === undefined ? low : this.lastPlace + ((low - this.lastPlace) >>> 0);
  }

  private number(words: Int32Array, at: number, number: number): void {
    words[at] = number;
  }

  private begin(words: Int32Array, at: number): void {
    // the run's own place becomes its first element, so that the next one's number is the former's plus one
    this.lastGiven = this.numberOf(words, at) - 1;
    const { head } = this;
    head.set(words.subarray(at, at + stride));
    head[word.flags]! &= ~RecordFlag.run;
    this.elementsLeft = head[word.value]! >>> 0;
    this.partsLeft = head[word.value + 2]! >>> 0;
    this.step = head[word.value + 3]!;
    this.width = head[word.packed]! >>> 24;
    this.addressLow = head[word.address]! >>> 0;
    this.addressHigh = head[word.address + 1]! >>> 0;
    head.fill(0, word.value, word.value + 4);
    const { elementsLeft, partsLeft, width } = this;
    if (![1, 2, 4, 8].includes(width) || partsLeft === 0 || elementsLeft * width > partsLeft * runPart_bytes)
      throw unreadable(`a run of ${elementsLeft} elements of ${width} bytes in ${partsLeft} places`);
  }

  private checkPart(words: Int32Array, at: number): void {
    const place = this.placeAt(words, at);
    if (place !== this.lastPlace! + 1) throw unreadable(`place ${place} after place ${this.lastPlace} inside a run`);
    this.lastPlace = place;
    this.partsLeft -= 1;
  }

  private *part(words: Int32Array, at: number): Iterable<Uint8Array> {
    const { width, head } = this;
    const here = Math.min(this.elementsLeft, runPart_bytes / width);
    const bytes = new DataView(words.buffer, words.byteOffset + 4 * (at + word.part), runPart_bytes);
    for (let element = 0; element < here; element += 1) {
      yield* this.makeRoom();
      const { output, filled } = this;
      output.set(head, filled);
      this.lastGiven += 1;
      this.number(output, filled, this.lastGiven);
      output[filled + word.address] = this.addressLow;
      output[filled + word.address + 1] = this.addressHigh;
      output[filled + word.value] = lowWord(bytes, element * width, width);
      if (width === 8) output[filled + word.value + 1] = bytes.getInt32(element * width + 4, true);
      this.filled += stride;
      this.advance();
    }
    this.elementsLeft -= here;
  }

  private advance(): void {
    const low = this.addressLow + this.step;
    this.addressHigh = (this.addressHigh + Math.floor(low / two32)) >>> 0;
    this.addressLow = low >>> 0;
  }

  private *makeRoom(): Iterable<Uint8Array> {
    if (this.filled === this.output.length) yield* this.give();
  }

  private *give(): Iterable<Uint8Array> {
    if (this.filled === 0) return;
    const given = new Uint8Array(this.output.buffer, 0, 4 * this.filled);
    this.filled = 0;
    yield given;
  }
}

function unreadable(found: string): UserError {
  return new UserError(`the core's ring can't be read on: it has ${found}`);
}

function hasRun(words: Int32Array): boolean {
  for (let at = word.flags; at < words.length; at += stride) if ((words[at]! & RecordFlag.run) !== 0) return true;
  return false;
}

function lowWord(bytes: DataView, at: number, width: number): number {
  return width === 1 ? bytes.getUint8(at) : width === 2 ? bytes.getUint16(at, true) : bytes.getInt32(at, true);
}

// Reads back the tables of an events block: shapes, addresses, words, tasks. Trusts nothing: every count and index is checked.

import type { Shapes, Tasks } from "../event-columns.js";
import { value_bytes } from "../record.js";
import { BlockError } from "./block-error.js";
import { columnAddressLimit, ValueTag, valueDeltaMax_bytes } from "./layout.js";
import { Varints } from "./varints.js";

const two32 = 2 ** 32;

export function decodeShapes(column: Varints, count: number): Shapes {
  const shapes: Shapes = {
    count,
    kind: new Uint8Array(count),
    width_bytes: new Uint8Array(count),
    flags: new Uint32Array(count),
    mapping: new Uint32Array(count),
    site: new BigUint64Array(count),
    caller: new Uint32Array(count),
  };
  let site = 0n;
  for (let shape = 0; shape < count; shape += 1) {
    const kindWidth = column.below(128);
    const width_bytes = kindWidth & 31;
    if (width_bytes === 0 || width_bytes > value_bytes) throw new BlockError(`an access ${width_bytes} bytes wide`);
    shapes.kind[shape] = ((kindWidth >> 5) & 1) + 1;
    shapes.width_bytes[shape] = width_bytes;
    shapes.flags[shape] = column.below(two32);
    shapes.mapping[shape] = column.below(two32);
    site = BigInt.asUintN(64, site + column.zigzag64());
    shapes.site[shape] = site;
    if (kindWidth >= 64) shapes.caller[shape] = column.below(two32);
  }
  column.end();
  return shapes;
}

export function decodeTasks(column: Varints, count: number): Tasks {
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

/**
 * Loops run in pieces of so many turns, each piece a call. V8 compiles a function that is called often only once. A function that is
 * called once a block and loops for long is compiled within its loop, again and again, because V8 knows too little about its end then.
 */
const turnsAtOnce = 1_024;

/** Calls `step` for pieces of the turns from 0 to `count`. */
function inPieces(count: number, step: (from: number, to: number) => void): void {
  for (let from = 0; from < count; from += turnsAtOnce) step(from, Math.min(count, from + turnsAtOnce));
}

/** Reads the columns addressShape (`refs`) and addressDelta. */
class AddressDecoder {
  readonly address: Float64Array;
  readonly addressShape: Uint16Array;
  defined = 0;
  refAt = 0;
  deltaAt = 0;
  private readonly refs: Uint8Array;
  private readonly deltas: Uint8Array;
  /** Reader of deltas of more than one byte. */
  private readonly longDeltas: Varints;
  private readonly shapes: number;
  /** By shape: its last address. */
  private readonly last: Float64Array;

  constructor(refs: Uint8Array, deltas: Uint8Array, count: number, shapes: number) {
    this.address = new Float64Array(count);
    this.addressShape = new Uint16Array(count);
    this.refs = refs;
    this.deltas = deltas;
    this.longDeltas = new Varints(deltas, "addressDelta");
    this.shapes = shapes;
    this.last = new Float64Array(shapes);
  }

  decode(from: number, to: number): void {
    const { refs, deltas, longDeltas, address, addressShape, last, shapes } = this;
    let { refAt, deltaAt, defined } = this;
    let before = from === 0 ? 0 : address[from - 1]!;
    // A byte past a column's end reads as undefined, which bit operations take for 0; the last places reveal it.
    for (let index = from; index < to; index += 1) {
      let ref = refs[refAt++]!;
      if (ref > 127) {
        const second = refs[refAt++]!;
        ref = (ref & 127) | ((second & 127) << 7);
        if (second > 127) ref |= refs[refAt++]! << 14;
      }
      let shape = ref - 1;
      if (ref > 0) {
        if (ref > defined) throw new BlockError("column addressShape names a shape before it is defined");
        before = last[shape]!;
      } else {
        if (defined === shapes) throw new BlockError("column addressShape defines more shapes than there are");
        shape = defined++;
      }
      const delta = deltas[deltaAt]!;
      if (delta < 128) {
        deltaAt += 1;
        before += (delta >>> 1) ^ -(delta & 1);
      } else {
        longDeltas.at = deltaAt;
        before += longDeltas.zigzag();
        deltaAt = longDeltas.at;
      }
      if (before < 0 || before >= columnAddressLimit) {
        throw new BlockError("column addressDelta leaves the address space");
      }
      address[index] = before;
      last[shape] = before;
      addressShape[index] = shape;
    }
    this.refAt = refAt;
    this.deltaAt = deltaAt;
    this.defined = defined;
  }
}

/** Decodes the addresses; `refs` and `deltas` are the columns addressShape and addressDelta. */
export function decodeAddresses(
  refs: Uint8Array,
  deltas: Uint8Array,
  count: number,
  shapes: number,
): { address: Float64Array; addressShape: Uint16Array } {
  const decoder = new AddressDecoder(refs, deltas, count, shapes);
  inPieces(count, (from, to) => decoder.decode(from, to));
  const { address, addressShape, defined, refAt, deltaAt } = decoder;
  if (defined !== shapes) throw new BlockError("column addressShape doesn't define every shape");
  if (refAt !== refs.length) throw new BlockError("column addressShape doesn't fit the number of addresses");
  if (deltaAt !== deltas.length) throw new BlockError("column addressDelta doesn't fit the number of addresses");
  return { address, addressShape };
}

export interface WordColumns {
  wordAddress: Uint16Array;
  wordLow: Uint32Array;
  wordHigh: Uint32Array;
  wordUpper: Map<number, bigint>;
}

/** Reads the columns wordAddress (`refs`), wordTag and wordBytes. */
class WordDecoder implements WordColumns {
  readonly wordAddress: Uint16Array;
  readonly wordLow: Uint32Array;
  readonly wordHigh: Uint32Array;
  readonly wordUpper = new Map<number, bigint>();
  defined = 0;
  refAt = 0;
  at = 0;
  private readonly refs: Uint8Array;
  private readonly tags: Uint8Array;
  private readonly bytes: Uint8Array;
  private readonly addresses: number;
  /** By address: the word last defined, counted from 1. */
  private readonly lastWord: Uint32Array;

  constructor(refs: Uint8Array, tags: Uint8Array, bytes: Uint8Array, addresses: number) {
    const count = tags.length;
    this.wordAddress = new Uint16Array(count);
    this.wordLow = new Uint32Array(count);
    this.wordHigh = new Uint32Array(count);
    this.refs = refs;
    this.tags = tags;
    // Zeros behind the end, so that reading past it works; as with addresses, that is detected at the end.
    this.bytes = new Uint8Array(bytes.length + 4);
    this.bytes.set(bytes);
    this.addresses = addresses;
    this.lastWord = new Uint32Array(addresses);
  }

  decode(from: number, to: number): void {
    const { refs, tags, bytes, wordAddress, wordLow, wordHigh, lastWord, addresses } = this;
    let { refAt, at, defined } = this;
    for (let word = from; word < to; word += 1) {
      let index = refs[refAt++]!;
      if (index > 127) {
        const second = refs[refAt++]!;
        index = (index & 127) | ((second & 127) << 7);
        if (second > 127) index |= refs[refAt++]! << 14;
      }
      if (index > 0) {
        if (index > defined) throw new BlockError("column wordAddress names an address before it is defined");
        index -= 1;
      } else {
        if (defined === addresses) throw new BlockError("column wordAddress defines more addresses than there are");
        index = defined++;
      }
      wordAddress[word] = index;
      const tag = tags[word]!;
      const length = tag & 31;
      // Four bytes are read for any length: a choice among lengths costs more.
      let low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      if (length < 4) low &= (1 << (8 * length)) - 1;
      const high = highOf(bytes, at, length);
      if (tag > value_bytes) this.addDelta(word, index, tag, low >>> 0, high);
      else {
        if (length > 8) this.wordUpper.set(word, upperOf(bytes, at, length));
        wordLow[word] = low;
        wordHigh[word] = high;
      }
      lastWord[index] = word + 1;
      at += length;
    }
    this.refAt = refAt;
    this.at = at;
    this.defined = defined;
  }

  /** Decodes a word whose value is stored as a difference from the last one at its address. */
  private addDelta(word: number, address: number, tag: number, deltaLow: number, deltaHigh: number): void {
    const { wordLow, wordHigh } = this;
    const before = this.lastWord[address]! - 1;
    const length = tag & 31;
    const mode = tag - length;
    const sign = mode === ValueTag.up ? 1 : mode === ValueTag.down ? -1 : 0;
    if (sign === 0 || length > valueDeltaMax_bytes || before < 0)
      throw new BlockError("column wordTag holds a wrong tag");
    const low = wordLow[before]! + sign * deltaLow;
    const high = wordHigh[before]! + sign * deltaHigh + Math.floor(low / two32);
    if (high < 0 || high >= two32) throw new BlockError("a value's delta leaves 64 bits");
    wordLow[word] = low;
    wordHigh[word] = high;
  }
}

/** Decodes the words; `refs`, `tags` and `bytes` are the columns wordAddress, wordTag and wordBytes. */
export function decodeWords(
  { refs, tags, bytes }: { refs: Uint8Array; tags: Uint8Array; bytes: Uint8Array },
  count: number,
  addresses: number,
): WordColumns {
  if (tags.length !== count) throw new BlockError("column wordTag doesn't fit the number of words");
  const decoder = new WordDecoder(refs, tags, bytes, addresses);
  inPieces(count, (from, to) => decoder.decode(from, to));
  const { defined, refAt, at, wordAddress, wordLow, wordHigh, wordUpper } = decoder;
  if (defined !== addresses) throw new BlockError("column wordAddress doesn't define every address");
  if (refAt !== refs.length) throw new BlockError("column wordAddress doesn't fit the number of words");
  if (at !== bytes.length) throw new BlockError("column wordBytes doesn't fit the words' tags");
  return { wordAddress, wordLow, wordHigh, wordUpper };
}

/** Returns bytes 4 to 7 of a number of `length` bytes. */
function highOf(bytes: Uint8Array, at: number, length: number): number {
  let high = 0;
  for (let byte = Math.min(length, 8) - 1; byte >= 4; byte -= 1) high = high * 256 + (bytes[at + byte] ?? 0);
  return high;
}

function upperOf(bytes: Uint8Array, at: number, length: number): bigint {
  let upper = 0n;
  for (let byte = length - 1; byte >= 8; byte -= 1) upper = (upper << 8n) | BigInt(bytes[at + byte] ?? 0);
  return upper;
}

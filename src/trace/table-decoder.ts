// Reads back the tables of an events block: shapes, addresses, words, tasks. Trusts nothing: every count and index is checked.
import { BlockError } from "./block-error.js";
import type { Shapes, Tasks } from "./event-columns.js";
import { columnAddressLimit, ValueTag, valueDeltaMax_bytes } from "./layout.js";
import { value_bytes } from "./record.js";
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

/** `refs` and `deltas` are the columns addressShape and addressDelta. */
export function decodeAddresses(
  refs: Uint8Array,
  deltas: Uint8Array,
  count: number,
  shapes: number,
): { address: Float64Array; addressShape: Uint16Array } {
  const address = new Float64Array(count);
  const addressShape = new Uint16Array(count);
  /** By shape: its last address. */
  const last = new Float64Array(shapes);
  const longDeltas = new Varints(deltas, "addressDelta");
  let defined = 0;
  let refAt = 0;
  let deltaAt = 0;
  let before = 0;
  // Past a column's end a byte reads as undefined, which the bit operations take for 0; the places tell in the end.
  for (let index = 0; index < count; index += 1) {
    let ref = refs[refAt++]!;
    if (ref > 127) {
      const second = refs[refAt++]!;
      ref = (ref & 127) | ((second & 127) << 7);
      if (second > 127) ref |= refs[refAt++]! << 14;
    }
    let base: number;
    let shape: number;
    if (ref > 0) {
      if (ref > defined) throw new BlockError("column addressShape names a shape before it is defined");
      shape = ref - 1;
      base = last[shape]!;
    } else {
      if (defined === shapes) throw new BlockError("column addressShape defines more shapes than there are");
      shape = defined++;
      base = before;
    }
    const delta = deltas[deltaAt]!;
    if (delta < 128) {
      deltaAt += 1;
      before = base + ((delta >>> 1) ^ -(delta & 1));
    } else {
      longDeltas.at = deltaAt;
      before = base + longDeltas.zigzag();
      deltaAt = longDeltas.at;
    }
    if (before < 0 || before >= columnAddressLimit) {
      throw new BlockError("column addressDelta leaves the address space");
    }
    address[index] = before;
    last[shape] = before;
    addressShape[index] = shape;
  }
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

/** `refs`, `tags` and `bytes` are the columns wordAddress, wordTag and wordBytes. */
export function decodeWords(
  { refs, tags, bytes: valueBytes }: { refs: Uint8Array; tags: Uint8Array; bytes: Uint8Array },
  count: number,
  addresses: number,
): WordColumns {
  if (tags.length !== count) throw new BlockError("column wordTag doesn't fit the number of words");
  const wordAddress = new Uint16Array(count);
  const wordLow = new Uint32Array(count);
  const wordHigh = new Uint32Array(count);
  const wordUpper = new Map<number, bigint>();
  /** By address: the word last defined, counted from 1. */
  const lastWord = new Uint32Array(addresses);
  let defined = 0;
  let refAt = 0;
  let at = 0;
  // Zeros behind the end, so that it can be read past; that it was is found out in the end, as with addresses.
  const bytes = new Uint8Array(valueBytes.length + 4);
  bytes.set(valueBytes);
  for (let word = 0; word < count; word += 1) {
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
    let high = 0;
    // Four bytes are read whatever the length is: choosing among lengths costs more.
    let low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    if (length < 4) low &= (1 << (8 * length)) - 1;
    else {
      low >>>= 0;
      if (length > 4) high = highOf(bytes, at, length);
    }
    if (tag > value_bytes) {
      const before = lastWord[index]! - 1;
      const mode = tag - length;
      const sign = mode === ValueTag.up ? 1 : mode === ValueTag.down ? -1 : 0;
      if (sign === 0 || length > valueDeltaMax_bytes || before < 0)
        throw new BlockError("column wordTag holds a wrong tag");
      low = wordLow[before]! + sign * low;
      high = wordHigh[before]! + sign * high + Math.floor(low / two32);
      if (high < 0 || high >= two32) throw new BlockError("a value's delta leaves 64 bits");
    } else if (length > 8) wordUpper.set(word, upperOf(bytes, at, length));
    wordLow[word] = low;
    wordHigh[word] = high;
    lastWord[index] = word + 1;
    at += length;
  }
  if (defined !== addresses) throw new BlockError("column wordAddress doesn't define every address");
  if (refAt !== refs.length) throw new BlockError("column wordAddress doesn't fit the number of words");
  if (at !== valueBytes.length) throw new BlockError("column wordBytes doesn't fit the words' tags");
  return { wordAddress, wordLow, wordHigh, wordUpper };
}

/** Bytes 4 to 7 of a number of `length` bytes. */
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

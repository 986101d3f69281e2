// Reads back the row columns of an events block: words, times, tasks, and the places of its other records. Trusts nothing.
import { BlockError } from "./block-error.js";
import type { Varints } from "./varints.js";

export function decodeWordRows(bytes: Uint8Array, rows: number, words: number): Uint16Array {
  const word = new Uint16Array(rows);
  let defined = 0;
  let at = 0;
  // A byte past the column's end reads as undefined, which bit operations take for 0; the last `at` reveals it.
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

export function decodeTimes(lows: Uint8Array, highs: Uint8Array, rows: number): Float64Array {
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

export function decodeTaskRuns(column: Varints, rows: number, tasks: number): Uint16Array {
  const task = new Uint16Array(rows);
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

export function decodeOtherPlaces(column: Varints, count: number, rows: number): Uint32Array {
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

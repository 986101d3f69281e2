// Reads RAPID's STD format: one event a line, `thread|operation(target)|location`. The operations are r and w, acq and rel, fork and
// join; begin and end may stand without a target. Reads bytes as they come and keeps nothing but the names.
import { FormatError } from "../../base/errors.js";
import { printable } from "../../base/printable.js";
import { batchEventsMax, EventBatch, EventKind } from "./event-batch.js";
import { hashOfName, NameTable } from "./name-table.js";

const lineFeed = 10;
const carriageReturn = 13;
const letterN = 0x6e;
const letterR = 0x72;
const letterW = 0x77;
const open = 0x28;
const close = 0x29;
const bar = 0x7c;
/** The longest line that is shown whole in a message. */
const shownMax_chars = 80;
/** The longest line that is read: a file without line ends must not fill the memory. */
const lineMax_bytes = 1 << 20;
/** Digits of a location that are read without a check for too great a number. */
const safeDigits = 9;

/** The least number of bytes behind a thread's name, and from a target's closing parenthesis on. */
const threadEnd_bytes = "|end|0\n".length;
const targetEnd_bytes = ")|0\n".length;

/** The events' names; threads are numbered by the first line that names them, as the one at work or as a target. */
export interface EventNames {
  threads: NameTable;
  locks: NameTable;
  variables: NameTable;
}

export class StdReader {
  readonly names: EventNames;
  /** Events read so far: as many as lines. */
  events = 0;
  private readonly file: string;
  private readonly take: (batch: EventBatch) => void;
  private readonly batch = new EventBatch();
  /** The beginning of a line whose end hasn't come. */
  private rest: Uint8Array = new Uint8Array();
  private bytes: Uint8Array = new Uint8Array();
  private view: DataView = new DataView(new ArrayBuffer(0));

  /** The thread of the line before, and the place of its name; -1 where that isn't in these bytes. */
  private lastThread = 0;
  private lastThreadStart = -1;
  /** Rows of the batch whose targets have numbers; of all rows, the targets' first and last bytes and hashes. */
  private numbered = 0;
  private readonly targetStarts = new Int32Array(batchEventsMax);
  private readonly targetEnds = new Int32Array(batchEventsMax);
  private readonly targetHashes = new Int32Array(batchEventsMax);

  /**
   * `take` gets each full batch, and must be done with it when it returns. `file` is for messages. `names` are those of a reader that has
   * read the same trace: then names have the same numbers.
   */
  constructor(file: string, take: (batch: EventBatch) => void, names?: EventNames) {
    this.file = file;
    this.take = take;
    this.names = names ?? { threads: new NameTable(), locks: new NameTable(), variables: new NameTable() };
  }

  /** Reads the lines that end in `piece`. Throws FormatError. */
  push(piece: Uint8Array): void {
    // Never a Buffer: code that has met two classes of arrays runs slower.
    const chunk = new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
    const end = chunk.lastIndexOf(lineFeed) + 1;
    if (end === 0) {
      this.rest = joined(this.rest, chunk);
      if (this.rest.length > lineMax_bytes) {
        const what = `expected thread|operation(target)|location, but the line has more than ${lineMax_bytes} bytes`;
        throw new FormatError(this.file, what, { line: this.events + 1 });
      }
      return;
    }
    let from = 0;
    if (this.rest.length > 0) {
      from = chunk.indexOf(lineFeed) + 1;
      this.lines(joined(this.rest, chunk.subarray(0, from)), 0);
    }
    this.lines(chunk.subarray(0, end), from);
    // a copy: the piece is the caller's
    this.rest = chunk.slice(end);
  }

  /** Reads a last line without an end, and hands out the last batch. Throws FormatError. */
  finish(): void {
    if (this.rest.length > 0) this.lines(joined(this.rest, Uint8Array.of(lineFeed)), 0);
    this.rest = new Uint8Array();
    this.handOut();
  }

  /** Reads the lines of `bytes` from byte `from` on; the last one ends with a line feed. */
  private lines(bytes: Uint8Array, from: number): void {
    const { batch } = this;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.lastThreadStart = -1;
    let at = from;
    while (at < bytes.length) {
      const next = this.line(at);
      if (next < 0) throw this.malformed(at);
      at = next;
      this.events += 1;
      batch.length += 1;
      if (batch.length === batchEventsMax) {
        this.numberTargets();
        this.handOut();
      }
    }
    this.numberTargets();
  }

  /**
   * Numbers the targets of the batch's new rows. In a loop of its own, because most of the time goes into waiting for memory that no
   * cache holds: a CPU has several of these short rounds under way at once, but not several lines.
   */
  private numberTargets(): void {
    const { batch, names, view, targetStarts, targetEnds, targetHashes } = this;
    const { kinds, targets, length } = batch;
    for (let row = this.numbered; row < length; row += 1) {
      const kind = kinds[row]!;
      if (kind >= EventKind.begin) continue;
      const table = kind <= EventKind.write ? names.variables : kind <= EventKind.release ? names.locks : names.threads;
      targets[row] = table.number(view, targetStarts[row]!, targetEnds[row]!, targetHashes[row]!);
    }
    this.numbered = length;
  }

  private handOut(): void {
    const { batch, names } = this;
    batch.firstEvent = this.events - batch.length + 1;
    batch.threadCount = names.threads.count;
    batch.lockCount = names.locks.count;
    batch.variableCount = names.variables.count;
    if (batch.length > 0) this.take(batch);
    batch.length = 0;
    this.numbered = 0;
  }

  /** Reads the line at `from` into the batch's next row; returns the byte behind it, or -1 if it isn't sound. */
  private line(from: number): number {
    const { bytes, batch } = this;
    const at = this.thread(from) + 1;
    if (at === 0) return -1;
    const first = bytes[at]!;
    if ((first === letterR || first === letterW) && bytes[at + 1] === open) {
      batch.kinds[batch.length] = first === letterR ? EventKind.read : EventKind.write;
      const end = this.target(at + 2);
      return end < 0 ? -1 : this.location(end + 1);
    }
    return this.longLine(at);
  }

  /** Goes on with a line whose operation, at `at`, has more than one letter. */
  private longLine(at: number): number {
    const { bytes, view, batch } = this;
    const word = view.getInt32(at, true);
    const kind = longWords.indexOf(word) + EventKind.acquire;
    if (kind < EventKind.acquire) {
      const mark = word & 0xffffff;
      if (mark !== endWord && (word !== beginWord || bytes[at + 4] !== letterN)) return -1;
      batch.kinds[batch.length] = mark === endWord ? EventKind.end : EventKind.begin;
      const bar = this.skipTarget(at);
      return bar < 0 ? -1 : this.location(bar + 1);
    }
    batch.kinds[batch.length] = kind;
    const hasLongWord = kind >= EventKind.fork;
    if (hasLongWord && bytes[at + 4] !== open) return -1;
    const end = this.target(hasLongWord ? at + 5 : at + 4);
    return end < 0 ? -1 : this.location(end + 1);
  }

  /** Reads a thread's name; returns the place of the bar behind it, or -1. */
  private thread(from: number): number {
    const { bytes, view, batch } = this;
    let at = from;
    // most lines are of the same thread as the line before
    let before = this.lastThreadStart;
    if (before >= 0) {
      while (bytes[at] === bytes[before] && bytes[at] !== bar && bytes[at] !== lineFeed) {
        at += 1;
        before += 1;
      }
    }
    const isSame = bytes[at] === bar && bytes[before] === bar;
    while (bytes[at] !== bar && bytes[at] !== lineFeed) at += 1;
    // the shortest rest is |end|0, and the line's end
    if (bytes[at] !== bar || at + threadEnd_bytes > bytes.length) return -1;
    if (!isSame) this.lastThread = this.names.threads.number(view, from, at, hashOfName(view, from, at));
    this.lastThreadStart = from;
    batch.threads[batch.length] = this.lastThread;
    return at;
  }

  /** Reads a target, which may have parentheses of its own; returns the place of the bar behind it, or -1. */
  private target(from: number): number {
    const { bytes, view, batch } = this;
    let at = from;
    // four bytes at a time while none of them is a bar or less than 0x21
    const last = bytes.length - 4;
    while (at <= last) {
      const word = view.getInt32(at, true);
      const bars = word ^ 0x7c7c7c7c;
      if (((((bars - 0x01010101) & ~bars) | ((word - 0x21212121) & ~word)) & 0x80808080) !== 0) break;
      at += 4;
    }
    let byte = bytes[at]!;
    while (byte !== bar) {
      // white space, the line's end with it
      if (byte <= 32 && (byte === 32 || (byte >= 9 && byte <= carriageReturn))) return -1;
      at += 1;
      byte = bytes[at]!;
    }
    // the byte before is the closing parenthesis
    const end = at - 1;
    if (end <= from || bytes[end] !== close || end + targetEnd_bytes > bytes.length) return -1;
    const row = batch.length;
    this.targetStarts[row] = from;
    this.targetEnds[row] = end;
    this.targetHashes[row] = hashOfName(view, from, end);
    return at;
  }

  /** Skips all up to the bar and returns its place, or -1: a transaction's name means nothing here. */
  private skipTarget(from: number): number {
    const { bytes, batch } = this;
    let at = from;
    while (bytes[at] !== bar && bytes[at] !== lineFeed) at += 1;
    batch.targets[batch.length] = 0;
    return bytes[at] === bar ? at : -1;
  }

  /** Reads the location, a whole number of 32 bits, and the line's end; returns the byte behind it, or -1. */
  private location(start: number): number {
    const { bytes, batch } = this;
    const sign = bytes[start]!;
    let at = sign === 0x2d || sign === 0x2b ? start + 1 : start;
    const from = at;
    let number = 0;
    let digit = bytes[at]! - 0x30;
    while (digit >= 0 && digit <= 9) {
      number = 10 * number + digit;
      at += 1;
      digit = bytes[at]! - 0x30;
    }
    if (at === from) return -1;
    if (sign === 0x2d) number = -number;
    if (at - from > safeDigits && number !== (number | 0)) return -1;
    batch.locations[batch.length] = number;
    if (bytes[at] === carriageReturn) at += 1;
    return bytes[at] === lineFeed ? at + 1 : -1;
  }

  /** Makes the error about the line that begins at byte `start`. */
  private malformed(start: number): FormatError {
    const { bytes } = this;
    const whole = new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(lineFeed, start))).replace(/\r$/, "");
    const shown = whole.length > shownMax_chars ? `${whole.slice(0, shownMax_chars)}…` : whole;
    return new FormatError(this.file, `${whyMalformed(whole)}: "${printable(shown)}"`, {
      line: this.events + 1,
      advice: "a line of RAPID's STD format is thread|operation(target)|location, for example T1|w(x)|42",
    });
  }
}

/** The first four bytes of an operation as a number. */
const wordOf = (text: string) => new DataView(new TextEncoder().encode(`${text}\0`).buffer).getInt32(0, true);

/** Operations of more than one letter, in the order of their kinds from acquire on; a parenthesis follows the longer ones. */
const longWords = Int32Array.from(["acq(", "rel(", "fork", "join"], wordOf);
const beginWord = wordOf("begi");
/** Three bytes. */
const endWord = wordOf("end");

/** Returns what is expected where a line isn't as it should be. */
function whyMalformed(line: string): string {
  const fields = line.split("|");
  if (fields.length !== 3) {
    return `expected three fields with | between them, but there ${fields.length === 1 ? "is" : "are"} ${fields.length}`;
  }
  const [, operation = "", location = ""] = fields;
  if (!/^(?:begin|end)/.test(operation)) {
    const word = operation.replace(/\(.*/s, "");
    if (!/^(?:r|w|acq|rel|fork|join)$/.test(word)) {
      return "expected r, w, acq, rel, fork, join, begin or end as the operation";
    }
    if (!/^[^(]*\(\S+\)$/.test(operation))
      return "expected a target without spaces in parentheses behind the operation";
  }
  if (!/^[-+]?\d+$/.test(location)) return "expected a whole number as the location";
  return "expected a location of 32 bits, from -2147483648 to 2147483647";
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

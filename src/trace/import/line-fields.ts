// Reads a line of a foreign log from left to right, as bytes: numbers, words, times. `sound` remembers if anything was out
// of place, so that a line is checked once, at its end.

import { isLatin1, latin1 } from "../../base/bytes.js";

const two32 = 2 ** 32;
const notADigit = 255;
/** Length of a word in a message. */
const quotedMax_chars = 40;

/** A hexadecimal digit's value by its byte, lower and upper case. */
const hexDigit = new Uint8Array(256).fill(notADigit);
for (let digit = 0; digit < 16; digit += 1) {
  hexDigit[digit.toString(16).charCodeAt(0)] = digit;
  hexDigit[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

const hexWords = "a hexadecimal number with 0x";
const timeWords = "a time in seconds with six decimals";

export class LineFields {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  /** The line's first byte. */
  private from = 0;
  /** The first byte after the line. */
  end = 0;
  sound = true;
  /** The first thing out of place: its byte, and the words for what belongs there. */
  private fault: { at: number; wanted: string } | undefined;
  /** All was written as printf() does: no superfluous digit, lower-case letters. */
  canonical = true;
  /** The last number read, in halves. */
  low = 0;
  high = 0;
  /** upTo()'s last word: most lines have the same word there as the line before. */
  private lastWord = "";

  begin(bytes: Uint8Array, from: number, end: number): void {
    this.bytes = bytes;
    this.from = this.at = from;
    this.end = end;
    this.sound = this.canonical = true;
    this.fault = undefined;
  }

  /** Tells that `wanted` isn't at byte `at`. */
  fail(wanted: string, at = this.at): void {
    this.fault ??= { at, wanted };
    this.sound = false;
  }

  /** Describes the first thing out of place, for a message. */
  get why(): string {
    if (this.fault === undefined) {
      const isGap = this.bytes[this.at] === 0x20 || this.bytes[this.at] === 0x09;
      return `${this.quoted(isGap ? this.at + 1 : this.at)} is too much at its end`;
    }
    const { at, wanted } = this.fault;
    return at >= this.end ? `${wanted} is missing at its end` : `${this.quoted(at)} isn't ${wanted}`;
  }

  /** Returns the word around byte `at`, or before a blank there, or behind several, in quotes. */
  private quoted(at: number): string {
    const { bytes, end } = this;
    const isBlank = (place: number) => bytes[place] === 0x20 || bytes[place] === 0x09;
    let from = isBlank(at) && at > this.from && !isBlank(at - 1) ? at - 1 : at;
    while (from < end && isBlank(from)) from += 1;
    while (from > this.from && !isBlank(from) && !isBlank(from - 1)) from -= 1;
    let to = from;
    while (to < end && !isBlank(to)) to += 1;
    const shown = latin1(bytes, from, Math.min(to, from + quotedMax_chars)).replaceAll(/[^\u0020-\u007e]/g, "·");
    return `"${shown}${to - from > quotedMax_chars ? "…" : ""}"`;
  }

  get atEnd(): boolean {
    return this.at >= this.end;
  }

  /** Skips one byte, which must be `byte`. */
  skip(byte: number): void {
    if (this.at >= this.end || this.bytes[this.at] !== byte) this.fail(`"${String.fromCharCode(byte)}"`);
    this.at += 1;
  }

  /** Skips the separator between two fields: one blank, or more blanks and tabs, which printf() doesn't write. */
  gap(): void {
    const { bytes, end } = this;
    let { at } = this;
    if (at >= end || bytes[at] !== 0x20) {
      if (at >= end || bytes[at] !== 0x09) this.fail(at >= end ? "another field" : "a field of that form", at);
      this.canonical = false;
    }
    at += 1;
    while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) {
      this.canonical = false;
      at += 1;
    }
    this.at = at;
  }

  /** Skips `text`, which must be there. */
  text(text: string): void {
    const { bytes } = this;
    let { at } = this;
    if (at + text.length > this.end) this.fail(`"${text.trim()}"`, this.end);
    for (let index = 0; index < text.length; index += 1, at += 1) {
      if (bytes[at] !== text.charCodeAt(index)) this.fail(`"${text.trim()}"`, at);
    }
    this.at = at;
  }

  /** Reads a number with 0x, of up to 64 bits, into `low` and `high`. */
  hex(): void {
    const { bytes, at } = this;
    if (bytes[at] !== 0x30 || (bytes[at + 1]! | 0x20) !== 0x78) this.fail(hexWords, at);
    if (bytes[at + 1] !== 0x78) this.canonical = false;
    this.at = at + 2;
    this.bareHex();
  }

  /** Does the same as `hex` without 0x. */
  bareHex(): void {
    const { bytes, end } = this;
    const from = this.at;
    let at = from;
    let low = 0;
    let high = 0;
    for (; at < end; at += 1) {
      const byte = bytes[at]!;
      const digit = hexDigit[byte]!;
      if (digit === notADigit) break;
      if (byte >= 0x41 && byte <= 0x46) this.canonical = false;
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    const digits = at - from;
    if (digits === 0 || digits > 16) this.fail(digits === 0 ? hexWords : "a number of at most 64 bits", from);
    if (digits > 1 && bytes[from] === 0x30) this.canonical = false;
    this.at = at;
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  /** Reads a decimal number below 2^53. */
  decimal(): number {
    const { bytes, end } = this;
    const from = this.at;
    let at = from;
    let value = 0;
    for (; at < end; at += 1) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = at - from;
    if (digits === 0 || digits > 15)
      this.fail(digits === 0 ? "a decimal number" : "a number of at most 15 digits", from);
    if (digits > 1 && bytes[from] === 0x30) this.canonical = false;
    this.at = at;
    return value;
  }

  /** Reads a decimal number that may be negative. */
  signed(): number {
    if (this.bytes[this.at] !== 0x2d) return this.decimal();
    this.at += 1;
    const value = this.decimal();
    if (value === 0) this.canonical = false;
    return -value;
  }

  /** Reads `SECONDS.MICROSECONDS`, with six digits after the point as from printf("%lu.%06lu"), in microseconds. */
  time_us(): number {
    const { bytes, at: start } = this;
    const seconds = this.decimal();
    if (bytes[this.at] !== 0x2e) this.fail(timeWords, start);
    const from = this.at + 1;
    let at = from;
    let fraction = 0;
    for (; at < from + 6; at += 1) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9 || at >= this.end) {
        this.fail(timeWords, start);
        break;
      }
      fraction = fraction * 10 + digit;
    }
    this.at = at;
    const value = seconds * 1e6 + fraction;
    if (value >= Number.MAX_SAFE_INTEGER) this.fail("a time that can be", start);
    return value;
  }

  /** The last number read, as one number; exact only below 2^53. */
  get number(): number {
    return this.high * two32 + this.low;
  }

  get big(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** Reads the bytes from here to the line's end, one character each. */
  rest(): string {
    return latin1(this.bytes, this.at, this.end);
  }

  /** Reads the bytes from here up to `byte`, one character each; empty if there is no such byte. */
  upTo(byte: number): string {
    const { bytes, at: from, end } = this;
    for (let found = from; found < end; found += 1) {
      if (bytes[found] !== byte) continue;
      this.at = found;
      if (!isLatin1(bytes, from, found, this.lastWord)) this.lastWord = latin1(bytes, from, found);
      return this.lastWord;
    }
    this.fail(`"${String.fromCharCode(byte)}"`, end);
    return "";
  }
}

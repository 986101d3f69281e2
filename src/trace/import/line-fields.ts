// Reads a line of a foreign log from left to right, as bytes: numbers, words, times. `sound` remembers if anything was out
// of place, so that a line is checked once, at its end.

import { isLatin1, latin1 } from "../../base/bytes.js";

const two32 = 2 ** 32;
const notADigit = 255;

/** A hexadecimal digit's value by its byte, lower and upper case. */
const hexDigit = new Uint8Array(256).fill(notADigit);
for (let digit = 0; digit < 16; digit += 1) {
  hexDigit[digit.toString(16).charCodeAt(0)] = digit;
  hexDigit[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

export class LineFields {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  /** The first byte after the line. */
  end = 0;
  sound = true;
  /** All was written as printf() does: no superfluous digit, lower-case letters. */
  canonical = true;
  /** The last number read, in halves. */
  low = 0;
  high = 0;
  /** upTo()'s last word: most lines have the same word there as the line before. */
  private lastWord = "";

  begin(bytes: Uint8Array, from: number, end: number): void {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
    this.sound = this.canonical = true;
  }

  get atEnd(): boolean {
    return this.at >= this.end;
  }

  /** Skips one byte, which must be `byte`. */
  skip(byte: number): void {
    if (this.at >= this.end || this.bytes[this.at] !== byte) this.sound = false;
    this.at += 1;
  }

  /** Skips the separator between two fields: one blank, or more blanks and tabs, which printf() doesn't write. */
  gap(): void {
    const { bytes, end } = this;
    let { at } = this;
    if (at >= end || bytes[at] !== 0x20) {
      if (at >= end || bytes[at] !== 0x09) this.sound = false;
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
    if (at + text.length > this.end) this.sound = false;
    for (let index = 0; index < text.length; index += 1, at += 1) {
      if (bytes[at] !== text.charCodeAt(index)) this.sound = false;
    }
    this.at = at;
  }

  /** Reads a number with 0x, of up to 64 bits, into `low` and `high`. */
  hex(): void {
    const { bytes, at } = this;
    if (bytes[at] !== 0x30 || (bytes[at + 1]! | 0x20) !== 0x78) this.sound = false;
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
    if (digits === 0 || digits > 16) this.sound = false;
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
    if (digits === 0 || digits > 15) this.sound = false;
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
    const { bytes } = this;
    const seconds = this.decimal();
    if (bytes[this.at] !== 0x2e) this.sound = false;
    const from = this.at + 1;
    let at = from;
    let fraction = 0;
    for (; at < from + 6; at += 1) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9 || at >= this.end) {
        this.sound = false;
        break;
      }
      fraction = fraction * 10 + digit;
    }
    this.at = at;
    const value = seconds * 1e6 + fraction;
    if (value >= Number.MAX_SAFE_INTEGER) this.sound = false;
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
    let found = from;
    while (found < end && bytes[found] !== byte) found += 1;
    if (found >= end) {
      this.sound = false;
      return "";
    }
    this.at = found;
    if (!isLatin1(bytes, from, found, this.lastWord)) this.lastWord = latin1(bytes, from, found);
    return this.lastWord;
  }
}

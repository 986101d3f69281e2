// Reads the fields of one line of QEMU's log. truth-log.ts reads the log.
const space = 0x20;

/** Reads one line's fields from left to right; remembers if all of them were in their place. */
export class LineScanner {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  end = 0;
  sound = true;
  /** The last number read, in halves. */
  low = 0;
  high = 0;

  /** Skips ` name `. */
  word(name: string): void {
    const { bytes } = this;
    if (bytes[this.at] !== space) this.sound = false;
    let at = this.at + 1;
    for (let index = 0; index < name.length; index += 1, at += 1) {
      if (bytes[at] !== name.charCodeAt(index)) this.sound = false;
    }
    if (bytes[at] !== space) this.sound = false;
    this.at = at + 1;
  }

  /** Reads a number without 0x; may be negative. */
  decimal(): number {
    const negative = this.bytes[this.at] === 0x2d;
    if (negative) this.at += 1;
    let value = 0;
    const from = this.at;
    for (; this.at < this.end; this.at += 1) {
      const digit = this.bytes[this.at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (this.at === from || this.at > from + 9) this.sound = false;
    return negative ? -value : value;
  }

  /** Reads a number of up to 64 bits with 0x into `low` and `high`. */
  hex(): void {
    const { bytes } = this;
    if (bytes[this.at] !== 0x30 || bytes[this.at + 1] !== 0x78) this.sound = false;
    this.at += 2;
    const from = this.at;
    let low = 0;
    let high = 0;
    for (; this.at < this.end; this.at += 1) {
      const byte = bytes[this.at]!;
      const digit = byte >= 0x61 && byte <= 0x66 ? byte - 87 : byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : -1;
      if (digit < 0) break;
      high = ((high << 4) | (low >>> 28)) >>> 0;
      low = ((low << 4) | digit) >>> 0;
    }
    if (this.at === from || this.at > from + 16) this.sound = false;
    this.low = low;
    this.high = high;
  }
}

// Hexadecimal digits. Those of 32-bit numbers come several times faster than from toString(16): traces have millions of them to print.

/** `0x1f`: how numbers are written in headers, in tables and in messages. */
export function hex(value: bigint | number): `0x${string}` {
  return `0x${value.toString(16)}`;
}

const half = 0x1_0000;
const digitsOfHalf: (string | undefined)[] = new Array(half);
const fourDigitsOfHalf: (string | undefined)[] = new Array(half);

/** Returns the digits of an unsigned 32-bit number, without leading zeros. */
export function hexDigits(value: number): string {
  const high = value >>> 16;
  const low = value & 0xffff;
  if (high !== 0) return shortDigits(high) + fourDigits(low);
  return shortDigits(low);
}

/** Returns all eight digits of an unsigned 32-bit number. */
export function eightHexDigits(value: number): string {
  return fourDigits(value >>> 16) + fourDigits(value & 0xffff);
}

function shortDigits(value: number): string {
  let digits = digitsOfHalf[value];
  if (digits === undefined) {
    digits = value.toString(16);
    digitsOfHalf[value] = digits;
  }
  return digits;
}

function fourDigits(value: number): string {
  let digits = fourDigitsOfHalf[value];
  if (digits === undefined) {
    digits = value.toString(16).padStart(4, "0");
    fourDigitsOfHalf[value] = digits;
  }
  return digits;
}

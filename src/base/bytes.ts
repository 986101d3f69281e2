// Converts between bytes and text, in Node and in a page alike.

const utf8 = new TextEncoder();
/** Most arguments of one call: JavaScript engines limit them. */
const piece_bytes = 4096;

/** Returns bytes as a text of one character each: nothing is lost, in any encoding. */
export function latin1(bytes: Uint8Array, from = 0, end = bytes.length): string {
  if (end - from <= piece_bytes) return String.fromCharCode.apply(null, codes(bytes, from, end));
  let text = "";
  for (let at = from; at < end; at += piece_bytes) {
    text += String.fromCharCode.apply(null, codes(bytes, at, Math.min(end, at + piece_bytes)));
  }
  return text;
}

/** Casts for `apply`, which takes typed arrays, too, though its type doesn't say so. */
function codes(bytes: Uint8Array, from: number, end: number): number[] {
  return bytes.subarray(from, end) as unknown as number[];
}

/** Returns each character's lowest eight bits: the counterpart of latin1(). */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return utf8.encode(text);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Returns true if the bytes from `from` to before `end` are `text`, one character each. */
export function isLatin1(bytes: Uint8Array, from: number, end: number, text: string): boolean {
  return end - from === text.length && startsWithLatin1(bytes, from, end, text);
}

/** Returns true if the bytes from `from` to before `end` begin with `text`, one character each. */
export function startsWithLatin1(bytes: Uint8Array, from: number, end: number, text: string): boolean {
  if (end - from < text.length) return false;
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[from + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** Finds the first place of `text`, one character each, from `from` on and whole before `end`; -1 if there is none. */
export function findLatin1(bytes: Uint8Array, from: number, end: number, text: string): number {
  const first = text.charCodeAt(0);
  for (let at = from; at <= end - text.length; at += 1) {
    if (bytes[at] === first && startsWithLatin1(bytes, at, end, text)) return at;
  }
  return -1;
}

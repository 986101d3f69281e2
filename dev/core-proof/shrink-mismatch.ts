// Shortens and simplifies a string on which two decoders disagree, as far as they still disagree in the same field.
import { DecoderComparison, type Mismatch } from "./decoder-comparison.js";

/** Limit of steps: then a mismatch counts as shrunk. */
const stepsMax = 5000;

/** Finds a smaller string with a mismatch in the same field. */
export function shrinkMismatch(mismatch: Mismatch): Mismatch {
  const comparison = new DecoderComparison();
  try {
    return shrinkWith(mismatch, (bytes) => comparison.compare(bytes, Uint32Array.of(0), 1, 1)[0]);
  } finally {
    comparison.free();
  }
}

function shrinkWith(mismatch: Mismatch, compare: (bytes: Uint8Array) => Mismatch | undefined): Mismatch {
  let best = mismatch;
  let steps = 0;
  for (let progress = true; progress && steps < stepsMax; ) {
    progress = false;
    for (const candidate of simpler(best.bytes)) {
      steps++;
      const found = compare(candidate);
      if (found === undefined || found.field !== mismatch.field) continue;
      best = found;
      progress = true;
      break;
    }
  }
  return best;
}

/** Yields strings that are a step simpler: a byte fewer, a byte zero, a bit fewer. */
function* simpler(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = bytes.length - 1; at >= 0; at--) yield Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1)]);
  for (let at = bytes.length - 1; at >= 0; at--) {
    for (let bit = 0x80; bit > 0; bit >>= 1) {
      if ((bytes[at]! & bit) !== 0) yield bytes.map((byte, index) => (index === at ? byte & ~bit : byte));
    }
  }
}

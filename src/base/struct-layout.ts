// Layouts of bytes that programs agree on: asserted where they are declared, so that a changed field fails as soon as it is loaded.
import { assert } from "./assert.js";

/** Fields are aligned to their size, but never to more. */
const alignmentMax_bytes = 8;

/**
 * Asserts that the fields fill `length_bytes` in the order of their declaration, without overlap and without padding, each one
 * aligned as a C compiler would.
 */
export function assertLayout<Field extends string>(
  name: string,
  offsets: Readonly<Record<Field, number>>,
  sizes_bytes: Readonly<Record<Field, number>>,
  length_bytes: number,
): void {
  let end = 0;
  for (const field of Object.keys(offsets) as Field[]) {
    const size = sizes_bytes[field];
    assert(offsets[field] === end, `${name}.${field} begins at byte ${end}, where the field before it ends`);
    const alignment = Math.min(size, alignmentMax_bytes);
    assert(end % alignment === 0, `${name}.${field} is aligned to ${alignment} bytes`);
    end += size;
  }
  assert(end === length_bytes, `${name} has ${length_bytes} bytes, the sum of its fields`);
}

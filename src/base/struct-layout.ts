// Layouts of bytes shared by programs: asserted beside their declarations, so that a changed field fails on loading.
import { assert } from "./assert.js";

/** Greatest alignment: fields are aligned to their size, but not to more than this. */
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

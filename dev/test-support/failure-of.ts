// For tests only: errors as values, so that a test can look at all of one.

/** Returns what `work` throws; undefined if it throws nothing. */
export function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

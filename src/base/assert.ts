// Assertions: they stay on in every build. A failed one is a bug of ours, never a user's mistake.

/** Throws when `condition` doesn't hold; `what` states what should have been true. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}

/** Closes a switch over a union: the compiler rejects a call that can be reached. */
export function assertUnreachable(value: never): never {
  throw new Error(`assertion failed: unexpected value ${JSON.stringify(value)}`);
}

// Assertions: they stay on in every build. A failed one is a bug in this program, never a user's mistake.

/** Throws if `condition` is false; `what` states the condition in words. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}

/** Closes a switch over a union: the compiler rejects a call that can be reached. */
export function assertUnreachable(value: never): never {
  throw new Error(`assertion failed: unexpected value ${JSON.stringify(value)}`);
}

// The project's error classes, with what a program needs to know in fields. The command line decides how they are printed and which
// exit code they mean, and adds advice about its options: cli/shared/shown-error.ts.

/**
 * An error that a user can act on.
 *
 * `message` says in one sentence what was tried and what happened; `advice`, if any, what the user can do.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  readonly advice: string | undefined;

  constructor(message: string, options: { advice?: string | undefined; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.advice = options.advice;
  }
}

/** The caller asked for something that can't be meant, on whatever machine. `given` is the part at fault. */
export class InvalidValueError extends UserError {
  override readonly name: string = "InvalidValueError";
  readonly given: string;

  constructor(given: string, message: string, options: { advice?: string | undefined; cause?: unknown } = {}) {
    super(message, options);
    this.given = given;
  }
}

/** The caller named something that there isn't. `known` are the names that there are. */
export class UnknownNameError extends InvalidValueError {
  override readonly name = "UnknownNameError";
  readonly known: readonly string[];

  constructor(
    given: string,
    known: readonly string[],
    message: string,
    options: { advice?: string | undefined; cause?: unknown } = {},
  ) {
    super(given, message, options);
    this.known = known;
  }
}

/** The caller gave too little to choose one of several things. `candidates` are their names. */
export class AmbiguousNameError extends InvalidValueError {
  override readonly name: string = "AmbiguousNameError";
  readonly candidates: readonly string[];

  constructor(given: string, candidates: readonly string[], message: string, options: { advice?: string } = {}) {
    super(given, message, options);
    this.candidates = candidates;
  }
}

/** A file's content violates its format. `offset` is in bytes from the file's start, `line` counts from 1. */
export class FormatError extends UserError {
  override readonly name = "FormatError";
  readonly file: string;
  /** The message without its place. */
  readonly what: string;
  readonly offset: number | undefined;
  readonly line: number | undefined;

  constructor(file: string, what: string, where: { offset?: number; line?: number; advice?: string } = {}) {
    const place =
      where.line !== undefined ? `:${where.line}` : where.offset !== undefined ? `: at byte ${where.offset}` : "";
    super(`${file}${place}: ${what}`, where.advice === undefined ? {} : { advice: where.advice });
    this.file = file;
    this.what = what;
    this.offset = where.offset;
    this.line = where.line;
  }
}

/** Returns true if `error` is the system's error `code` (`EBUSY`, …). */
export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** Returns the message of anything thrown, for use in a sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

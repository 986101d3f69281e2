// The project's error classes and exit codes. cli/ decides how a command prints them.

/** Exit codes of our processes; documented in README.md. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Recorded, but incomplete: records were lost or instructions escaped emulation. */
  incomplete: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * An error that a user can act on.
 *
 * `message` says in one sentence what was tried and what happened; `advice`, if any, what the user can do.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  readonly advice: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, options: { advice?: string; exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.advice = options.advice;
    this.exitCode = options.exitCode ?? ExitCode.failed;
  }
}

/** The command line asked for something that can't be: exit code 2. */
export class UsageError extends UserError {
  override readonly name = "UsageError";

  constructor(message: string, options: { advice?: string; cause?: unknown } = {}) {
    super(message, { ...options, exitCode: ExitCode.usage });
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

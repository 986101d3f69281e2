// The exit codes of our programs, and the error that means a wrong command line.
import { UserError } from "../../base/errors.js";

/** Documented in README.md. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Recorded, but incomplete: records were lost or instructions escaped emulation. */
  incomplete: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line asks for something that can't be. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
}

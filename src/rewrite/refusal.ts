// The error of a module that can't be rewritten: where, and why.
import { UserError } from "../base/errors.js";

/** A module's code or tables hold something that the rewriter doesn't understand, so it isn't rewritten at all. */
export class RewriteRefusal extends UserError {
  override readonly name = "RewriteRefusal";
  readonly file: string;
  readonly section: string;
  /** In bytes from the section's start. */
  readonly offset: number;
  /** The sentence without file and place. */
  readonly reason: string;

  constructor(file: string, section: string, offset: number, reason: string) {
    super(`${file}: section ${section}, offset 0x${offset.toString(16)}: ${reason}`);
    this.file = file;
    this.section = section;
    this.offset = offset;
    this.reason = reason;
  }
}

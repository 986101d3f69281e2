// The error for a recording whose end isn't in QEMU's log.
import { UserError } from "../../base/errors.js";

/** The log has the beginning of the recording's fence, but not its end. */
export class UnfinishedFenceError extends UserError {
  override readonly name = "UnfinishedFenceError";
  readonly log: string;
  readonly fence: string;

  constructor(log: string, fence: string) {
    super(`${log} has the beginning of fence ${fence}, but not its end: the recorder or QEMU was killed`);
    this.log = log;
    this.fence = fence;
  }
}

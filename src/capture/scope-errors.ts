// The errors of saying which devices are to be recorded.
import { UserError } from "../base/errors.js";

/** Nothing, or everything and something else, was asked to be recorded. */
export class ScopeError extends UserError {
  override readonly name = "ScopeError";
  readonly fault: "nothing" | "all and more";

  constructor(fault: ScopeError["fault"]) {
    super(
      fault === "nothing"
        ? "nothing to record: no device, driver or range is named"
        : "all devices are recorded: nothing else can be named with them",
    );
    this.fault = fault;
  }
}

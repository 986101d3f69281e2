// The errors of a recording's scope.
import { UserError } from "../base/errors.js";

/** The request was for nothing, or for everything and something else. */
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

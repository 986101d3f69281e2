// The errors of choosing in a register database.
import { AmbiguousNameError } from "../base/errors.js";

/** A variant was named without its enum, and several enums have it: `candidates`. */
export class AmbiguousVariantError extends AmbiguousNameError {
  override readonly name = "AmbiguousVariantError";

  constructor(variant: string, enums: readonly string[]) {
    super(variant, enums, `${variant} is a variant of each of ${enums.join(", ")}`, {
      advice: `say which: ${enums[0]}=${variant}`,
    });
  }
}

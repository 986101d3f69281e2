// The words about lost records and escaped instructions, the same for all commands.
import { countText } from "../../base/units.js";

export interface Losses {
  lost: number;
  /** Places where records were lost, and the log doesn't say how many. */
  lostUncounted?: number;
  escaped: number;
}

/** Returns `5 and more lost, 3 escaped`. */
export function lossesText({ lost, lostUncounted = 0, escaped }: Losses): string {
  return `${countText(lost)}${lostUncounted > 0 ? " and more" : ""} lost, ${countText(escaped)} escaped`;
}

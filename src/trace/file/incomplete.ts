// Describes in sentences why a trace is incomplete.
import { countOf } from "../../base/units.js";
import type { Damage } from "./block-finder.js";
import type { TraceReader } from "./reader.js";

function cutSentence({ offset, what }: Damage): string {
  return `the trace is cut at byte ${offset}: ${what}`;
}

/** Returns the reasons why the trace is incomplete; empty if it is complete. */
export function incompleteOf({ damage, summary }: TraceReader): string[] {
  const missing = summary === null ? [] : [...summary.incomplete];
  if (damage !== null) missing.unshift(cutSentence(damage));
  if (summary !== null && summary.incomplete.length === 0 && (summary.lost > 0 || summary.escaped > 0)) {
    missing.push(
      `${countOf(summary.lost, "record was", "records were")} lost and ${countOf(summary.escaped, "instruction")} escaped emulation`,
    );
  }
  return missing;
}

// Describes in sentences why a trace is incomplete.
import { countOf } from "../../base/units.js";
import type { Damage, Hole } from "./block-finder.js";
import type { TraceReader } from "./reader.js";

function cutSentence({ offset, what }: Damage): string {
  return `the trace is cut at byte ${offset}: ${what}`;
}

/** Says what is missing where a trace is damaged. */
export function holeSentence({ offset, what, records }: Hole): string {
  const lost = records === 0 ? "" : `: ${countOf(records, "record")} can't be read`;
  return `the trace is damaged at byte ${offset}, ${what}${lost}`;
}

/** Returns the reasons why the trace is incomplete; empty if it is complete. */
export function incompleteOf({ damage, holes, summary, source }: TraceReader): string[] {
  const missing = summary === null ? [] : [...summary.incomplete];
  missing.unshift(...(source.incomplete ?? []));
  missing.unshift(...holes.map(holeSentence));
  if (damage !== null) missing.unshift(cutSentence(damage));
  if (summary !== null && summary.incomplete.length === 0 && (summary.lost > 0 || summary.escaped > 0)) {
    missing.push(
      `${countOf(summary.lost, "record was", "records were")} lost and ${countOf(summary.escaped, "instruction")} escaped emulation`,
    );
  }
  if (summary !== null && missing.length === 0 && summary.unrecorded > 0) {
    missing.push(`${summary.unrecorded} mappings got no decoy: accesses through them are not in the trace`);
  }
  return missing;
}

/** Returns the remarks that the trace keeps: those of its import, and those of a part about its bounds. */
export function notesOf({ summary }: TraceReader): string[] {
  return [...(summary?.notes ?? []), ...(summary?.part ?? [])];
}

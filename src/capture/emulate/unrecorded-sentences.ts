// Says which mappings got no decoy, because they were made in ways that give none, and which of these ways the core can't watch.
import { type AddressRange, formatRange, joinRanges } from "../../base/address-range.js";
import { countOf, countText } from "../../base/units.js";
import { unrecordedText } from "../../trace/unrecorded.js";
import type { CoreStatus, UnrecordedGroup } from "./control-device.js";

/** Most callers that are told one by one. */
const toldMax = 20;
const rangesShownMax = 4;
const noSuchFunction = -2;

type Counted = Pick<CoreStatus, "unrecorded" | "unrecordedGroups" | "unwatched">;

/** Mappings by one caller in one way for one process, with all their addresses. */
interface Caller {
  group: UnrecordedGroup;
  ranges: AddressRange[];
  calls: number;
}

function callersOf(groups: readonly UnrecordedGroup[]): Caller[] {
  const callers = new Map<string, Caller>();
  for (const group of groups) {
    const key = `${group.way} ${group.pid} ${group.caller}`;
    const caller = callers.get(key);
    if (caller === undefined) callers.set(key, { group, ranges: [group], calls: group.calls });
    else {
      caller.ranges.push(group);
      caller.calls += group.calls;
    }
  }
  return [...callers.values()].sort((a, b) => b.calls - a.calls);
}

/** Formats the first of a caller's ranges, and the number of the others. */
function rangesText(ranges: readonly AddressRange[]): string {
  const joined = joinRanges(ranges);
  const shown = joined.slice(0, rangesShownMax).map(formatRange).join(", ");
  return joined.length <= rangesShownMax ? shown : `${shown} and ${joined.length - rangesShownMax} more ranges`;
}

/** Returns the reasons why the trace is incomplete. */
export function unrecordedSentences({ unrecorded, unrecordedGroups, unwatched }: Counted): string[] {
  const told = callersOf(unrecordedGroups).slice(0, toldMax);
  const sentences = told.map(({ group: { way, pid, caller }, ranges, calls }) => {
    const mappings = { way, pid, caller, where: rangesText(ranges), calls: countText(calls), once: calls === 1 };
    return `${unrecordedText(mappings)}: that gives no decoy, and accesses through it are not in the trace`;
  });
  const rest = unrecorded - told.reduce((sum, { calls }) => sum + calls, 0);
  if (rest > 0) {
    const more = { where: "", way: "several", once: rest === 1, pid: 0, caller: "" } as const;
    sentences.push(
      `${unrecordedText({ ...more, calls: countText(rest) })}: accesses through them are not in the trace`,
    );
  }
  for (const { name, error, missed } of unwatched) {
    if (missed > 0) {
      sentences.push(
        `${countOf(missed, "call")} of ${name}() went past the core: what ${missed === 1 ? "it" : "they"} mapped is unknown`,
      );
    }
    if (error !== 0 && error !== noSuchFunction) {
      sentences.push(`calls of ${name}() can't be watched (error ${error}): they may map the device without a decoy`);
    }
  }
  return sentences;
}

/** Returns remarks about ways to map a device that this kernel doesn't have, so that nobody waits for their events. */
export function unwatchedRemarks({ unwatched }: Pick<CoreStatus, "unwatched">): string[] {
  const gone = unwatched.filter(({ error }) => error === noSuchFunction);
  return [...new Set(gone.map(({ way }) => way))].map((way) => {
    const names = gone.filter((one) => one.way === way).map(({ name }) => `${name}()`);
    return `this kernel has no ${names.join(", ")}: mappings made in such a way aren't watched for`;
  });
}

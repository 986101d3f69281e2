// Finds the lab's fence in a truth log, which marks the accesses made while the recorder recorded.
//
// When recording begins, the core writes 4d 4d 53 01 and the recording's own four bytes to port 0x80; when it ends, 4d 4d 53 02
// and the same four. The kernel itself writes to that port for delays, so there may be foreign bytes in between.
import { UserError } from "../../base/errors.js";
import { fenceBytes } from "../../base/fence-bytes.js";
import type { PostWrite } from "./truth-log.js";
import { UnfinishedFenceError } from "./unfinished-fence.js";

/** Limit of foreign bytes between a fence's bytes, in all. */
const foreignMax = 64;

export interface Window {
  /** First access of the recording. */
  from: number;
  /** One past its last. */
  to: number;
  /** Line of the log where the recording begins; 0 without a fence. */
  fromLine: number;
  /** Line where it ends; infinite without the fence's end. */
  toLine: number;
}

/** Finds `bytes` in `writes` from place `from` on, with foreign bytes in between. Returns the places of the first and last. */
function find(writes: readonly PostWrite[], bytes: readonly number[], from: number) {
  for (let start = from; start < writes.length; start += 1) {
    if (writes[start]!.byte !== bytes[0]) continue;
    let matched = 1;
    const limit = Math.min(writes.length, start + bytes.length + foreignMax);
    for (let at = start + 1; at < limit; at += 1) {
      if (writes[at]!.byte === bytes[matched]) matched += 1;
      if (matched < bytes.length) continue;
      return { first: latestStart(writes, bytes, start, at), last: at };
    }
  }
  return undefined;
}

/** Finds the last place from which `bytes` still end at `last`: a foreign byte equal to the first may have come before it. */
function latestStart(writes: readonly PostWrite[], bytes: readonly number[], earliest: number, last: number): number {
  let left = bytes.length - 1;
  for (let at = last; at >= earliest; at -= 1) {
    if (writes[at]!.byte !== bytes[left]) continue;
    if (left === 0) return at;
    left -= 1;
  }
  return earliest;
}

/**
 * Finds the part of the log's accesses that the recording with fence `id` (eight hexadecimal digits) covers. `count`: the
 * number of accesses in the log, if the fence may lack its end because the recorder was killed.
 * Throws UserError if the fence isn't complete in the log.
 */
export function fenceWindow(writes: readonly PostWrite[], id: string, log: string, count?: number): Window {
  const begin = find(writes, fenceBytes(1, id), 0);
  if (begin === undefined) {
    throw new UserError(`${log} has no fence ${id} in it: it isn't the log of this recording`, {
      advice: "give the log that QEMU wrote while this trace was recorded",
    });
  }
  const end = find(writes, fenceBytes(2, id), begin.last + 1);
  const { at: from, line: fromLine } = writes[begin.last]!;
  if (end === undefined && count !== undefined) return { from, to: count, fromLine, toLine: Infinity };
  if (end === undefined) {
    throw new UnfinishedFenceError(log, id);
  }
  const { at: to, line: toLine } = writes[end.first]!;
  return { from, to, fromLine, toLine };
}

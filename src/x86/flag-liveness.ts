// The status flags that may still be read behind each instruction: dataflow over all code of a module at once, because functions jump
// between its sections. Where a way leads isn't known, all flags count as read.
import { FlowControl, RflagsBits } from "iced-x86";
import type { Sweep } from "./sweep.js";

/** The flags that arithmetic writes. */
const statusFlags = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF;

/** The code of a module as one row of instructions: those of its sections, one section after the other. */
export interface FlowGraph {
  sweep: Sweep;
  /** The row's number of the section's first instruction. */
  first: number;
  /** Each instruction: the row's number that it branches to; -1 where it leaves the module, or isn't known. */
  targets: Int32Array;
  /** Each instruction: 1 if its effect on flags and its ways can't be told from its bytes. */
  isOpaque: Uint8Array;
  /** Each instruction: 1 for a call that changes no register: that of a tracer at a function's begin. */
  keepsRegisters: Uint8Array;
}

/**
 * Returns the flags that may be read after control reaches each instruction, before it writes them; a column for each section.
 * Calls and returns hand over no flags: compilers' code does not, and the kernel's inline assembly says that it spoils them.
 */
export function liveFlags(parts: readonly FlowGraph[]): Uint8Array[] {
  const count = parts.reduce((sum, { sweep }) => sum + sweep.count, 0);
  const live = new Uint8Array(count);
  let isChanged = true;
  while (isChanged) {
    isChanged = false;
    for (const part of parts) {
      for (let number = part.sweep.count - 1; number >= 0; number -= 1) {
        const place = part.first + number;
        const found = liveAt(part, number, live);
        if (found === live[place]) continue;
        live[place] = found;
        isChanged = true;
      }
    }
  }
  return parts.map(({ first, sweep }) => live.subarray(first, first + sweep.count));
}

function liveAt({ sweep, first, targets, isOpaque }: FlowGraph, number: number, live: Uint8Array): number {
  if (isOpaque[number] === 1) return statusFlags;
  const read = sweep.flagsRead[number]! & statusFlags;
  const kept = ~sweep.flagsModified[number]!;
  // a section's last instruction leads nowhere; what follows it in the row is another section's
  const next = number + 1 < sweep.count ? live[first + number + 1]! : statusFlags;
  const target = targets[number]! >= 0 ? live[targets[number]!]! : 0;
  switch (sweep.flows[number]) {
    case FlowControl.Next:
    // ud2 and its like: a warning goes on behind it
    case FlowControl.Exception:
      return read | (next & kept);
    case FlowControl.ConditionalBranch:
      return read | next | (targets[number]! >= 0 ? target : statusFlags);
    case FlowControl.UnconditionalBranch:
      return read | target;
    case FlowControl.Call:
    case FlowControl.IndirectCall:
    case FlowControl.Return:
      return read;
    default:
      return statusFlags;
  }
}

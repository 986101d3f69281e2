// A record's flags in words: an access's special properties, and the CPU's context.
import { RecordFlag } from "./record.js";

/** Names of an access's properties; docs/trace-format.md has their meanings. */
export const flagNames = ["locked", "string", "user", "unordered", "gone", "stepped", "verbatim", "thread"] as const;
/** A flag that says how an access was made. */
export type FlagName = (typeof flagNames)[number];

/** `task`: none of the others. */
export type Context = "task" | "softirq" | "hardirq" | "nmi";

/** Returns the names of the flags that are set, without the context's. */
export function flagNamesOf(flags: number): FlagName[] {
  return flagNames.filter((name) => (flags & RecordFlag[name]) !== 0);
}

/** Returns the CPU's context. */
export function contextOf(flags: number): Context {
  if (flags & RecordFlag.nmi) return "nmi";
  if (flags & RecordFlag.hardirq) return "hardirq";
  return flags & RecordFlag.softirq ? "softirq" : "task";
}

/** Returns the flags of these names: the counterpart of the other two. */
export function flagsOf(context: Context, names: readonly FlagName[]): number {
  let flags = context === "task" ? 0 : RecordFlag[context];
  for (const name of names) flags |= RecordFlag[name];
  return flags;
}

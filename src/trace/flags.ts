// A record's flags in words: what is special about an access, and where the CPU was.
import { RecordFlag } from "./record.js";

/** Flags that say how an access was made; docs/trace-format.md has their meanings. */
export const flagNames = ["locked", "string", "user", "unordered", "gone", "stepped", "verbatim"] as const;
export type FlagName = (typeof flagNames)[number];

/** `task`: none of the others. */
export type Context = "task" | "softirq" | "hardirq" | "nmi";

/** The names of the flags that are set, without the context's. */
export function flagNamesOf(flags: number): FlagName[] {
  return flagNames.filter((name) => (flags & RecordFlag[name]) !== 0);
}

/** The context that the CPU was in. */
export function contextOf(flags: number): Context {
  if (flags & RecordFlag.nmi) return "nmi";
  if (flags & RecordFlag.hardirq) return "hardirq";
  return flags & RecordFlag.softirq ? "softirq" : "task";
}

/** The flags that these names stand for: the counterpart of the other two. */
export function flagsOf(context: Context, names: readonly FlagName[]): number {
  let flags = context === "task" ? 0 : RecordFlag[context];
  for (const name of names) flags |= RecordFlag[name];
  return flags;
}

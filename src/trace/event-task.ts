// The CPU, the process and the context of an event, as far as its trace tells them: many logs have a line for an event without them.
import type { TraceEvent } from "./events.js";
import { type Context, contextOf } from "./flags.js";
import { isLacking, type TraceHeader } from "./header.js";

/** The CPU in the record of an event that is none of a single CPU's, or whose CPU isn't known. An access may have it as its number. */
export const noCpu = 0xffff;

export class EventTasks {
  private readonly isImport: boolean;
  private readonly hasCpus: boolean;
  private readonly hasPids: boolean;
  private readonly hasContexts: boolean;

  constructor(header: TraceHeader) {
    this.isImport = header.engine === "import";
    this.hasCpus = !isLacking(header, "cpu");
    this.hasPids = !isLacking(header, "pid");
    this.hasContexts = !isLacking(header, "context");
  }

  /** Returns null, as the next two, where it isn't known. A recorder's losses are of all CPUs; a log may tell them CPU by CPU. */
  cpuOf({ kind, cpu }: TraceEvent): number | null {
    if (!this.hasCpus) return null;
    if (kind === "read" || kind === "write") return cpu;
    return cpu === noCpu || (kind === "lost" && !this.isImport) ? null : cpu;
  }

  /** Losses are of many processes. */
  pidOf(event: TraceEvent): number | null {
    return this.hasPids && event.kind !== "lost" ? event.pid : null;
  }

  contextOf(event: TraceEvent): Context | null {
    return this.hasContexts && event.kind !== "lost" ? contextOf(event.flags) : null;
  }
}

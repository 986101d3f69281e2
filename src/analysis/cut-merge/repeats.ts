// Finds events that are in several of the traces that are merged: one was given twice, or parts overlap.
import { codeOf, type TraceEvent } from "../../trace/events.js";

/** Events of one time that are compared with each other: a string instruction's have one time. */
const comparedMax = 1024;

interface Seen {
  event: TraceEvent;
  /** The trace that it comes from. */
  source: object;
}

export class Repeats {
  /** Number of events that another trace had before, at the same time. */
  count = 0;
  private tsc = 0n;
  private seen: Seen[] = [];

  /** Takes the next event of the new trace. */
  take(event: TraceEvent, source: object): void {
    if (event.tsc === 0n) return;
    if (event.tsc !== this.tsc) {
      this.tsc = event.tsc;
      this.seen = [];
    }
    const at = this.seen.findIndex((other) => other.source !== source && isRepeat(other.event, event));
    if (at >= 0) {
      this.count += 1;
      this.seen.splice(at, 1);
    } else if (this.seen.length < comparedMax) this.seen.push({ event, source });
  }
}

function isRepeat(a: TraceEvent, b: TraceEvent): boolean {
  if (a.kind !== b.kind || a.cpu !== b.cpu || a.pid !== b.pid || a.flags !== b.flags) return false;
  if ((a.kind === "read" || a.kind === "write") && (b.kind === "read" || b.kind === "write")) {
    return a.address === b.address && a.value === b.value && a.width_bytes === b.width_bytes && codeOf(a) === codeOf(b);
  }
  if (a.kind === "map" && b.kind === "map") return a.address === b.address && a.length_bytes === b.length_bytes;
  if (a.kind === "unmap" && b.kind === "unmap") return a.mapping === b.mapping;
  if (a.kind === "module" && b.kind === "module") return a.name === b.name && a.gone === b.gone;
  if (a.kind === "escape" && b.kind === "escape") return a.address === b.address && a.site === b.site;
  if (a.kind === "unrecorded" && b.kind === "unrecorded") return a.address === b.address && a.calls === b.calls;
  if (a.kind === "interrupt" && b.kind === "interrupt") return a.irq === b.irq && a.phase === b.phase;
  if (a.kind === "dma-map" && b.kind === "dma-map") return a.bus === b.bus && a.device === b.device;
  if (a.kind === "dma-unmap" && b.kind === "dma-unmap") return a.bus === b.bus && a.device === b.device;
  return a.kind === "mark" && b.kind === "mark" && a.text === b.text;
}

// Finds events that are in several of the traces that are merged: one was given twice, or parts overlap.
import { assertUnreachable } from "../../base/assert.js";
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
  const facts = factsOf(b);
  return factsOf(a)?.every((fact, at) => fact === facts![at]) ?? false;
}

/** Returns the facts by which an event is known again; undefined for kinds that aren't. */
function factsOf(event: TraceEvent): (bigint | number | string | boolean)[] | undefined {
  switch (event.kind) {
    case "read":
    case "write":
      return [event.address, event.value, event.width_bytes, codeOf(event)];
    case "map":
      return [event.address, event.length_bytes];
    case "unmap":
      return [event.mapping];
    case "module":
      return [event.name, event.gone];
    case "escape":
      return [event.address, event.site];
    case "unrecorded":
      return [event.address, event.calls];
    case "interrupt":
      return [event.irq, event.phase];
    case "dma-map":
    case "dma-unmap":
      return [event.bus, event.device];
    case "mark":
      return [event.text];
    case "lost":
    case "symbol":
    case "unknown":
      return undefined;
    default:
      return assertUnreachable(event);
  }
}

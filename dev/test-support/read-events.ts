// For tests: a reader's events without their place in the reader's tables.
import { assert } from "../../src/base/assert.js";
import type { TraceEvent } from "../../src/trace/events.js";
import type { TraceReader } from "../../src/trace/file/reader.js";

/**
 * Reads the events from block `fromBlock` on, with -1 for the accesses' targets. Throws if two accesses have one target
 * and differ in more than time, task and value.
 */
export async function eventsOf(reader: TraceReader, fromBlock = 0): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  const targets = new Map<number, string>();
  for await (const batch of reader.batches(fromBlock)) {
    for (const event of batch.events) {
      events.push(event);
      if (event.kind !== "read" && event.kind !== "write") continue;
      const { kind, address, width_bytes, site, mapping, target } = event;
      const same = [kind, address, width_bytes, site, mapping].join(" ");
      assert(target === -1 || (targets.get(target) ?? same) === same, `accesses of one target are alike: ${same}`);
      targets.set(target, same);
      event.target = -1;
    }
  }
  return events;
}

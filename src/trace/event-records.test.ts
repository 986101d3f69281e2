// tier: quick
// Events turned back into records are the same events again.
import { expect, test } from "vitest";
import { madeUpRecords } from "../../dev/test-support/made-up-records.js";
import { EventRecords } from "./event-records.js";
import type { TraceEvent } from "./events.js";
import { eventsOfOtherRecords } from "./file/block-events.js";

function eventsOf(records: Uint8Array): TraceEvent[] {
  const events = [...eventsOfOtherRecords(records)];
  // A record of an unknown kind is kept unchanged, except for its number.
  for (const event of events) if (event.kind === "unknown") event.record = event.record.slice().fill(0, 0, 4);
  return events;
}

test.each([1, 2, 3])("made-up records of all kinds, seed %d", (seed) => {
  const events = eventsOf(madeUpRecords(20_000, seed));
  expect(new Set(events.map(({ kind }) => kind)).size).toBe(14);
  const made = new EventRecords();
  const pieces: Uint8Array[] = [];
  events.forEach((event, index) => {
    made.add(event);
    if (index % 777 === 0) pieces.push(made.take().slice());
  });
  pieces.push(made.take().slice());
  const again = new Uint8Array(Buffer.concat(pieces));
  const view = new DataView(again.buffer);
  for (let at = 0; at < again.length; at += 64) expect(view.getUint32(at, true)).toBe(at / 64 + 1);
  expect(eventsOf(again)).toEqual(events);
});

// tier: quick
// The columns of a block that can't be read: one event, which tells how many records are gone, and nothing else.
import { expect, test } from "vitest";
import { eventsOfBlock } from "./block-events.js";
import { lostColumns } from "./lost-columns.js";

const header = {
  ...{ type: 1, payload_bytes: 10, payloadCrc: 0, firstRecord: 100, firstEvent: 90, records: 7, events: 5 },
  ...{ tscMin: 1234n, tscMax: 2345n },
};

test("a block that can't be read is one event that tells its records", () => {
  const events = [...eventsOfBlock(lostColumns(header), header)];
  expect(events).toMatchObject([{ kind: "lost", number: 90, tsc: 1234n, count: 7n }]);
});

test("it has no rows, tasks, words, addresses and shapes", () => {
  const columns = lostColumns(header);
  const { rows, tscFirst, tasks, words, addresses, shapes, others } = columns;
  expect([rows, tscFirst, tasks.count, words, addresses, shapes.count, others]).toEqual([0, 0n, 0, 0, 0, 0, 1]);
  const { ticks, word, task, wordAddress, wordLow, wordHigh, address, addressShape, state, before } = columns;
  const empty = [ticks, word, task, wordAddress, wordLow, wordHigh, address, addressShape, state, before];
  expect(empty.map(({ length }) => length)).toEqual(empty.map(() => 0));
  expect(columns.wordUpper.size).toBe(0);
});

// tier: quick
import { expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { TraceHeader } from "../../trace/header.js";
import { mmiotraceProducer } from "../../trace/mmiotrace-head.js";
import { noteOfWhole } from "./copied-notes.js";
import { identityOf, mappingNumbers, noMapping, numberingsOf } from "./mapping-numbers.js";

const readerOf = (changes: Partial<TraceHeader>) => ({ header: madeUpHeader(changes) }) as TraceReader;

test("parts of one recording number their mappings alike, others don't", () => {
  const { clock } = madeUpHeader();
  const other = { ...clock, wall_ns: "0x18a0000000000001" } as const;
  const timeless = { ...clock, wall_ns: "0x0" } as const;
  const log = { engine: "import", producer: "QEMU", clock: timeless } as const;
  const numberings = (...headers: Partial<TraceHeader>[]) => numberingsOf(headers.map(readerOf));
  expect(numberings({}, {}, { clock: other }, {})).toEqual([0, 0, 1, 0]);
  expect(numberings({}, { engine: "singlestep" }, { producer: "another" })).toEqual([0, 1, 2]);
  // logs without a clock are each alone, but mmiotrace's: the kernel counts on from one to the next
  expect(numberings(log, log)).toEqual([0, 1]);
  const kernels = { ...log, producer: mmiotraceProducer };
  expect(numberings(kernels, {}, kernels)).toEqual([0, 1, 0]);
});

test("a wanted number is given where it is free, else the next after the highest", () => {
  const give = mappingNumbers();
  expect([give(0, 1, "a"), give(0, 7, "b"), give(1, 1, "c"), give(1, 7, "d"), give(1, 2, "e")]).toEqual([
    1, 7, 8, 9, 2,
  ]);
  expect(give(2, 2, "f")).toBe(10);
});

test("the same mapping keeps its number, also in another trace's numbering", () => {
  const give = mappingNumbers();
  expect([give(0, 1, "a"), give(0, 1, "a"), give(1, 5, "a"), give(1, 5, "b")]).toEqual([1, 1, 1, 5]);
});

test("a number that is used again for another mapping gets another one, and later events use the last", () => {
  const give = mappingNumbers();
  expect([give(0, 1, "a"), give(0, 1, undefined), give(0, 1, "b"), give(0, 1, undefined), give(0, 1, "b")]).toEqual([
    ...[1, 1, 2, 2, 2],
  ]);
});

test("a mapping that isn't shown being made is the one of its number that is shown later", () => {
  const give = mappingNumbers();
  expect([give(0, 3, undefined), give(1, 3, undefined), give(0, 3, "a"), give(1, 3, "b")]).toEqual([3, 4, 3, 4]);
  expect([give(0, 3, "c"), give(0, 3, undefined)]).toEqual([5, 5]);
  expect(give(0, noMapping, undefined)).toBe(4_294_967_295);
});

test("two mappings are the same by number, place, length and the driver's address", () => {
  const mapping = { address: 0x1000n, length_bytes: 16n, decoy: 5n };
  const all = [
    identityOf(mapping, 1),
    identityOf(mapping, 2),
    ...[{ address: 0x2000n }, { length_bytes: 17n }, { decoy: 6n }].map((change) =>
      identityOf({ ...mapping, ...change }, 1),
    ),
  ];
  expect(new Set(all).size).toBe(5);
  expect(identityOf({ ...mapping }, 1)).toBe(all[0]);
});

test("a note that counts something is told as the whole log's", () => {
  expect(noteOfWhole("e1000.txt", "2 accesses use mappings")).toBe("in e1000.txt, 2 accesses use mappings");
  expect(noteOfWhole("e1000.txt", "the log has no times")).toBe("the log has no times");
  expect(noteOfWhole("e1000.txt", "at 2 places")).toBe("at 2 places");
});

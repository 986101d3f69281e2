// tier: quick
// Events that several traces have: the facts by which two are the same.
import { describe, expect, test } from "vitest";
import type { AccessEvent, TraceEvent } from "../../trace/events.js";
import { RecordFlag } from "../../trace/record.js";
import { Repeats } from "./repeats.js";

const base = { number: 0, sequence: 1, tsc: 5n, cpu: 1, pid: 7, flags: 0 };
const access: AccessEvent = {
  ...{ ...base, kind: "read", address: 0xfebc0000n, width_bytes: 4, value: 1n, site: 3n, caller: 0n },
  ...{ mapping: 1, target: -1 },
};
const map: TraceEvent = {
  ...{ ...base, kind: "map", mapping: 1, address: 0x1000n, length_bytes: 0x10n, decoy: 1n, memoryType: "uncached" },
  site: 3n,
};
const dma = { ...base, device: "0000:00:04.0", bus: 0x1000n, length_bytes: 0x10n, site: 0n, caller: 0n } as const;
const way = { way: "coherent", direction: "both" } as const;

/** Counts the repeats among events, each from another trace than the one before. */
function repeatsAmong(...events: TraceEvent[]): number {
  const repeats = new Repeats();
  for (const event of events) repeats.take(event, {});
  return repeats.count;
}

/** For each kind: an event, changes by which it is another one, and changes that don't matter. */
const kinds: [string, TraceEvent, object[], object[]][] = [
  [
    "a read",
    access,
    [{ address: 1n }, { value: 2n }, { width_bytes: 2 }, { site: 4n }, { caller: 9n }, { kind: "write" }],
    [{ number: 3 }, { sequence: 9 }, { mapping: 2 }, { target: 4 }],
  ],
  ["a write", { ...access, kind: "write" }, [{ value: 2n }, { kind: "read" }], [{ mapping: 2 }]],
  ["a mapping", map, [{ address: 0x2000n }, { length_bytes: 0x20n }], [{ mapping: 2 }, { decoy: 2n }]],
  [
    "its end",
    { ...base, kind: "unmap", mapping: 1, address: 0n, length_bytes: 0n, decoy: 0n },
    [{ mapping: 2 }],
    [{ decoy: 1n }],
  ],
  [
    "a module",
    { ...base, kind: "module", name: "e1000", textAddress: 0n, text_bytes: 1, gone: false },
    [{ name: "e100" }, { gone: true }],
    [{ text_bytes: 2 }],
  ],
  [
    "an escape",
    { ...base, kind: "escape", address: 1n, site: 2n, caller: 0n, mapping: 1, instruction: Uint8Array.of(1) },
    [{ address: 2n }, { site: 3n }],
    [{ mapping: 2 }],
  ],
  [
    "an unrecorded mapping",
    { ...base, kind: "unrecorded", address: 1n, length_bytes: 2n, way: "fixmap", calls: 3n, site: 0n },
    [{ address: 2n }, { calls: 4n }],
    [{ site: 1n }],
  ],
  [
    "an interrupt",
    {
      ...{ ...base, kind: "interrupt", phase: "entry", device: "0000:00:04.0", irq: 11, vector: 0, site: 0n },
      ...{ handled: false, wakesThread: false },
    },
    [{ irq: 12 }, { phase: "exit" }],
    [{ vector: 3 }],
  ],
  [
    "DMA memory",
    { ...dma, ...way, kind: "dma-map", buffer: 1, physical: 0n },
    [{ bus: 0n }, { device: "0000:00:05.0" }],
    [{ buffer: 2 }],
  ],
  [
    "its end",
    { ...dma, ...way, kind: "dma-unmap", buffers: [1] },
    [{ bus: 0n }, { device: "0000:00:05.0" }],
    [{ buffers: [] }],
  ],
  ["a mark", { ...base, kind: "mark", text: "here" }, [{ text: "there" }], []],
];

describe.each(kinds)("%s", (_name, event, others, same) => {
  const repeated = (change: object) => repeatsAmong(event, { ...event, ...change } as TraceEvent) === 1;

  test("is the same by its own facts", () => {
    expect(repeated({})).toBe(true);
    expect(same.map((change) => [change, repeated(change)])).toEqual(same.map((change) => [change, true]));
  });

  test("is another one where any of them differs, or the task, the flags, the time", () => {
    const differing = [...others, { cpu: 2 }, { pid: 8 }, { flags: RecordFlag.locked }, { tsc: 6n }, { tsc: 0n }];
    expect(differing.map((change) => [change, repeated(change)])).toEqual(differing.map((change) => [change, false]));
  });
});

test.each(["lost", "symbol", "unknown"] as const)("events of the kind %s are never the same", (kind) => {
  const event = {
    ...base,
    kind,
    count: 1n,
    text: "",
    site: 0n,
    recordKind: 99,
    record: new Uint8Array(),
  } as TraceEvent;
  expect(repeatsAmong(event, event)).toBe(0);
});

test("one trace's own events don't repeat each other, and each is repeated once", () => {
  const repeats = new Repeats();
  const [one, other] = [{}, {}];
  repeats.take(access, one);
  repeats.take(access, one);
  expect(repeats.count).toBe(0);
  for (const count of [1, 2, 2]) {
    repeats.take(access, other);
    expect(repeats.count).toBe(count);
  }
});

test("without a time no event is the same", () => {
  expect(repeatsAmong({ ...access, tsc: 0n }, { ...access, tsc: 0n })).toBe(0);
});

test("of one time the first 1024 are compared", () => {
  for (const [before, count] of [
    [1023, 1],
    [1024, 0],
  ] as const) {
    const repeats = new Repeats();
    const [one, other] = [{}, {}];
    for (let n = 0; n < before; n += 1) repeats.take({ ...access, value: BigInt(n + 5) }, one);
    repeats.take(access, one);
    repeats.take(access, other);
    expect(repeats.count).toBe(count);
    // at the next time all is new
    repeats.take({ ...access, tsc: 6n }, one);
    repeats.take({ ...access, tsc: 6n }, other);
    expect(repeats.count).toBe(count + 1);
  }
});

// tier: quick
// The DMA buffers before the first event of a part, whose change the state has taken already.
import { expect, test } from "vitest";
import type { DmaMapEvent, DmaUnmapEvent, TraceEvent } from "../../trace/events.js";
import { TraceState } from "../../trace/state.js";
import { dmaBefore } from "./dma-before.js";

const base = { number: 0, sequence: 0, tsc: 0n, cpu: 0, pid: 0, flags: 0, site: 0n, caller: 0n } as const;
const memory = { device: "0000:00:04.0", length_bytes: 0x1000n, way: "coherent", direction: "both" } as const;
const map = (bus: bigint): DmaMapEvent => ({ ...base, ...memory, kind: "dma-map", bus, physical: bus, buffer: 0 });
const unmap = (bus: bigint, length_bytes = 0x1000n): DmaUnmapEvent => ({
  ...{ ...base, ...memory, kind: "dma-unmap", bus, length_bytes, buffers: [] },
});
const bufferOf = (number: number, bus: bigint) => ({ ...memory, number, bus });

/** Applies all events; returns the buffers before the last one. */
function before(...events: TraceEvent[]) {
  const state = new TraceState();
  for (const event of events) state.apply(event);
  return dmaBefore(state, events.at(-1)!);
}

test("a buffer's beginning: without it, and its number is the next one", () => {
  expect(before(map(0x1000n))).toEqual({ next: 1, buffers: [] });
  expect(before(map(0x1000n), map(0x2000n))).toEqual({ next: 2, buffers: [bufferOf(1, 0x1000n)] });
});

test("a buffer's end: with it again", () => {
  const { next, buffers } = before(map(0x1000n), map(0x2000n), unmap(0x1000n));
  expect(next).toBe(3);
  expect(buffers).toHaveLength(2);
  expect(buffers).toEqual(expect.arrayContaining([bufferOf(1, 0x1000n), bufferOf(2, 0x2000n)]));
});

test("the end of none, or of several, which aren't known: with those that are left", () => {
  expect(before(map(0x1000n), unmap(0x9000n))).toEqual({ next: 2, buffers: [bufferOf(1, 0x1000n)] });
  const all = before(map(0x1000n), map(0x2000n), map(0x8000n), unmap(0x1000n, 0x2000n));
  expect(all).toEqual({ next: 4, buffers: [bufferOf(3, 0x8000n)] });
});

test("any other event: as they are", () => {
  const mark: TraceEvent = { ...base, kind: "mark", text: "x" };
  expect(before(map(0x1000n), mark)).toEqual({ next: 2, buffers: [bufferOf(1, 0x1000n)] });
  expect(before(mark)).toEqual({ next: 1, buffers: [] });
});

// tier: quick
// The living DMA buffers: their numbers, their ends, and the values that are addresses in them.
import { describe, expect, test } from "vitest";
import { type DmaBuffer, DmaBuffers, dmaBuffersMax, dmaPlaceText } from "./dma.js";
import type { DmaDirection, DmaWay } from "./dma-kinds.js";
import type { DmaMapEvent, DmaUnmapEvent } from "./events.js";

const nic = "0000:00:04.0";
const base = { number: 0, sequence: 0, tsc: 0n, cpu: 0, pid: 0, flags: 0, site: 0n, caller: 0n } as const;

interface Memory {
  bus: bigint;
  length_bytes?: bigint;
  device?: string;
  way?: DmaWay;
  direction?: DmaDirection;
}

function map(
  buffers: DmaBuffers,
  { bus, length_bytes = 0x1000n, device = nic, way = "coherent", direction = "both" }: Memory,
): number {
  const memory = { device, bus, length_bytes, way, direction } as const;
  const event: DmaMapEvent = { ...base, kind: "dma-map", ...memory, physical: bus, buffer: 0 };
  buffers.map(event);
  return event.buffer;
}

function unmap(buffers: DmaBuffers, { bus, length_bytes = 0x1000n, device = nic, way = "coherent" }: Memory) {
  const memory = { device, bus, length_bytes, way, direction: "both" } as const;
  const event: DmaUnmapEvent = { ...base, kind: "dma-unmap", ...memory, buffers: [] };
  buffers.unmap(event);
  return event.buffers;
}

function textOf(buffers: DmaBuffers, value: bigint, width_bytes = 8, device = nic): string {
  const place = buffers.placeOf(device, value, width_bytes);
  return place === undefined ? "" : dmaPlaceText(place);
}

const numbersOf = (buffers: DmaBuffers) => [...buffers.values()].map(({ number }: DmaBuffer) => number);

describe("numbers and ends", () => {
  test("buffers are numbered from 1, over all functions, and numbers aren't used again", () => {
    const buffers = new DmaBuffers();
    expect([map(buffers, { bus: 0x1000n }), map(buffers, { bus: 0x1000n, device: "0000:00:05.0" })]).toEqual([1, 2]);
    expect(unmap(buffers, { bus: 0x1000n })).toEqual([1]);
    expect(map(buffers, { bus: 0x1000n })).toBe(3);
    expect(numbersOf(buffers)).toEqual([2, 3]);
  });

  test("an end without a beginning ends nothing", () => {
    const buffers = new DmaBuffers();
    expect(unmap(buffers, { bus: 0x1000n })).toEqual([]);
    map(buffers, { bus: 0x1000n });
    expect(unmap(buffers, { bus: 0x2000n })).toEqual([]);
    expect(unmap(buffers, { bus: 0x1000n, device: "0000:00:05.0" })).toEqual([]);
    expect(numbersOf(buffers)).toEqual([1]);
  });

  test("a new streaming buffer that the device writes to ends an older one at its address, whose end wasn't said", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1000n, way: "streaming", direction: "from-device" });
    map(buffers, { bus: 0x1000n, way: "streaming", direction: "from-device", length_bytes: 0x200n });
    expect(numbersOf(buffers)).toEqual([2]);
    // a page may be sent twice at once, and its coherent surroundings stay
    map(buffers, { bus: 0x2000n });
    for (let n = 0; n < 2; n += 1) map(buffers, { bus: 0x2000n, way: "streaming", direction: "to-device" });
    expect(numbersOf(buffers)).toEqual([2, 3, 4, 5]);
  });

  test("of the same memory, given twice, the one of the same way and length ends, the latest first", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1000n });
    map(buffers, { bus: 0x1000n, way: "streaming", direction: "to-device" });
    map(buffers, { bus: 0x1000n, way: "streaming", direction: "to-device" });
    expect(unmap(buffers, { bus: 0x1000n, way: "streaming" })).toEqual([3]);
    expect(unmap(buffers, { bus: 0x1000n })).toEqual([1]);
    expect(unmap(buffers, { bus: 0x1000n, length_bytes: 0x10n })).toEqual([2]);
  });

  test("one end may be that of several neighbours", () => {
    const buffers = new DmaBuffers();
    for (const bus of [0x1000n, 0x2000n, 0x4000n]) map(buffers, { bus, way: "streaming" });
    expect(unmap(buffers, { bus: 0x1000n, length_bytes: 0x2000n, way: "streaming" })).toEqual([1, 2]);
    expect(numbersOf(buffers)).toEqual([3]);
  });

  test("buffers across a multiple of 4 GiB end, too", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0xffff_f000n, way: "streaming" });
    map(buffers, { bus: 0x1_0000_0000n, way: "streaming" });
    expect(unmap(buffers, { bus: 0xffff_f000n, length_bytes: 0x2000n, way: "streaming" })).toHaveLength(2);
  });

  test("of a range across a multiple of 4 GiB, or with the same low halves, only what lies in it ends", () => {
    const buffers = new DmaBuffers();
    const all = [0xffff_f000n, 0x1_0000_0000n, 0x1_0000_1000n, 0x2_ffff_f000n, 0xffff_e000n];
    for (const bus of all) map(buffers, { bus, way: "streaming" });
    expect(unmap(buffers, { bus: 0xffff_f000n, length_bytes: 0x2000n, way: "streaming" }).toSorted()).toEqual([1, 2]);
    expect(numbersOf(buffers)).toEqual([3, 4, 5]);
    for (const bus of [0x1000n, 0x2000n, 0x1_0000_2000n, 0x3000n]) map(buffers, { bus, way: "list" });
    expect(unmap(buffers, { bus: 0x1000n, length_bytes: 0x2000n, way: "list" })).toEqual([6, 7]);
    expect(numbersOf(buffers)).toEqual([3, 4, 5, 8, 9]);
  });

  test("of the buffers in a range those of another way stay, and those that go beyond it", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1000n, way: "streaming" });
    map(buffers, { bus: 0x2000n, way: "list" });
    map(buffers, { bus: 0x3000n, way: "streaming", length_bytes: 0x1001n });
    map(buffers, { bus: 0x4000n, way: "streaming", length_bytes: 0n });
    expect(unmap(buffers, { bus: 0x1000n, length_bytes: 0x3000n, way: "streaming" })).toEqual([1, 4]);
    expect(numbersOf(buffers)).toEqual([2, 3]);
  });

  test("a shorter end ends the last begun buffer at its address alone", () => {
    const buffers = new DmaBuffers();
    for (let n = 0; n < 2; n += 1) map(buffers, { bus: 0x1000n, way: "streaming", direction: "to-device" });
    expect(unmap(buffers, { bus: 0x1000n, length_bytes: 0x800n, way: "streaming" })).toEqual([2]);
    expect(numbersOf(buffers)).toEqual([1]);
  });

  test("memory of another way at a new streaming buffer's address stays, as does coherent memory that is given twice", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1000n });
    map(buffers, { bus: 0x1000n, way: "streaming", direction: "from-device" });
    map(buffers, { bus: 0x1000n });
    expect(numbersOf(buffers)).toEqual([1, 2, 3]);
  });

  test("a state's buffers take the place of all others, and the next number is the state's", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1000n });
    const kept: DmaBuffer[] = [];
    for (const number of [7, 9]) {
      const bus = BigInt(number) << 12n;
      kept.push({ number, device: nic, bus, length_bytes: 0x1000n, way: "coherent", direction: "both" });
    }
    buffers.reset(12, kept);
    expect([buffers.size, numbersOf(buffers), textOf(buffers, 0x1000n)]).toEqual([2, [7, 9], ""]);
    expect([textOf(buffers, 0x9004n), map(buffers, { bus: 0x1000n })]).toEqual(["dma#9+0x4", 12]);
    // those that it has may be given to it again
    buffers.reset(5, buffers.values());
    expect(numbersOf(buffers)).toEqual([7, 9, 12]);
  });

  test("beyond their limit the oldest is forgotten", () => {
    const buffers = new DmaBuffers();
    for (let number = 0; number < dmaBuffersMax; number += 1) map(buffers, { bus: BigInt(number) << 12n });
    expect(textOf(buffers, 0n)).toBe("dma#1+0x0");
    map(buffers, { bus: 1n << 40n });
    expect([buffers.size, textOf(buffers, 0n), textOf(buffers, 1n << 40n)]).toEqual([
      dmaBuffersMax,
      "",
      `dma#${dmaBuffersMax + 1}+0x0`,
    ]);
  });
});

describe("values that are addresses", () => {
  test("a buffer has its first byte and its last, and no more; of its own function only", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x12340000n, length_bytes: 0x100n });
    expect([0x1233ffffn, 0x12340000n, 0x123400ffn, 0x12340100n].map((value) => textOf(buffers, value, 4))).toEqual([
      "",
      "dma#1+0x0",
      "dma#1+0xff",
      "",
    ]);
    expect(textOf(buffers, 0x12340000n, 4, "0000:00:05.0")).toBe("");
    expect([1, 2, 16].map((width) => textOf(buffers, 0x12340000n, width))).toEqual(["", "", ""]);
  });

  test("a longer buffer that begins further below is found behind a shorter one", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x10000n, length_bytes: 0x10000n });
    map(buffers, { bus: 0x11000n, length_bytes: 0x10n });
    expect([textOf(buffers, 0x11008n), textOf(buffers, 0x11010n)]).toEqual(["dma#2+0x8", "dma#1+0x1010"]);
  });

  test("behind more than fifteen shorter ones a buffer isn't looked for", () => {
    for (const [shorter, text] of [
      [15, "dma#1+0x8000"],
      [16, ""],
    ] as const) {
      const buffers = new DmaBuffers();
      map(buffers, { bus: 0x10000n, length_bytes: 0x10000n });
      for (let n = 0; n < shorter; n += 1) map(buffers, { bus: 0x11000n + BigInt(16 * n), length_bytes: 0x10n });
      expect(textOf(buffers, 0x18000n)).toBe(text);
    }
  });

  test("eight bytes are a whole address; four also the low half of one, if there is only one such", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1_2345_0000n });
    expect(textOf(buffers, 0x1_2345_0040n)).toBe("dma#1+0x40");
    expect(textOf(buffers, 0x2345_0040n)).toBe("");
    expect(textOf(buffers, 0x2345_0040n, 4)).toBe("dma#1+0x40");
    map(buffers, { bus: 0x3_2345_0000n });
    expect(textOf(buffers, 0x2345_0040n, 4)).toBe("");
    map(buffers, { bus: 0x2345_0000n });
    expect(textOf(buffers, 0x2345_0040n, 4)).toBe("dma#3+0x40");
  });

  test("small numbers are no halves of addresses", () => {
    const buffers = new DmaBuffers();
    map(buffers, { bus: 0x1_0000_0000n, length_bytes: 0x2_0000n });
    expect([0x40n, 0xffffn, 0x1_0000n].map((value) => textOf(buffers, value, 4))).toEqual(["", "", "dma#1+0x10000"]);
  });
});

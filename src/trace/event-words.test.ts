// tier: quick
import { expect, test } from "vitest";
import { dmaMapWords, dmaUnmapWords, handlerName, interruptWords, resultWords } from "./event-words.js";
import type { DmaMapEvent, DmaUnmapEvent, InterruptEvent } from "./events.js";
import { RecordFlag } from "./record.js";

const base = { number: 0, sequence: 1, tsc: 1n, cpu: 0, pid: 0, flags: 0, site: 0n };
const nic = "0000:00:04.0 e1000";

test.each([
  [true, true, "handled, its thread is woken"],
  [false, true, "its thread is woken"],
  [true, false, "handled"],
  [false, false, "not handled"],
])("handled %s, wakes its thread %s: %s", (handled, wakesThread, words) => {
  expect(resultWords({ handled, wakesThread })).toBe(words);
});

test.each([
  ["e1000_intr+0x0 [e1000]", "e1000_intr [e1000]"],
  ["e1000_intr+0x0", "e1000_intr"],
  ["e1000_intr+0x01 [e1000]", "e1000_intr+0x01 [e1000]"],
  ["e1000_intr+0x10 [e1000]", "e1000_intr+0x10 [e1000]"],
])("the handler %s is called %s", (symbol, name) => {
  expect(handlerName(symbol)).toBe(name);
});

test.each<[Partial<InterruptEvent>, string, string]>([
  [{}, "e1000_intr+0x0 [e1000]", `interrupt 24 (vector 35) of ${nic}: e1000_intr [e1000] begins`],
  [{ vector: 0 }, "", `interrupt 24 of ${nic}: a handler begins`],
  [{ flags: RecordFlag.thread }, "f", `interrupt 24 (vector 35) of ${nic}: f begins in its thread`],
  [{ phase: "exit" }, "f", `interrupt 24 (vector 35) of ${nic}: f returns: handled`],
  [
    { phase: "exit", flags: RecordFlag.thread },
    "f",
    `interrupt 24 (vector 35) of ${nic}: f returns in its thread: handled`,
  ],
])("an interrupt: %#", (changes, handler, words) => {
  const result = { handled: true, wakesThread: false };
  const event = {
    ...base,
    kind: "interrupt",
    phase: "entry",
    device: "0000:00:04.0",
    irq: 24,
    vector: 35,
    ...result,
  } as const;
  expect(interruptWords({ ...event, ...changes }, nic, handler)).toBe(words);
});

const memory = {
  ...{ ...base, device: "0000:00:04.0", bus: 0x1234_0000n, length_bytes: 0x1000n, caller: 0n },
  ...({ way: "coherent", direction: "both" } as const),
} as const;
const what = "0x1000 bytes at bus address 0x12340000";

test.each<[Partial<DmaMapEvent>, string, string]>([
  [{}, "f+0x1 [m]", `dma#3: ${what} for ${nic}, coherent, both ways, by f+0x1 [m]`],
  [{ physical: 0n }, "", `dma#3: ${what} for ${nic}, coherent, both ways`],
  [
    { physical: 0x5000n, way: "list", direction: "to-device" },
    "",
    `dma#3: ${what} (physical 0x5000) for ${nic}, list, to the device`,
  ],
  [{ direction: "from-device" }, "", `dma#3: ${what} for ${nic}, coherent, from the device`],
  [{ direction: "none" }, "", `dma#3: ${what} for ${nic}, coherent, no direction`],
])("memory given to a device: %#", (changes, by, words) => {
  const event = { ...memory, kind: "dma-map", physical: memory.bus, buffer: 3 } as const;
  expect(dmaMapWords({ ...event, ...changes }, nic, by)).toBe(words);
});

test.each<[number[], string, string]>([
  [[3], "f+0x1 [m]", `dma#3 ends: ${what} for ${nic}, by f+0x1 [m]`],
  [[3, 4], "", `dma#3, dma#4 end: ${what} for ${nic}`],
  [[], "", `the end of coherent DMA memory from before the recording: ${what} for ${nic}`],
])("the end of the buffers %j by '%s'", (buffers, by, words) => {
  const event: DmaUnmapEvent = { ...memory, kind: "dma-unmap", buffers };
  expect(dmaUnmapWords(event, nic, by)).toBe(words);
});

// The accesses in a trace to the test module's device, and their comparison with the module's expectations.
import { expect } from "vitest";
import { openTrace } from "../../../src/trace/node/file-source.js";

/** MMS_UNCHECKED of test/kernel/access-test.h: above it the number of accesses depends on time. */
const unchecked = 0x600000n;
const barBytes = 8n << 20n;
const ivshmemBar = 2;

export interface Recorded {
  direction: string;
  offset: bigint;
  /** The value's bytes in memory order. */
  bytes: string;
}

/** Reads the trace's accesses to the module's BAR, and its escapes, in order. */
export async function recordedAccesses(path: string): Promise<Recorded[]> {
  const reader = await openTrace(path);
  const recorded: Recorded[] = [];
  try {
    const device = reader.header.pciFunctions.find((found) => found.vendor === "0x1af4" && found.device === "0x1110");
    const start = BigInt(device!.bars.find(({ index }) => index === ivshmemBar)!.start);
    for await (const { events } of reader.batches()) {
      for (const event of events) {
        if (event.kind === "escape") recorded.push({ direction: "E", offset: 0n, bytes: "" });
        if (event.kind !== "read" && event.kind !== "write") continue;
        const offset = event.address - start;
        if (offset < 0n || offset >= barBytes || offset >= unchecked) continue;
        const digits = event.value.toString(16).padStart(2 * event.width_bytes, "0");
        recorded.push({
          direction: event.kind === "read" ? "R" : "W",
          offset,
          bytes: Buffer.from(digits, "hex").reverse().toString("hex"),
        });
      }
    }
  } finally {
    await reader.close();
  }
  return recorded;
}

/**
 * Compares with the lines of `expected`: `R 4 0x1000 78563412` is one access; RR and WW are accesses of any widths that rise,
 * leave no gap and may overlap; `E` is an escape.
 */
export function expectSameAccesses(recorded: readonly Recorded[], expected: readonly string[]): void {
  let at = 0;
  for (const [index, line] of expected.entries()) {
    const [how, , place, bytes] = line.split(" ");
    const where = `line ${index + 1}: ${line.slice(0, 200)}`;
    if (how === "E") {
      expect(recorded[at++]?.direction, where).toBe("E");
      continue;
    }
    const start = BigInt(place!);
    const digits = bytes!.length;
    let covered = 0;
    while (covered < digits) {
      const found = recorded[at++];
      const from = found === undefined ? -1 : Number(found.offset - start) * 2;
      const fits =
        found !== undefined &&
        found.direction === how![0] &&
        from >= 0 &&
        from <= covered &&
        found.bytes === bytes!.slice(from, from + found.bytes.length) &&
        (how!.length === 2 || found.bytes.length === digits);
      // only on failure: half a million comparisons by expect() would take minutes
      if (!fits) expect(found, where).toBeUndefined();
      covered = Math.max(covered, from + found!.bytes.length);
    }
  }
  expect(recorded.length).toBe(at);
}

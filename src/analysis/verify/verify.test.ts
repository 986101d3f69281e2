// tier: quick
// verify on a real truth log (QEMU's) of a run recorded by the kernel's mmiotrace, and on changed copies of both, each of
// them it must find different.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { fence, verifyRecords } from "../../../dev/test-support/made-up-truth.js";
import { importMmiotrace } from "../../trace/import/mmiotrace.js";
import type { VerifyResult } from "./verify-result.js";

const data = (name: string) =>
  gunzipSync(readFileSync(new URL(`../../../test/data/${name}`, import.meta.url))).toString();
const recorded = data("e1000-mmiotrace.txt.gz");
const truth = data("e1000-truth.log.gz");

/** Verifies the recorded run as if the recorder had fenced it. */
function verifyText(text: string, log: string): Promise<VerifyResult> {
  const imported = importMmiotrace(text);
  const header = { ...imported.header, fence: "01020304" };
  return verifyRecords(imported.records, header, `${fence(1)}${log}${fence(2)}`);
}

/** Returns `text` with its `number`th matching line changed. */
function changeLine(text: string, pattern: RegExp, number: number, change: (line: string) => string[]): string {
  let seen = -1;
  return text
    .split("\n")
    .flatMap((line) => {
      if (!pattern.test(line)) return [line];
      seen += 1;
      return seen === number ? change(line) : [line];
    })
    .join("\n");
}

/** Verifies as if the recorder was killed in the middle: the log has accesses after the trace's end, and no end of the fence. */
function verifyKilled(text: string, log: string): Promise<VerifyResult> {
  const imported = importMmiotrace(text);
  const header = { ...imported.header, fence: "01020304" };
  return verifyRecords(imported.records, header, `${fence(1)}${log}`, { cut: true });
}

describe("the e1000 run that the kernel's mmiotrace recorded", () => {
  test("is identical to QEMU's log of it", async () => {
    const result = await verifyText(recorded, truth);
    expect(result.reasons).toEqual([]);
    expect(result.identical).toBe(true);
    expect(result.regions).toMatchObject([
      { name: "e1000-mmio", device: "0000:00:03.0 BAR0", trace: 13_974, truth: 13_974, differences: 0 },
    ]);
  });

  test("is identical as far as it goes when the recorder was killed", async () => {
    const half = recorded.split("\n").slice(0, 7_000).join("\n");
    const result = await verifyKilled(`${half}\n`, truth);
    expect(result.reasons).toEqual([]);
    expect(result.compared).toBeGreaterThan(6_900);
    const hole = changeLine(`${half}\n`, /^R /, 1_000, () => []);
    expect(await verifyKilled(hole, truth)).toMatchObject({ identical: false, differences: [{ kind: "missing" }] });
    const doubled = changeLine(`${half}\n`, /^R /, 1_000, (line) => [line, line]);
    expect(await verifyKilled(doubled, truth)).toMatchObject({ identical: false, differences: [{ kind: "extra" }] });
  });

  const access = /^[RW] /;
  const logged = /e1000-mmio/;
  const cases: [what: string, change: () => [string, string], kinds: string[]][] = [
    [
      "a value is another",
      () => [
        changeLine(recorded, access, 5000, (line) => [line.replace(/(0x\w+ 0x)(\w+)( 0x\w+ 0)$/, "$17$2$3")]),
        truth,
      ],
      ["changed"],
    ],
    ["the trace lacks an access", () => [changeLine(recorded, access, 7000, () => []), truth], ["missing"]],
    ["the trace lacks its last access", () => [changeLine(recorded, access, 13_973, () => []), truth], ["missing"]],
    [
      "the trace has an access twice",
      () => [changeLine(recorded, access, 9, (line) => [line, line]), truth],
      ["extra"],
    ],
    ["the log lacks its first access", () => [recorded, changeLine(truth, logged, 0, () => [])], ["extra"]],
    [
      "a width is another",
      () => [changeLine(recorded, access, 100, (line) => [line.replace(/^(.) 4/, "$1 8")]), truth],
      // For this device eight bytes are two accesses, and the first one is right.
      ["extra"],
    ],
    [
      "a read was a write",
      () => [
        recorded,
        changeLine(truth, logged, 300, (line) => [line.replace("_read", "_write").replace("_write_write", "_read")]),
      ],
      ["changed"],
    ],
    [
      "an address is another",
      () => [changeLine(recorded, access, 12_000, (line) => [line.replace(/0xfebc(\w)/, "0xfebd$1")]), truth],
      ["changed"],
    ],
  ];
  for (const [what, change, kinds] of cases) {
    test(`is told apart when ${what}`, async () => {
      const [text, log] = change();
      expect(text === recorded && log === truth).toBe(false);
      const result = await verifyText(text, log);
      expect(result.identical).toBe(false);
      expect(result.differences.map(({ kind }) => kind)).toEqual(kinds);
    });
  }
});

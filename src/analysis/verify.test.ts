// verify against a real truth log (QEMU's) of a run that something else recorded (the kernel's mmiotrace), and against
// changed copies of both, each of which it must tell apart.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { FormatError, UserError } from "../base/errors.js";
import { openTrace } from "../trace/file-source.js";
import { importMmiotrace } from "../trace/formats/mmiotrace-import.js";
import type { TraceHeader } from "../trace/header.js";
import { madeUpHeader, madeUpSummary, RecordList } from "../trace/made-up-records.js";
import { RecordFlag, RecordKind, type RingRecord } from "../trace/record.js";
import { TraceWriter } from "../trace/writer.js";
import { type VerifyOptions, type VerifyResult, verify } from "./verify.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-verify-"));
afterAll(() => rmSync(directory, { recursive: true }));

const data = (name: string) => gunzipSync(readFileSync(new URL(`../../test/data/${name}`, import.meta.url))).toString();
const recorded = data("e1000-mmiotrace.txt.gz");
const truth = data("e1000-truth.log.gz");

async function verifyRecords(
  records: Uint8Array,
  header: TraceHeader,
  log: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const tracePath = join(directory, "trace");
  const logPath = join(directory, "log");
  const writer = await TraceWriter.create(tracePath, header);
  await writer.append(records);
  await writer.close(madeUpSummary);
  writeFileSync(logPath, log);
  const reader = await openTrace(tracePath);
  try {
    return await verify(reader, logPath, options);
  } finally {
    await reader.close();
  }
}

const post = (byte: number) =>
  `memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x${byte.toString(16)} size 1 name 'ioport80'\n`;
const fence = (kind: number) => [0x4d, 0x4d, 0x53, kind, 1, 2, 3, 4].map(post).join("");

/** The recorded run as if the recorder had fenced it. */
function verifyText(text: string, log: string): Promise<VerifyResult> {
  const imported = importMmiotrace(text);
  const header = { ...imported.header, fence: "01020304" };
  return verifyRecords(imported.records, header, `${fence(1)}${log}${fence(2)}`);
}

/** `text` with its `number`th line that matches changed. */
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

/** The recorder was killed in the middle: accesses only the log has come behind the trace's end, and no fence's end. */
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
    expect(result.regions).toEqual([
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
      // Eight bytes are two accesses of this device, the first of which is right.
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

const bar = 0xfebc0000n;

/** A recording of one mapping and what is put into it. */
class Recording {
  readonly list = new RecordList();
  readonly log: string[] = [];

  map(address = bar, mapping = 1, length = 0x1000n): this {
    this.list.add({ kind: RecordKind.map, address, value: [length, address], mapping });
    return this;
  }

  unmap(address = bar, mapping = 1): this {
    this.list.add({ kind: RecordKind.unmap, address, value: [0x1000n, address], mapping });
    return this;
  }

  traced(kind: "read" | "write", width: number, offset: number, value: bigint, more: Partial<RingRecord> = {}): this {
    const address = bar + BigInt(offset);
    const halves: [bigint, bigint] = [BigInt.asUintN(64, value), value >> 64n];
    this.list.add({ kind: RecordKind[kind], address, width, value: halves, mapping: 1, ...more });
    return this;
  }

  logged(kind: "read" | "write", width: number, offset: number, value: bigint, cpu = 0, name = "nic"): this {
    const address = (bar + BigInt(offset)).toString(16);
    this.log.push(
      `4242@1700000000.5:memory_region_ops_${kind} cpu ${cpu} mr 0x55aa addr 0x${address} value 0x${value.toString(16)} size ${width} name '${name}'`,
    );
    return this;
  }

  post(...bytes: number[]): this {
    for (const byte of bytes) {
      this.log.push(
        `memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x${byte.toString(16)} size 1 name 'ioport80'`,
      );
    }
    return this;
  }

  both(offset: number, value: bigint): this {
    return this.traced("write", 4, offset, value).logged("write", 4, offset, value);
  }

  verify(header: Partial<TraceHeader> = {}, options: VerifyOptions = {}): Promise<VerifyResult> {
    return verifyRecords(this.list.records, madeUpHeader(header), `${this.log.join("\n")}\n`, options);
  }
}

describe("the rules", () => {
  test("what QEMU splits is split: 8 and 16 bytes for a device of 4", async () => {
    const result = await new Recording()
      .map()
      .both(0, 1n)
      .traced("read", 8, 8, 0x1122334455667788n)
      .logged("read", 4, 8, 0x55667788n)
      .logged("read", 4, 12, 0x11223344n)
      .traced("write", 16, 16, 0x44444444_33333333_22222222_11111111n)
      .logged("write", 4, 16, 0x11111111n)
      .logged("write", 4, 20, 0x22222222n)
      .logged("write", 4, 24, 0x33333333n)
      .logged("write", 4, 28, 0x44444444n)
      .verify();
    expect(result).toMatchObject({ identical: true, compared: 7 });
    expect(result.split).toBeGreaterThan(0);
  });

  test("what QEMU widens is compared by its own bytes", async () => {
    const narrow = (value: bigint) =>
      new Recording().map().both(0, 1n).traced("read", 1, 8, value).logged("read", 4, 8, 0x11223344n).verify();
    expect(await narrow(0x44n)).toMatchObject({ identical: true, widened: 1 });
    expect(await narrow(0x45n)).toMatchObject({ identical: false });
  });

  test("a width between a region's narrowest and widest must be the same", async () => {
    const recording = new Recording().map().traced("read", 2, 8, 0x3344n).logged("read", 4, 8, 0x3344n);
    recording.traced("read", 1, 0, 1n).logged("read", 1, 0, 1n);
    expect(await recording.verify()).toMatchObject({ identical: false });
  });

  test("only what happens while a mapping lives counts", async () => {
    const result = await new Recording()
      .logged("write", 4, 0, 1n)
      .logged("write", 4, 0, 7n)
      .map()
      .both(0, 7n)
      .both(4, 2n)
      .unmap()
      .logged("read", 4, 0, 0n)
      .logged("read", 4, 4, 0n)
      .map(bar, 2)
      .both(0, 3n)
      .unmap(bar, 2)
      .logged("read", 4, 8, 0n)
      .verify();
    expect(result).toMatchObject({ identical: true, compared: 3, leftOut: { noMappingAlive: 5 } });
  });

  test("within a fence, what may have been missed at a mapping's ends counts unless asked otherwise", async () => {
    const recording = new Recording().post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).map();
    recording
      .logged("read", 4, 0, 1n)
      .both(0, 2n)
      .logged("read", 4, 0, 3n)
      .unmap()
      .post(0x4d, 0x4d, 0x53, 2, 1, 2, 3, 4);
    const result = await recording.verify({ fence: "01020304" });
    expect(result.differences.map(({ kind }) => kind)).toEqual(["missing", "missing"]);
    expect(await recording.verify({ fence: null })).toMatchObject({ identical: true, leftOut: { noMappingAlive: 2 } });
  });

  test("an access in the middle of a mapping's life is not left out", async () => {
    const result = await new Recording().map().both(0, 1n).logged("read", 4, 4, 5n).both(0, 2n).unmap().verify();
    expect(result.identical).toBe(false);
    expect(result.differences).toMatchObject([{ kind: "missing", truth: { address: "0xfebc0004", value: "0x5" } }]);
  });

  test("a second living mapping keeps its own addresses covered", async () => {
    const result = await new Recording()
      .map(bar, 1, 0x100n)
      .map(bar + 0x100n, 2, 0x100n)
      .both(0, 1n)
      .unmap(bar, 1)
      .logged("read", 4, 0x100, 5n)
      .both(0x104, 1n)
      .verify();
    expect(result.differences).toMatchObject([{ kind: "missing", truth: { address: "0xfebc0100" } }]);
  });

  test("a mapping of which the log has nothing at all is left out unless all is expected", async () => {
    const memory = bar + 0x100_0000n;
    const ranges = [{ first: Number(memory), last: Number(memory) + 0xfff }];
    const recording = () => new Recording().map().map(memory, 2).both(0, 1n).traced("write", 4, 0x100_0000, 5n);
    const result = await recording().verify();
    expect(result).toMatchObject({ identical: true, compared: 1, unlogged: { accesses: 1, ranges } });
    expect(await recording().verify({}, { expectAll: true })).toMatchObject({ identical: false, compared: 2 });
    // one logged access there, and all of them count
    expect(await recording().logged("read", 4, 0x100_0040, 0n).verify()).toMatchObject({
      identical: false,
      compared: 2,
    });
  });

  test("the fence cuts off what is outside, foreign bytes in it or not", async () => {
    const recording = new Recording()
      .map()
      .logged("write", 4, 0, 0x99n)
      .post(0x4d, 0, 0x4d, 0x53, 0xff, 1, 0xde, 0xad, 0xbe, 0, 0xef)
      .both(0, 1n)
      .post(0x4d)
      .both(4, 2n)
      .post(0x4d, 0x4d, 0x53, 2, 0xde, 0, 0xad, 0xbe, 0xef)
      .logged("write", 4, 0, 0x77n);
    const result = await recording.verify({ fence: "deadbeef" });
    expect(result).toMatchObject({ identical: true, compared: 2, leftOut: { outsideFence: 2 } });
    await expect(recording.verify({ fence: "deadbeee" })).rejects.toThrow(UserError);
    expect(await recording.verify({ fence: null })).toMatchObject({ identical: false });
  });

  test("a fence without its end can't be verified", async () => {
    const recording = new Recording().map().post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).both(0, 1n);
    await expect(recording.verify({ fence: "01020304" })).rejects.toThrow(/but not its end/);
  });

  test("the order across regions counts, and is told from a difference within one", async () => {
    const recording = new Recording()
      .map()
      .map(bar + 0x10000n, 2)
      .both(0, 1n);
    recording.traced("write", 4, 4, 2n).traced("write", 4, 0x10000, 3n, { mapping: 2 });
    recording.logged("write", 4, 0x10000, 3n, 0, "disk").logged("write", 4, 4, 2n);
    const result = await recording.verify();
    expect(result.identical).toBe(false);
    expect(result.reasons).toEqual(["each region's accesses are identical, but their order across regions is not"]);
  });

  test("a relaxed trace is compared CPU by CPU", async () => {
    const recording = new Recording().map();
    recording.traced("write", 4, 0, 1n, { cpu: 0 }).traced("write", 4, 4, 2n, { cpu: 1 });
    recording.logged("write", 4, 4, 2n, 1).logged("write", 4, 0, 1n, 0);
    const options = { ...madeUpHeader().options, relaxed: true };
    expect(await recording.verify({ options })).toMatchObject({ identical: true, order: "each CPU" });
    expect(await recording.verify()).toMatchObject({ identical: false });
  });

  test("lost and escaped records are never identical", async () => {
    const lost = new Recording().map().both(0, 1n);
    lost.list.add({ kind: RecordKind.lost, value: [3n, 0n] });
    expect((await lost.verify()).reasons).toEqual(["3 records were lost while recording"]);
    const escaped = new Recording().map().both(0, 1n);
    escaped.list.add({ kind: RecordKind.escape, address: bar, width: 3, value: [0x0f6f00n, 0n] });
    expect((await escaped.verify()).reasons).toEqual(["1 instructions escaped emulation"]);
  });

  test("an access of several records is compared part by part", async () => {
    const recording = new Recording().map();
    recording
      .traced("write", 16, 0, (2n << 64n) | 1n, { flags: RecordFlag.more })
      .traced("write", 16, 16, (4n << 64n) | 3n);
    for (let part = 0; part < 4; part += 1) recording.logged("write", 8, 8 * part, BigInt(part + 1));
    expect(await recording.verify()).toMatchObject({ identical: true, compared: 4 });
  });

  test("a log that isn't QEMU's is refused with its line", async () => {
    const recording = new Recording().map().both(0, 1n);
    recording.log.push("memory_region_ops_write cpu zero");
    await expect(recording.verify()).rejects.toThrow(FormatError);
    await expect(recording.verify()).rejects.toThrow(/log:2: /);
  });
});

// tier: quick
// Damaged logs of QEMU: the reader returns the content of the sound lines, or throws a FormatError that names the line.
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FormatError, UserError } from "../../base/errors.js";
import { type ByteSource, MemorySource } from "../../trace/file/source.js";
import { withFileSource } from "../../trace/node/file-source.js";
import { readTruthLog, type TruthLog } from "./truth-log.js";

const ranges = [
  { first: 0xfebc0000, last: 0xfebdffff },
  { first: 0x1_0000_0000, last: 0x1_0000_0fff },
];

const lines = [
  "memory_region_ops_read cpu 0 mr 0x5654c59098a0 addr 0xfebc0008 value 0x80080783 size 4 name 'e1000-mmio'",
  "memory_region_ops_write cpu -1 mr 0x5 addr 0x100000010 value 0xffffffffffffffff size 8 name 'nvme'",
  "7@1700000000.000001:memory_region_ops_write cpu 1 mr 0x7 addr 0x80 value 0x3f size 1 name 'ioport80'",
  "memory_region_ops_read cpu 1 mr 0x9 addr 0x71 value 0x0 size 1 name 'rtc'",
  "apic_register_read register 0x02 = 0x0",
  "",
];

const read = async (log: Uint8Array): Promise<TruthLog | FormatError> => {
  try {
    return await readTruthLog(new MemorySource(log), ranges);
  } catch (error) {
    if (!(error instanceof FormatError) || error.line === undefined) throw error;
    expect(error.line).toBeGreaterThan(0);
    return error;
  }
};

/** Counts the lines that are as QEMU writes them, with a regular expression. */
function soundLines(log: Buffer): { kept: number; posts: number; broken: boolean } {
  const whole = log.toString("latin1").split("\n").slice(0, -1);
  const shape =
    /^memory_region_ops_(?:read|write) cpu (-?\d{1,9}) mr 0x[0-9a-f]{1,16} addr 0x([0-9a-f]{1,16}) value 0x[0-9a-f]{1,16} size ([1-8]) name '(.*)'$/s;
  let kept = 0;
  let posts = 0;
  for (const line of whole) {
    const body = line.startsWith("m") ? line : line.slice(line.indexOf(":") + 1);
    if (!body.startsWith("memory_region_ops_")) continue;
    const parts = shape.exec(body);
    if (parts === null) return { kept, posts, broken: true };
    const address = Number(`0x${parts[2]}`);
    if (ranges.some(({ first, last }) => first <= address && address <= last)) kept += 1;
    if (address === 0x80 && parts[4] === "ioport80" && body.startsWith("memory_region_ops_write")) posts += 1;
  }
  return { kept, posts, broken: false };
}

const damaged = fc
  .tuple(
    fc.array(fc.constantFrom(...lines), { maxLength: 20 }),
    fc.array(fc.tuple(fc.nat(), fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.nat(30))), { maxLength: 2 }),
  )
  .map(([all, changes]) => {
    let log = Buffer.from(all.map((line) => `${line}\n`).join(""));
    for (const [at, change] of changes) {
      const place = at % (log.length + 1);
      const [put, out] = typeof change === "number" ? [Buffer.alloc(0), change] : [change, 0];
      log = Buffer.concat([log.subarray(0, place), put, log.subarray(place + out)]);
    }
    return log;
  });

test("a damaged log gives its sound lines, or the first one that isn't", async () => {
  let refused = 0;
  const property = fc.asyncProperty(damaged, async (log) => {
    const found = await read(log);
    const wanted = soundLines(log);
    if (found instanceof FormatError) {
      refused += 1;
      return;
    }
    // A line with an unwanted address is skipped after its address.
    if (wanted.broken) return;
    expect(found.accesses.count).toBe(wanted.kept);
    expect(found.postWrites.length).toBe(wanted.posts);
  });
  await fc.assert(property, { numRuns: 600 });
  expect(refused).toBeGreaterThan(10);
});

test("anything at all", async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .uint8Array({ maxLength: 80 })
      .map((rest) => Buffer.concat([Buffer.from("memory_region_ops_"), rest, Buffer.from("\n")])),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (log) => {
      await read(log);
    }),
    { numRuns: 150 },
  );
});

test.each([
  ["size 4", "size 0"],
  ["size 4", "size 9"],
  ["size 4", "size 260"],
  ["size 4", "size 99999999999"],
  ["cpu 0", "cpu 70000"],
  ["0xfebc0008", "0x0000000000000000febc0008"],
  ["0x80080783", "80080783"],
  ["'e1000-mmio'", "'"],
])("%s as %s is refused at its line", async (from, to) => {
  const found = await read(Buffer.from(`${lines[3]}\n${lines[0]!.replace(from, to)}\n`));
  expect(found).toBeInstanceOf(FormatError);
  expect((found as FormatError).line).toBe(2);
});

test("a line without end is refused, and takes no memory", async () => {
  expect(await read(Buffer.alloc(9 << 20, "x"))).toBeInstanceOf(FormatError);
});

test("a log that comes in pieces of any size is the same", async () => {
  const log = Buffer.from(`${lines.join("\n")}\n`);
  const whole = await read(log);
  for (const piece_bytes of [1, 2, 7, 100, log.length]) {
    const pieces: ByteSource = {
      name: "pieces",
      size: async () => log.length,
      read: async (offset) => log.subarray(offset, offset + piece_bytes),
      close: async () => {},
    };
    expect(await readTruthLog(pieces, ranges)).toEqual(whole);
  }
});

test("a log that comes through a pipe is read to its end", async () => {
  const log = Buffer.from(`${lines.join("\n")}\n`);
  let there = 0;
  const pipe: ByteSource = {
    name: "pipe",
    get coming() {
      there += 50;
      return there < log.length;
    },
    size: async () => there,
    read: async (offset) => log.subarray(offset, there),
    close: async () => {},
  };
  expect(await readTruthLog(pipe, ranges)).toEqual(await read(log));
});

test("a file that isn't there is a UserError", async () => {
  const path = join(tmpdir(), "no-such-folder", "truth.log");
  await expect(withFileSource(path, (log) => readTruthLog(log, ranges))).rejects.toThrow(UserError);
});

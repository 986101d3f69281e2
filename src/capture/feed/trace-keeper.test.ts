// tier: quick
// The common part of all engines' recordings, with a trace in a real file: it is closed with the counts, and problems are reported.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectHeader } from "../../machine/describe-machine.js";
import { openTrace } from "../../trace/node/file-source.js";
import { RecordKind, record_bytes, recordOffset } from "../../trace/record.js";
import type { RecordSource } from "./record-source.js";
import { openFeed } from "./trace-feed.js";
import { type KeeperOptions, TraceKeeper } from "./trace-keeper.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-keeper-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const header = collectHeader({
  engine: "emulate",
  clock: { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: 1_000_000 },
  options: { filter: [], relaxed: false, cleanRoom: true, excludeWriteCombining: false, ring_bytes: 65_536 },
  commandLine: ["mmiostrider", "record"],
  fence: null,
});

/** Three reads at once, then nothing until `end` or `fail` is called. */
class ThreeReads implements RecordSource {
  private given = false;
  end = () => {};
  fail: (error: Error) => void = () => {};
  private readonly ended = new Promise<void>((settle, reject) => {
    this.end = settle;
    this.fail = reject;
  });

  constructor() {
    // it may fail while nobody reads
    this.ended.catch(() => {});
  }

  async readRecords(buffer: Uint8Array): Promise<number> {
    if (this.given) {
      await this.ended;
      return 0;
    }
    this.given = true;
    buffer.fill(0, 0, 3 * record_bytes);
    const view = new DataView(buffer.buffer, buffer.byteOffset);
    for (let index = 0; index < 3; index += 1) {
      const at = index * record_bytes;
      view.setUint32(at + recordOffset.sequence, index + 1, true);
      view.setBigUint64(at + recordOffset.address, 0xfebc0008n, true);
      view.setUint8(at + recordOffset.kind, RecordKind.read);
      view.setUint8(at + recordOffset.width, 4);
    }
    return 3 * record_bytes;
  }
}

async function begin(output: string, options: KeeperOptions = {}) {
  const source = new ThreeReads();
  const worker = { url: new URL("file:///none"), parameters: {} };
  const feed = await openFeed({
    ...{ output, header, user: undefined, source, descriptor: -1, worker, standIn: () => source },
  });
  return { source, keeper: new TraceKeeper(feed, header, options) };
}

const counts = { lost: 0, escaped: 1, missed: 2, unrecorded: 0, mappings: 3, incomplete: ["one escaped"] };

test("the trace is closed with what was counted; steps that failed are problems, and those behind them are done", async () => {
  const output = join(folder, "kept.mmt");
  let looks = 0;
  const { source, keeper } = await begin(output, {
    onLook: () => {
      looks += 1;
    },
  });
  await new Promise((settle) => setTimeout(settle, 1_100));
  keeper.stopLooking();
  expect([looks, keeper.accesses]).toEqual([1, 3]);
  const done: string[] = [];
  keeper.attempt(() => {
    throw new Error("the first step failed");
  });
  keeper.attempt(() => done.push("second"));
  await keeper.bindAgain([{ address: "0000:ff:1f.7", driver: "no_such_driver" }]);
  source.end();
  await keeper.drainRest();
  // a core that has put five records into its ring
  expect([keeper.unread(3), keeper.unread(5)]).toEqual([0, 2]);
  const result = await keeper.close(counts);
  expect(result).toEqual({
    ...{ accesses: 3, ...counts, failure: undefined },
    problems: ["the first step failed", "the driver no_such_driver is gone: 0000:ff:1f.7 stays unbound"],
  });
  expect(done).toEqual(["second"]);

  const reader = await openTrace(output);
  expect(reader.complete).toBe(true);
  expect(reader.summary).toEqual({ accesses: 3, ...counts });
  await reader.close();
});

test("records that can't be read any more break the recording, and are its failure", async () => {
  const { source, keeper } = await begin(join(folder, "broken.mmt"));
  source.fail(new Error("input/output error"));
  await keeper.broken;
  keeper.stopLooking();
  await keeper.drainRest();
  const { failure, accesses } = await keeper.close(counts);
  expect([failure?.message, accesses]).toEqual(["reading records from the core failed: input/output error", 3]);
});

// tier: quick
// Records go through complete and in order, and a failing sink doesn't block the source.

import { describe, expect, test } from "vitest";
import { UserError } from "../../base/errors.js";
import type { TraceUpdate } from "../../trace/header.js";
import type { BatchNews } from "./batch-scan.js";
import { Drain, type TraceSink } from "./drain.js";
import type { RecordSource } from "./record-source.js";

const record_bytes = 64;
const ring_bytes = 2 ** 24;

/** Makes a ring record with core/record.h's layout. */
function ringRecord(
  sequence: number,
  kind: number,
  fields: { width?: number; flags?: number; text?: string; address?: bigint; site?: bigint; mapping?: number } = {},
): Buffer {
  const bytes = Buffer.alloc(record_bytes);
  bytes.writeUInt32LE(sequence, 0);
  bytes.writeBigUInt64LE(fields.address ?? 0n, 16);
  if (fields.text !== undefined) bytes.write(fields.text, 16, "latin1");
  bytes.writeBigUInt64LE(fields.site ?? 0n, 40);
  bytes.writeUInt32LE(fields.mapping ?? 0, 52);
  bytes.writeUInt8(kind, 58);
  bytes.writeUInt8(fields.text?.length ?? fields.width ?? 4, 59);
  bytes.writeUInt32LE(fields.flags ?? 0, 60);
  return bytes;
}

const [read, write, map, module] = [1, 2, 3, 9];
const [more, gone] = [1 << 3, 1 << 8];

/** A source that gives the batches one after the other, then ends. */
class Batches implements RecordSource {
  given = 0;
  private readonly batches: Buffer[];
  constructor(batches: Buffer[]) {
    this.batches = batches;
  }
  async readRecords(buffer: Uint8Array): Promise<number> {
    const batch = this.batches[this.given];
    if (batch === undefined) return 0;
    this.given += 1;
    buffer.set(batch);
    return batch.length;
  }
}

/** A sink that copies its input late, so that a buffer reused too early is noticed. */
class SlowSink implements TraceSink {
  readonly content: (number | TraceUpdate | string)[] = [];
  async append(records: Uint8Array): Promise<void> {
    await new Promise((done) => setImmediate(done));
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
    for (let at = 0; at < records.length; at += record_bytes) this.content.push(Number(view.getBigUint64(at, true)));
  }
  note(update: TraceUpdate): void {
    this.content.push(update);
  }
  flush(): void {}
  close(): void {
    this.content.push("closed");
  }
}

const summary = { accesses: 0, lost: 0, escaped: 0, missed: 0, unrecorded: 0, mappings: 0, incomplete: [] };

describe("Drain", () => {
  test("every record arrives once and in order; accesses of several records count once", async () => {
    let sequence = 0;
    const batches = [3, 1, 200, 7, 16_384, 5].map((length) =>
      Buffer.concat(
        Array.from({ length }, () =>
          ringRecord(++sequence, sequence % 2 === 0 ? read : write, { flags: sequence % 10 === 1 ? more : 0 }),
        ),
      ),
    );
    const sink = new SlowSink();
    const drain = new Drain(
      new Batches(batches),
      sink,
      () => undefined,
      () => {},
      ring_bytes,
    );
    await drain.done;
    await drain.close(summary);
    expect(sink.content).toEqual([...Array.from({ length: sequence }, (_, index) => index + 1), "closed"]);
    expect(drain.accesses).toBe(sequence - Math.ceil(sequence / 10));
    expect(drain.places).toBe(sequence);
    expect(drain.failure).toBeUndefined();
  });

  test("the source is read on while the sink is busy, as far as the backlog has room", async () => {
    const batches = Array.from({ length: 40 }, (_, index) =>
      Buffer.concat(Array.from({ length: 100 }, (_none, record) => ringRecord(100 * index + record + 1, read))),
    );
    const source = new Batches(batches);
    const sink = new SlowSink();
    const append = sink.append.bind(sink);
    let goOn: () => void = () => {};
    const busy = new Promise<void>((settle) => {
      goOn = settle;
    });
    sink.append = async (records) => {
      await busy;
      await append(records);
    };
    // four rings of 250 records: in each of four buffers two batches of 100; the first to be written is alone in its own
    const drain = new Drain(
      source,
      sink,
      () => undefined,
      () => {},
      250 * record_bytes,
    );
    const limit = 1 + 2 * 2 + 1;
    await expect.poll(() => source.given).toBe(limit);
    // the next read would have come by now
    await new Promise((done) => setTimeout(done, 50));
    expect(source.given).toBe(limit);
    goOn();
    await drain.done;
    expect(sink.content).toEqual(Array.from({ length: 4_000 }, (_, index) => index + 1));
  });

  test("mappings and modules are heard of, and the trace is told before their records", async () => {
    const longName = "a_module_whose_name_is_longer_than_24";
    const batches = [
      Buffer.concat([ringRecord(1, read), ringRecord(2, map, { address: 0xfebc0000n })]),
      ringRecord(3, module, { text: longName.slice(0, 24), flags: more, site: 0xffffffffc0000000n, mapping: 4096 }),
      ringRecord(4, module, { text: longName.slice(24), site: 0xffffffffc0000000n, mapping: 4096 }),
      ringRecord(5, module, { text: "e1000", flags: gone, site: 0xffffffffc0100000n }),
    ];
    const heard: BatchNews[] = [];
    const sink = new SlowSink();
    const drain = new Drain(
      new Batches(batches),
      sink,
      (news) => {
        heard.push(news);
        return { modules: news.modules };
      },
      () => {},
      ring_bytes,
    );
    await drain.done;
    const loaded = { name: longName, textAddress: "0xffffffffc0000000", text_bytes: 4096, buildId: null };
    expect(heard).toEqual([
      { mapped: ["0xfebc0000"], modules: [] },
      { mapped: [], modules: [loaded] },
    ]);
    expect(sink.content).toEqual([{ modules: [] }, 1, 2, 3, { modules: [loaded] }, 4, 5]);
  });

  test("a sink that fails is left alone from then on, and the source is read to its end", async () => {
    const source = new Batches(Array.from({ length: 20 }, (_, index) => ringRecord(index + 1, read)));
    const failures: string[] = [];
    const sink = new SlowSink();
    const append = sink.append.bind(sink);
    sink.append = async (records) => {
      if (sink.content.length === 3) throw new Error("ENOSPC: no space left on device, write");
      await append(records);
    };
    const drain = new Drain(
      source,
      sink,
      () => undefined,
      (failure) => failures.push(failure.message),
      ring_bytes,
    );
    await drain.done;
    await drain.close(summary);
    expect(source.given).toBe(20);
    expect(sink.content).toEqual([1, 2, 3]);
    expect(drain.accesses).toBe(3);
    expect(failures).toEqual(["writing the trace failed: ENOSPC: no space left on device, write"]);
    expect(drain.failure).toBeInstanceOf(UserError);
  });

  test("a source that fails is the end, and says so", async () => {
    const source: RecordSource = { readRecords: () => Promise.reject(new Error("EIO: i/o error, read")) };
    const drain = new Drain(
      source,
      new SlowSink(),
      () => undefined,
      () => {},
      ring_bytes,
    );
    await drain.done;
    expect(drain.failure?.message).toBe("reading records from the core failed: EIO: i/o error, read");
  });
});

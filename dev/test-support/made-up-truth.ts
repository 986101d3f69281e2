// Shared by the tests of verify: made-up recordings with the log that QEMU would have written, and verify on them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { verify } from "../../src/analysis/verify/verify.js";
import type { VerifyOptions, VerifyResult } from "../../src/analysis/verify/verify-result.js";
import type { TraceHeader } from "../../src/trace/header.js";
import { createTrace } from "../../src/trace/node/create-trace.js";
import { openTrace, withFileSource } from "../../src/trace/node/file-source.js";
import { RecordKind, type RingRecord } from "../../src/trace/record.js";
import { madeUpHeader, madeUpSummary, RecordList } from "./made-up-records.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-verify-"));
afterAll(() => rmSync(directory, { recursive: true }));

export async function verifyRecords(
  records: Uint8Array,
  header: TraceHeader,
  log: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const tracePath = join(directory, "trace");
  const logPath = join(directory, "log");
  const writer = await createTrace(tracePath, header);
  await writer.append(records);
  await writer.close(madeUpSummary);
  writeFileSync(logPath, log);
  const reader = await openTrace(tracePath);
  try {
    return await withFileSource(logPath, (source) => verify(reader, source, options));
  } finally {
    await reader.close();
  }
}

const post = (byte: number) =>
  `memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x${byte.toString(16)} size 1 name 'ioport80'\n`;
/** The fence 01020304. */
export const fence = (kind: number) => [0x4d, 0x4d, 0x53, kind, 1, 2, 3, 4].map(post).join("");

export const bar = 0xfebc0000n;

/** A recording of one mapping, and the log beside it. */
export class Recording {
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

// Turns mmiotrace's text from trace_pipe into ring records of the wanted mappings.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AddressRange, rangesOverlap } from "../../base/address-range.js";
import { isSystemError } from "../../base/errors.js";
import { tracefs } from "../../machine/tracefs.js";
import { MmiotraceImport } from "../../trace/import/mmiotrace.js";
import { RecordFlag, RecordKind, record_bytes, recordOffset } from "../../trace/record.js";
import type { WorkerSource } from "../feed/record-source.js";

const chunk_bytes = 1 << 16;
const emptyPause_ms = 10;
/** A driver that never rests isn't waited for, once there is no recorder: mmiotrace may go on a while. */
const abandoned_ms = 2_000;

/** The parameters for a process that reads it for the recorder; ranges in formatRange's form. */
export type MmiotraceParameters = { ranges: string[] | "all" };

export class MmiotraceSource implements WorkerSource {
  private readonly ranges: readonly AddressRange[] | "all";
  private readonly reader = new MmiotraceImport("trace_pipe", { mayBeEmpty: true });
  readonly descriptor: number;
  private readonly chunk = Buffer.alloc(chunk_bytes);
  private pending: Uint8Array[] = [];
  private readonly living = new Set<number>();
  private sequence = 0;
  private latest_us = 0n;
  private onEmpty = () => {};
  private ending = false;
  /** Time of the last read, on performance.now()'s clock. */
  private until_ms = Number.POSITIVE_INFINITY;
  private finished = false;
  lost = 0;
  /** Number of accesses that mmiotrace couldn't decode. */
  unknown = 0;
  /** Number of mappings so far. */
  mappings = 0;

  /** `ranges`: mappings that overlap one of them are wanted. `descriptor`: of trace_pipe; opened unless given. */
  constructor(ranges: readonly AddressRange[] | "all", descriptor?: number) {
    this.ranges = ranges;
    this.descriptor = descriptor ?? openSync(join(tracefs, "trace_pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
  }

  get livingMappings(): number {
    return this.living.size;
  }

  /** Settles when all that mmiotrace has kept so far has been read, with all losses until then. */
  emptied(): Promise<void> {
    return new Promise((settle) => {
      this.onEmpty = settle;
    });
  }

  /**
   * Ends the source: mmiotrace keeps nothing more, and its buffer has the last events. Losses from now on don't count.
   * `atMost_ms`: if it may keep more, reading ends after this time.
   */
  end(atMost_ms = Number.POSITIVE_INFINITY): void {
    this.ending = true;
    this.until_ms = performance.now() + atMost_ms;
  }

  abandon(): void {
    this.end(abandoned_ms);
  }

  close(): void {
    closeSync(this.descriptor);
  }

  async readRecords(buffer: Uint8Array): Promise<number> {
    while (this.pending.length === 0) {
      if (this.finished) return 0;
      const bytes = performance.now() < this.until_ms ? this.readSome() : 0;
      if (bytes > 0) this.reader.push(this.chunk.subarray(0, bytes));
      else if (this.ending) {
        this.reader.finish();
        this.finished = true;
      } else {
        this.onEmpty();
        await sleep(emptyPause_ms);
      }
      this.takePieces();
    }
    let filled = 0;
    while (this.pending.length > 0 && filled < buffer.length) {
      const first = this.pending[0]!;
      const part = first.subarray(0, buffer.length - filled);
      buffer.set(part, filled);
      filled += part.length;
      if (part.length === first.length) this.pending.shift();
      else this.pending[0] = first.subarray(part.length);
    }
    return filled;
  }

  private readSome(): number {
    try {
      return readSync(this.descriptor, this.chunk);
    } catch (error) {
      if (isSystemError(error, "EAGAIN") || isSystemError(error, "EINTR")) return 0;
      throw error;
    }
  }

  private takePieces(): void {
    if (this.reader.header === undefined) return;
    for (const piece of this.reader.pieces()) {
      // the header has the devices, with more facts
      if (!("records" in piece)) continue;
      const wanted = this.wantedOf(piece.records);
      if (wanted.length > 0) this.pending.push(wanted);
    }
  }

  /** Returns the wanted ones of these records, with new numbers. */
  private wantedOf(records: Uint8Array): Uint8Array {
    const kept = new Uint8Array(records.length);
    const view = new DataView(kept.buffer);
    let used = 0;
    for (let at = 0; at < records.length; at += record_bytes) {
      kept.set(records.subarray(at, at + record_bytes), used);
      if (!this.isWanted(view, used)) continue;
      this.sequence += 1;
      view.setUint32(used + recordOffset.sequence, this.sequence, true);
      used += record_bytes;
    }
    return kept.subarray(0, used);
  }

  private isWanted(view: DataView, at: number): boolean {
    const mapping = view.getUint32(at + recordOffset.mapping, true);
    const tsc = view.getBigUint64(at + recordOffset.tsc, true);
    const kind = view.getUint8(at + recordOffset.kind);
    if (tsc !== 0n) this.latest_us = tsc;
    switch (kind) {
      case RecordKind.map: {
        const first = view.getBigUint64(at + recordOffset.address, true);
        const mapped = { first, last: first + view.getBigUint64(at + recordOffset.value, true) - 1n };
        if (this.ranges !== "all" && !this.ranges.some((range) => rangesOverlap(range, mapped))) return false;
        this.living.add(mapping);
        this.mappings += 1;
        return true;
      }
      case RecordKind.unmap:
        return this.living.delete(mapping);
      case RecordKind.lost: {
        if (this.ending) return false;
        // it is printed without a time; unlike an imported log, this needn't come out again unchanged
        view.setBigUint64(at + recordOffset.tsc, this.latest_us, true);
        const flags = view.getUint32(at + recordOffset.flags, true);
        view.setUint32(at + recordOffset.flags, flags & ~RecordFlag.verbatim, true);
        const count = view.getBigUint64(at + recordOffset.value, true);
        // trace_pipe doesn't always say how many: at least one
        this.lost += Math.max(Number(count), 1);
        return true;
      }
      case RecordKind.mark:
        return true;
      default:
        if (!this.living.has(mapping)) return false;
        if (kind === RecordKind.escape) this.unknown += 1;
        return true;
    }
  }
}

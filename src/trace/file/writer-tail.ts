// The end of a growing trace: the records since the last final block. Each flush() puts a small block into the file, so that
// followers see it and a crash costs little. Once there is enough for a block, or the trace ends, the small ones can be replaced
// by one with all their records, which compress far better together.
import { assert } from "../../base/assert.js";
import type { TraceEvent } from "../events.js";
import { record_bytes } from "../record.js";
import { TraceState } from "../state.js";
import { blockOthersMax, blockRowsMax } from "./layout.js";

const recordsMax = blockRowsMax + blockOthersMax;
const start_bytes = 1_024 * record_bytes;
/** Blocks of so many rows are final: together they would hardly be smaller, and the recorder is busy. */
const partRowsMax = 16_384;

export class WriterTail {
  /** The state at the tail's beginning. */
  readonly state = new TraceState();
  /** The first small block's offset in the file, its place in the index, and the records and events before it. */
  start = { offset: 0, indexLength: 0, firstRecord: 0, firstEvent: 0 };
  /** Numbers of rows, other records and blocks that flush() put into the file. */
  rows = 0;
  others = 0;
  parts = 0;
  /** Records are kept. A writer without a flush during the first block most likely never flushes. */
  keeps: boolean;
  private readonly possible: boolean;
  private flushes = false;
  private bytes = new Uint8Array(start_bytes);
  private used_bytes = 0;
  /** The events of the small blocks except accesses. */
  private events: TraceEvent[] = [];

  /** `possible`: small blocks can be replaced at all. */
  constructor(possible: boolean) {
    this.keeps = this.possible = possible;
  }

  /** The tail's records, as given to `add`. */
  get records(): Uint8Array {
    return this.bytes.subarray(0, this.used_bytes);
  }

  /** The records that aren't in the file yet. */
  get unflushedRecords(): Uint8Array {
    return this.bytes.subarray((this.rows + this.others) * record_bytes, this.used_bytes);
  }

  /** Copies whole records. */
  add(records: Uint8Array): void {
    if (!this.keeps) return;
    const end = this.used_bytes + records.length;
    assert(end <= recordsMax * record_bytes, "a tail holds no more than a block");
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.min(Math.max(2 * this.bytes.length, end), recordsMax * record_bytes));
      larger.set(this.records);
      this.bytes = larger;
    }
    this.bytes.set(records, this.used_bytes);
    this.used_bytes = end;
  }

  /** Tells that records are being flushed; returns true if their block can be part of the tail. */
  flush(): boolean {
    this.flushes = true;
    return this.keeps;
  }

  /** Tells that a block with so many of the tail's records is in the file now, and its place. */
  flushed(start: WriterTail["start"], rows: number, others: number, events: TraceEvent[]): void {
    if (this.parts === 0) this.start = start;
    this.parts += 1;
    this.rows += rows;
    this.others += others;
    this.events.push(...events);
  }

  /** Returns true if one block instead of the small ones and of `rows` unwritten rows pays off. */
  worthMerging(rows: number): boolean {
    const parts = this.parts + (rows > 0 ? 1 : 0);
    return this.parts > 0 && parts > 1 && this.rows + rows <= parts * partRowsMax;
  }

  /**
   * Begins anew at the end. `events`: the events, except accesses, of the unflushed records; `isMerged`: of all records, since one
   * block has replaced the small ones.
   */
  seal(events: TraceEvent[], isMerged = false): void {
    if (!isMerged) for (const event of this.events) this.state.apply(event);
    for (const event of events) this.state.apply(event);
    this.events = [];
    this.used_bytes = this.rows = this.others = this.parts = 0;
    this.keeps = this.possible && this.flushes;
  }
}

// Batches that were read and are still to be written, in buffers that are used again.
import { assert } from "../../base/assert.js";

export class Backlog {
  private readonly buffer_bytes: number;
  private readonly buffersMax: number;
  private buffersMade = 0;
  private readonly free: Uint8Array[] = [];
  private readonly waiting: Uint8Array[] = [];
  private ended = false;
  private onRoom: (() => void) | undefined;
  private onBatch: (() => void) | undefined;

  /** Holds at most `buffersMax` batches of up to `buffer_bytes` bytes, one being read and one being written included. */
  constructor(buffer_bytes: number, buffersMax: number) {
    assert(buffersMax >= 2, "one batch is read while another is written");
    this.buffer_bytes = buffer_bytes;
    this.buffersMax = buffersMax;
  }

  /** Returns an empty buffer; waits while all are in use. */
  async room(): Promise<Uint8Array> {
    if (this.free.length === 0 && this.buffersMade < this.buffersMax) {
      this.buffersMade += 1;
      return new Uint8Array(this.buffer_bytes);
    }
    while (this.free.length === 0) {
      await new Promise<void>((settle) => {
        this.onRoom = settle;
      });
    }
    return this.free.pop()!;
  }

  /** Takes a buffer of `room` whose first `bytes` are a batch. A batch that fits behind the last one waiting joins it. */
  put(buffer: Uint8Array, bytes: number): void {
    const last = this.waiting.at(-1);
    if (last !== undefined && last.length + bytes <= this.buffer_bytes) {
      const joined = new Uint8Array(last.buffer, 0, last.length + bytes);
      joined.set(buffer.subarray(0, bytes), last.length);
      this.waiting[this.waiting.length - 1] = joined;
      this.give(buffer);
      return;
    }
    this.waiting.push(buffer.subarray(0, bytes));
    this.onBatch?.();
  }

  /** Tells that no batch follows. */
  end(): void {
    this.ended = true;
    this.onBatch?.();
  }

  /** Returns the oldest batch; waits for one. Undefined after the last. */
  async take(): Promise<Uint8Array | undefined> {
    while (this.waiting.length === 0) {
      if (this.ended) return undefined;
      await new Promise<void>((settle) => {
        this.onBatch = settle;
      });
    }
    return this.waiting.shift();
  }

  /** Gives back a batch that was taken. */
  give(batch: Uint8Array): void {
    this.free.push(new Uint8Array(batch.buffer));
    this.onRoom?.();
  }
}

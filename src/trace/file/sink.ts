// The place that a trace is written to, as the writer sees it: bytes at the end, and blocks replaced. Node's, for files and pipes,
// is trace/node/output.ts.
import { assert } from "../../base/assert.js";

export interface ByteSink {
  /** End of the bytes that were written whole. */
  readonly length: number;
  /** Whether bytes already written can be replaced: in a file, not in a pipe. */
  readonly replaceable: boolean;
  /** Appends `bytes` as a whole. Throws UserError. */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Puts the block `bytes` in the place of everything from `offset` on, which is blocks that say nothing else.
   * Returns false, with everything as it was, where there is no room. Throws UserError.
   */
  replace(offset: number, bytes: Uint8Array): Promise<boolean>;
  /** Says that the bytes so far are of use by themselves, even where nothing more can be written. */
  keep(): void;
  close(): void | Promise<void>;
}

const start_bytes = 1 << 16;

/** A sink that keeps everything in memory: for a page, or a small trace. */
export class MemorySink implements ByteSink {
  readonly replaceable = true;
  length = 0;
  private content = new Uint8Array(start_bytes);

  /** All bytes written so far; later writes don't show in it. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.content.slice(0, this.length);
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.replace(this.length, bytes);
  }

  async replace(offset: number, bytes: Uint8Array): Promise<boolean> {
    assert(offset <= this.length, "no gap is left");
    const end = offset + bytes.length;
    if (end > this.content.length) {
      const larger = new Uint8Array(Math.max(2 * this.content.length, end));
      larger.set(this.content.subarray(0, offset));
      this.content = larger;
    }
    this.content.set(bytes, offset);
    this.length = end;
    return true;
  }

  keep(): void {}

  close(): void {}
}

// The writer's interface to a trace's place: it appends bytes and replaces blocks. trace/node/output.ts is Node's, for files and
// pipes.
import { assert } from "../../base/assert.js";

export interface ByteSink {
  /** End of the bytes that were written whole. */
  readonly length: number;
  /** True if written bytes can be replaced: in a file, not in a pipe. */
  readonly replaceable: boolean;
  /** Appends `bytes` as a whole. Throws UserError. */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Replaces everything from `offset` on, blocks with the same content, by the block `bytes`. If there is no room, changes
   * nothing and returns false. Throws UserError.
   */
  replace(offset: number, bytes: Uint8Array): Promise<boolean>;
  /** Tells that the bytes so far are useful alone, even if nothing more can be written. */
  keep(): void;
  close(): void | Promise<void>;
}

const start_bytes = 1 << 16;

/** A sink in memory: for a page, or a small trace. */
export class MemorySink implements ByteSink {
  readonly replaceable = true;
  length = 0;
  private content = new Uint8Array(start_bytes);

  /** A copy of all bytes written so far. */
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

// Where a trace is written to: a file or standard output, as whole blocks. Node only.
import {
  closeSync,
  fchmodSync,
  fdatasync,
  fstatSync,
  ftruncate,
  ftruncateSync,
  openSync,
  rmSync,
  unlinkSync,
  write,
} from "node:fs";
import { promisify } from "node:util";
import { assert } from "../../base/assert.js";
import { messageOf, UserError } from "../../base/errors.js";
import { openDescriptor } from "../../base/finished-output.js";
import { blockHeader_bytes, encodePaddingHeader } from "../file/layout.js";
import type { ByteSink } from "../file/sink.js";

const writeSome = promisify(write);
const synchronize = promisify(fdatasync);
const truncate = promisify(ftruncate);
const againAfter_ms = 5;

export class Output implements ByteSink {
  readonly name: string;
  /** What is written to; another process may inherit it. */
  readonly descriptor: number;
  /** Whether it is a file of our making, in which what was written can be replaced. */
  readonly regular: boolean;
  /** End of what was written whole. */
  length = 0;
  private open = true;
  /** Whether what was written stays where nothing more can be. */
  private worthKeeping = false;
  /** Whether a file that can't be finished is ours to mend or remove. */
  private readonly ours: boolean;
  /** Whether the descriptor was open before, and stays so. */
  private readonly lent: boolean;

  private constructor(name: string, descriptor: number, { regular = false, ours = false, lent = false }) {
    this.name = name;
    this.descriptor = descriptor;
    this.regular = regular;
    this.ours = ours;
    this.lent = lent;
  }

  /**
   * `-` is standard output; names of other open descriptors (/dev/fd/3) work, too: what is written there comes behind what
   * others wrote. A file is made, or emptied, for its owner alone. Throws UserError.
   * `shownAs`: the name that a file will have once it is finished; an unfinished one is thrown away.
   */
  static create(path: string, shownAs?: string): Output {
    const lent = openDescriptor(path);
    if (lent !== undefined) return new Output(path === "-" ? "standard output" : path, lent, { lent: true });
    const name = shownAs ?? path;
    try {
      const descriptor = openSync(path, "w", 0o600);
      // an older file may have been anybody's to read
      const regular = fstatSync(descriptor).isFile();
      if (regular) fchmodSync(descriptor, 0o600);
      // who gave it another name throws it away
      return new Output(name, descriptor, { regular, ours: shownAs === undefined });
    } catch (error) {
      throw new UserError(`making ${name} failed: ${messageOf(error)}`, { cause: error });
    }
  }

  get replaceable(): boolean {
    return this.regular;
  }

  /** One that another process made and handed on; `name` is for messages, `regular` is that one's. */
  static inherited(descriptor: number, name: string, regular: boolean): Output {
    return new Output(name, descriptor, { regular, ours: true });
  }

  /** What has been written is of use by itself. Before that, a file that can't be written any further is removed. */
  keep(): void {
    this.worthKeeping = true;
  }

  /** Appends `bytes` as a whole; where that fails, takes back what of them was written. Throws UserError. */
  async append(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      try {
        const position = this.regular ? this.length + done : null;
        const { bytesWritten } = await writeSome(this.descriptor, bytes, done, bytes.length - done, position);
        done += bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
          await new Promise((resolve) => setTimeout(resolve, againAfter_ms));
          continue;
        }
        throw this.failed(error);
      }
    }
    this.length += bytes.length;
  }

  /**
   * Puts the block `bytes` in the place of everything from `offset` on, which is blocks that say nothing else. At every moment
   * the file has all of it, and can be read: by following the blocks, or after a write that was torn by looking for the next
   * one. Returns false, with everything as it was, where there is no room for both. Throws UserError.
   */
  async replace(offset: number, bytes: Uint8Array): Promise<boolean> {
    assert(this.regular, "only in a file can something be replaced");
    const end = this.length;
    // A second copy behind everything, far enough for the first one not to reach it.
    const gap_bytes = Math.max(0, offset + bytes.length - end);
    const padding = gap_bytes === 0 ? new Uint8Array(0) : new Uint8Array(Math.max(gap_bytes, blockHeader_bytes));
    if (padding.length > 0) padding.set(encodePaddingHeader(padding.length));
    const copyAt = end + padding.length;
    try {
      await this.put(padding, end);
      await this.put(bytes, copyAt);
      await synchronize(this.descriptor);
    } catch {
      await truncate(this.descriptor, end);
      return false;
    }
    this.length = copyAt + bytes.length;
    try {
      await this.put(encodePaddingHeader(copyAt - offset), offset);
      await this.put(bytes.subarray(blockHeader_bytes), offset + blockHeader_bytes);
      await synchronize(this.descriptor);
      await this.put(bytes.subarray(0, blockHeader_bytes), offset);
      await truncate(this.descriptor, offset + bytes.length);
    } catch (error) {
      throw this.failed(error);
    }
    this.length = offset + bytes.length;
    return true;
  }

  private async put(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await writeSome(this.descriptor, bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  private failed(error: unknown): UserError {
    const code = (error as NodeJS.ErrnoException).code;
    let kept = "";
    if (this.regular && this.ours) {
      try {
        if (this.worthKeeping) {
          ftruncateSync(this.descriptor, this.length);
          kept = "; what was written before can be read";
        } else unlinkSync(this.name);
      } catch {
        // it can't be mended either: nothing is promised
      }
    }
    this.close();
    const why = code === "ENOSPC" ? "the disk is full" : code === "EDQUOT" ? "the quota is used up" : messageOf(error);
    return new UserError(`writing to ${this.name} failed: ${why}${kept}`, {
      cause: error,
      ...(code === "ENOSPC" || code === "EDQUOT" ? { advice: "make room, or write to another disk" } : {}),
    });
  }

  /** Closes it and removes the file: nobody will want it. */
  discard(): void {
    if (this.regular && this.open) rmSync(this.name, { force: true });
    this.close();
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    if (!this.lent) closeSync(this.descriptor);
  }
}

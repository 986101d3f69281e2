// A trace's output: a file or standard output, written as whole blocks. Node only.
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
  /** The file's descriptor; another process may inherit it. */
  readonly descriptor: number;
  /** True for a file of ours, in which blocks can be replaced. */
  readonly regular: boolean;
  /** End of the bytes written whole. */
  length = 0;
  private open = true;
  /** Keep the written bytes if nothing more can be written. */
  private worthKeeping = false;
  /** An unfinished file is ours to mend or remove. */
  private readonly ours: boolean;
  /** The descriptor was open before, and stays open. */
  private readonly lent: boolean;

  private constructor(name: string, descriptor: number, { regular = false, ours = false, lent = false }) {
    this.name = name;
    this.descriptor = descriptor;
    this.regular = regular;
    this.ours = ours;
    this.lent = lent;
  }

  /**
   * Opens an output. `-` is standard output; names of other open descriptors (/dev/fd/3) work, too: then the trace is appended to
   * the earlier output. A file is made, or emptied, for its owner alone. Throws UserError.
   * `shownAs`: the finished file's name; the caller deletes an unfinished one, and decides who may read it.
   */
  static create(path: string, shownAs?: string): Output {
    const lent = openDescriptor(path);
    if (lent !== undefined) return new Output(path === "-" ? "standard output" : path, lent, { lent: true });
    const name = shownAs ?? path;
    try {
      const descriptor = openSync(path, "w", shownAs === undefined ? 0o600 : 0o666);
      // anybody may have been able to read the older file
      const regular = fstatSync(descriptor).isFile();
      if (regular && shownAs === undefined) fchmodSync(descriptor, 0o600);
      // the caller deletes its temporary file
      return new Output(name, descriptor, { regular, ours: shownAs === undefined });
    } catch (error) {
      throw new UserError(`making ${name} failed: ${messageOf(error)}`, { cause: error });
    }
  }

  get replaceable(): boolean {
    return this.regular;
  }

  /** Wraps a descriptor inherited from another process; `name` is for messages; `regular` is that of its Output. */
  static inherited(descriptor: number, name: string, regular: boolean): Output {
    return new Output(name, descriptor, { regular, ours: true });
  }

  /** Tells that the bytes so far are useful alone. Before this, a file that can't be written any further is removed. */
  keep(): void {
    this.worthKeeping = true;
  }

  /** Appends `bytes` as a whole; if that fails, removes the part already written. Throws UserError. */
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
   * Replaces everything from `offset` on, blocks with the same content, by the block `bytes`. At every moment the file has all of
   * that content, and can be read by following the blocks, or, after a torn write, by searching for the next one. If there is no
   * room for both, changes nothing and returns false. Throws UserError.
   */
  async replace(offset: number, bytes: Uint8Array): Promise<boolean> {
    assert(this.regular, "only in a file can something be replaced");
    const end = this.length;
    // A second copy at the end, far enough behind for the first one not to reach it.
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
        // it can't be mended either: then nothing is guaranteed
      }
    }
    this.close();
    const why = code === "ENOSPC" ? "the disk is full" : code === "EDQUOT" ? "the quota is used up" : messageOf(error);
    return new UserError(`writing to ${this.name} failed: ${why}${kept}`, {
      cause: error,
      ...(code === "ENOSPC" || code === "EDQUOT" ? { advice: "make room, or write to another disk" } : {}),
    });
  }

  /** Closes the file and removes it: it is of no use. */
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

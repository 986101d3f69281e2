// Standard output for commands that print much: writes in large pieces, waits for a slow reader, ends quietly if the
// reader is gone (`| head`).
import type { Writable } from "node:stream";
import { UserError } from "../../base/errors.js";

const piece_chars = 64 * 1024;

/** The reader of our output is gone, which is no fault: there is nothing more to do. */
export class OutputClosed extends UserError {
  override readonly name = "OutputClosed";
  constructor() {
    super("nobody reads the output any more");
  }
}

/**
 * Runs `work` to its end, or until the reader of its output is gone (`| head`): that is no failure, and then the result is
 * undefined. A command whose exit code is known by then keeps it.
 */
export async function untilReaderIsGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    const isGone = error instanceof OutputClosed || (cause as NodeJS.ErrnoException | undefined)?.code === "EPIPE";
    if (isGone) return undefined;
    throw error;
  }
}

export class TextOutput {
  private readonly stream: Writable;
  private pending = "";
  private failure: Error | undefined;

  constructor(stream: Writable = process.stdout) {
    this.stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.failure =
        error.code === "EPIPE" ? new OutputClosed() : new UserError(`writing the output failed: ${error.message}`);
    });
  }

  /** Writes a text. Await the result if there is one. */
  write(text: string | Uint8Array): Promise<void> | undefined {
    if (typeof text !== "string") return this.writeBytes(text);
    this.pending += text;
    return this.pending.length >= piece_chars ? this.flush() : undefined;
  }

  async flush(): Promise<void> {
    const text = this.pending;
    this.pending = "";
    if (text !== "") await this.hand(text);
    if (this.failure !== undefined) throw this.failure;
  }

  private async writeBytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.hand(bytes);
  }

  private hand(piece: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.stream.write(piece, () => resolve()));
  }
}

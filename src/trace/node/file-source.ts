// A trace, or another file that is read in pieces, or one from a pipe (spooled into a file without a name first). Node only.
import { closeSync, createReadStream, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { FormatError, messageOf, UserError } from "../../base/errors.js";
import { fileHead_bytes } from "../file/layout.js";
import { TraceReader } from "../file/reader.js";
import type { ByteSource } from "../file/source.js";
import { nodeCodec } from "./codec.js";
import { gunzipped } from "./gunzip.js";

/** Greatest length of a trace's header, except absurd ones. */
const headMax_bytes = 16 << 20;
const lookForHeadEvery_ms = 50;

interface SourceOptions {
  /** Name in messages, if it isn't the path. */
  name?: string;
  /** The reasons why the content isn't whole. */
  incomplete?: readonly string[];
}

export class FileSource implements ByteSource {
  readonly name: string;
  readonly incomplete: readonly string[];
  private readonly descriptor: number;
  private readonly spool: Spool | undefined;
  private readonly onClose: (() => void) | undefined;
  private known_bytes = 0;

  private constructor(name: string, source: number | Spool, onClose?: () => void, incomplete: readonly string[] = []) {
    this.name = name;
    this.incomplete = incomplete;
    this.onClose = onClose;
    this.spool = typeof source === "number" ? undefined : source;
    this.descriptor = typeof source === "number" ? source : source.descriptor;
  }

  /** Opens a file; `-` is standard input. Bytes from a pipe can be read as they come. Throws UserError. */
  static open(path: string, { name = path, incomplete = [] }: SourceOptions = {}): FileSource {
    if (path === "-") return new FileSource("standard input", new Spool(process.stdin, "standard input"));
    let descriptor: number;
    try {
      descriptor = openSync(path, "r");
    } catch (error) {
      throw new UserError(`opening ${path} failed: ${messageOf(error)}`, { cause: error });
    }
    const status = fstatSync(descriptor);
    if (status.isFile()) return new FileSource(name, descriptor, undefined, incomplete);
    if (status.isDirectory()) {
      closeSync(descriptor);
      throw new UserError(`${path} is a folder, not a file`);
    }
    return new FileSource(name, new Spool(createReadStream("", { fd: descriptor }), name));
  }

  /**
   * Of a stream's bytes, which are there as they come. `onClose` ends the stream's own source; `incomplete` is known when all have come.
   * Throws UserError.
   */
  static ofStream(
    stream: Readable,
    name: string,
    onClose?: () => void,
    incomplete: readonly string[] = [],
  ): FileSource {
    return new FileSource(name, new Spool(stream, name), onClose, incomplete);
  }

  get coming(): boolean | undefined {
    return this.spool?.coming;
  }

  async size(): Promise<number> {
    return fstatSync(this.descriptor).size;
  }

  async read(offset: number, length_bytes: number): Promise<Uint8Array> {
    // Asks only if the known length isn't enough: a file that is being written grows.
    if (offset + length_bytes > this.known_bytes) this.known_bytes = fstatSync(this.descriptor).size;
    const bytes = new Uint8Array(Math.max(0, Math.min(length_bytes, this.known_bytes - offset)));
    let done = 0;
    while (done < bytes.length) {
      let read: number;
      try {
        read = readSync(this.descriptor, bytes, done, bytes.length - done, offset + done);
      } catch (error) {
        throw new UserError(`reading ${this.name} at byte ${offset + done} failed: ${messageOf(error)}`, {
          cause: error,
        });
      }
      if (read === 0) return bytes.subarray(0, done);
      done += read;
    }
    return bytes;
  }

  async close(): Promise<void> {
    this.spool?.end();
    this.onClose?.();
    closeSync(this.descriptor);
  }
}

/** Opens the file `path`, packed with gzip or not, for `work`, and closes it afterwards. Throws UserError. */
export async function withFileSource<Result>(
  path: string,
  work: (source: FileSource) => Promise<Result>,
): Promise<Result> {
  const source = await unpacked(FileSource.open(path), path);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** Returns a source of the unpacked content where `source` is a packed file; closes `source` then. */
async function unpacked(source: FileSource, path: string): Promise<FileSource> {
  if (source.coming !== undefined) return source;
  const [first, second] = await source.read(0, 2);
  if (first !== 0x1f || second !== 0x8b) return source;
  await source.close();
  const content = gunzipped(createReadStream(path) as AsyncIterable<Buffer>, (gap, what) => {
    throw Object.assign(new Error(gap === "cut" ? "unexpected end of file" : what), { code: "Z_BUF_ERROR" });
  });
  return FileSource.ofStream(Readable.from(content), path);
}

/** Copies a stream into a temporary file that vanishes with its descriptor. */
class Spool {
  readonly descriptor: number;
  private readonly stream: Readable;
  private readonly name: string;
  private ended = false;
  private failure: UserError | undefined;

  /** `name`: in messages. */
  constructor(stream: Readable, name: string) {
    this.stream = stream;
    this.name = name;
    const directory = mkdtempSync(join(tmpdir(), "mmiostrider-"));
    this.descriptor = openSync(join(directory, "spool"), "wx+", 0o600);
    rmSync(directory, { recursive: true });
    void this.copy();
  }

  /** True if more may come. Throws UserError if it can't be kept. */
  get coming(): boolean {
    if (this.failure !== undefined) throw this.failure;
    return !this.ended;
  }

  /** Takes no more of it. */
  end(): void {
    this.ended = true;
    this.stream.destroy();
  }

  /** Copies the stream. Never rejects: `coming` tells the end. */
  private async copy(): Promise<void> {
    try {
      for await (const chunk of this.stream as AsyncIterable<Buffer>) {
        if (this.ended) return;
        for (let done = 0; done < chunk.length; ) done += writeSync(this.descriptor, chunk, done);
      }
      this.ended = true;
    } catch (error) {
      if (this.ended) return;
      if ((error as NodeJS.ErrnoException).code?.startsWith("Z_") === true) {
        this.failure = new UserError(`unpacking ${this.name} failed: ${messageOf(error)}`, {
          cause: error,
          advice: "gunzip -t tests the file",
        });
        return;
      }
      this.failure = new UserError(`keeping what came through the pipe in ${tmpdir()} failed: ${messageOf(error)}`, {
        cause: error,
        advice: "set TMPDIR to a folder with more room",
      });
    }
  }
}

/**
 * Opens a trace for reading; `-` is standard input. `name` is the file's name in messages, if it isn't its path. Events from a pipe
 * are there for `refresh` as they come, and `source.coming` tells if more may come. Throws UserError, FormatError.
 */
export async function openTrace(path: string, options: SourceOptions = {}): Promise<TraceReader> {
  return openSource(FileSource.open(path, options));
}

/** The same for bytes that come from elsewhere; closes `source` where it can't be opened. Throws UserError, FormatError. */
export async function openSource(source: ByteSource): Promise<TraceReader> {
  try {
    for (;;) {
      const { coming } = source;
      try {
        return await TraceReader.open(source, nodeCodec);
      } catch (error) {
        if (!(error instanceof FormatError) || coming !== true) throw error;
        // the unreadable part, the file's first bytes or its header, may not have come yet
        const needed_bytes = (error.offset ?? 0) < fileHead_bytes ? fileHead_bytes : headMax_bytes;
        if ((await source.size()) >= needed_bytes) throw error;
      }
      await sleep(lookForHeadEvery_ms);
    }
  } catch (error) {
    await source.close();
    throw error;
  }
}

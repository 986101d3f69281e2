// A trace in a file, or coming through a pipe (spooled into a file without a name first). Node only.
import { closeSync, createReadStream, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, UserError } from "../base/errors.js";
import { nodeCodec } from "./node-codec.js";
import { TraceReader } from "./reader.js";
import type { ByteSource } from "./source.js";

export class FileSource implements ByteSource {
  readonly name: string;
  private readonly descriptor: number;
  private known_bytes = 0;

  private constructor(name: string, descriptor: number) {
    this.name = name;
    this.descriptor = descriptor;
  }

  /** `-` is standard input. Throws UserError. */
  static async open(path: string): Promise<FileSource> {
    if (path === "-")
      return new FileSource("standard input", await spool(createReadStream("", { fd: 0, autoClose: false })));
    let descriptor: number;
    try {
      descriptor = openSync(path, "r");
    } catch (error) {
      throw new UserError(`opening ${path} failed: ${messageOf(error)}`, { cause: error });
    }
    const status = fstatSync(descriptor);
    if (status.isFile()) return new FileSource(path, descriptor);
    if (status.isDirectory()) {
      closeSync(descriptor);
      throw new UserError(`${path} is a folder, not a trace`);
    }
    return new FileSource(path, await spool(createReadStream("", { fd: descriptor })));
  }

  async size(): Promise<number> {
    return fstatSync(this.descriptor).size;
  }

  async read(offset: number, length_bytes: number): Promise<Uint8Array> {
    // Asked only where what was known isn't enough: a file that is being written grows.
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
    closeSync(this.descriptor);
  }
}

/** Copies a stream into a temporary file that vanishes with its descriptor; returns that. */
async function spool(stream: AsyncIterable<Buffer>): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "mmiostrider-"));
  const descriptor = openSync(join(directory, "spool"), "wx+", 0o600);
  rmSync(directory, { recursive: true });
  try {
    for await (const chunk of stream) {
      for (let done = 0; done < chunk.length; ) done += writeSync(descriptor, chunk, done);
    }
  } catch (error) {
    closeSync(descriptor);
    throw new UserError(`keeping what came through the pipe in ${tmpdir()} failed: ${messageOf(error)}`, {
      cause: error,
      advice: "set TMPDIR to a folder with more room",
    });
  }
  return descriptor;
}

/** Opens a trace for reading; `-` is standard input. Throws UserError, FormatError. */
export async function openTrace(path: string): Promise<TraceReader> {
  const source = await FileSource.open(path);
  try {
    return await TraceReader.open(source, nodeCodec);
  } catch (error) {
    await source.close();
    throw error;
  }
}

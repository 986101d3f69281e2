// The reader's interface to a trace's bytes, by place. file-source.ts has the one for files.

export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  /** For a pipe: true if more bytes may come. Throws UserError if they can't be kept. */
  readonly coming?: boolean | undefined;
  /** The reasons why these bytes aren't all of their file's content, known when all have come. */
  readonly incomplete?: readonly string[];
  size(): Promise<number>;
  /** Reads `length_bytes` from `offset` on, or fewer at the source's end. */
  read(offset: number, length_bytes: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A source in memory: for a browser's dropped file, and for tests. */
export class MemorySource implements ByteSource {
  readonly name: string;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, name = "memory") {
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.name = name;
  }

  async size(): Promise<number> {
    return this.bytes.length;
  }

  async read(offset: number, length_bytes: number): Promise<Uint8Array> {
    return this.bytes.subarray(offset, offset + length_bytes);
  }

  async close(): Promise<void> {}
}

/** A file given to a page (dropped, or chosen), read in pieces on demand: it may be larger than the memory. */
export class BlobSource implements ByteSource {
  readonly name: string;
  private readonly blob: Blob;

  constructor(blob: Blob, name = "file") {
    this.blob = blob;
    this.name = name;
  }

  async size(): Promise<number> {
    return this.blob.size;
  }

  async read(offset: number, length_bytes: number): Promise<Uint8Array> {
    return new Uint8Array(await this.blob.slice(offset, offset + length_bytes).arrayBuffer());
  }

  async close(): Promise<void> {}
}

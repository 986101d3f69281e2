// Where a trace is read from, as the reader sees it: bytes by place. file-source.ts has the one for files.

export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** Where bytes come through a pipe: whether more may come. Throws UserError when they can't be kept. */
  readonly coming?: boolean | undefined;
  size(): Promise<number>;
  /** The bytes from `offset` on: `length_bytes` of them, or fewer where the source ends. */
  read(offset: number, length_bytes: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A source that is all in memory already: what a browser has of a dropped file, and tests. */
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

/** A file that a page was given (dropped, or chosen), read piece by piece as it is needed: it may be larger than the memory. */
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

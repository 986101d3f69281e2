// Where records come from, as the feed sees it: each engine has a source of its own.

export interface RecordSource {
  /** Waits for records; returns the bytes read, 0 at the end. */
  readRecords(buffer: Uint8Array): Promise<number>;
}

/** What a source knows of its records that only reading them tells. */
export interface SourceCounts {
  readonly lost: number;
  /** Accesses that the kernel could not decode. */
  readonly unknown: number;
  /** Recorded mappings so far. */
  readonly mappings: number;
  readonly livingMappings: number;
}

/** A source that must read text to have records: its recording asks it how far it is. */
export interface TextSource extends SourceCounts {
  /** Settles when all that the kernel has kept so far has been read. */
  emptied(): Promise<void>;
  /** The kernel keeps nothing more: what it has is all. */
  end(): void | Promise<void>;
  close(): void | Promise<void>;
}

/** A source in a process that reads it for the recorder. */
export interface WorkerSource extends RecordSource, Partial<TextSource> {
  /** The recorder is gone: what was recorded until now is all that there will be. */
  abandon(): void;
}

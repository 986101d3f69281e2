// The feed's interface to a source of records: each engine has its own source.

export interface RecordSource {
  /** Waits for records; returns the bytes read, 0 at the end. */
  readRecords(buffer: Uint8Array): Promise<number>;
}

/** Counts that a source knows only after reading its records. */
export interface SourceCounts {
  readonly lost: number;
  /** Number of accesses that the kernel couldn't decode. */
  readonly unknown: number;
  /** Number of recorded mappings so far. */
  readonly mappings: number;
  readonly livingMappings: number;
}

/** A source that makes records from text: its recording asks for its progress. */
export interface TextSource extends SourceCounts {
  /** Settles when all that the kernel has kept so far has been read. */
  emptied(): Promise<void>;
  /** Tells that the kernel keeps nothing more. */
  end(): void | Promise<void>;
  close(): void | Promise<void>;
}

/** A source inside a process that reads it for the recorder. */
export interface WorkerSource extends RecordSource, Partial<TextSource> {
  /** Tells that the recorder is gone: nothing more will be recorded. */
  abandon(): void;
}

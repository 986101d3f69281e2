// Events of threads as columns, as a reader hands them to a detector. Names are numbers here; the reader knows the words.

/** Kinds of events, as numbers in a column. A read is even and a write odd, and both are less than all others. */
export const EventKind = {
  read: 0,
  write: 1,
  acquire: 2,
  release: 3,
  fork: 4,
  join: 5,
  /** Begin and end of a transaction, which order nothing. */
  begin: 6,
  end: 7,
} as const;

/** The words for the kinds, by number. */
export const eventWords = ["read", "write", "acquire", "release", "fork", "join", "begin", "end"] as const;

/** Greatest number of events in a batch. */
export const batchEventsMax = 1024;

/**
 * Events in the order of the trace. A target is a variable's number for reads and writes, a lock's for acquire and release, a
 * thread's for fork and join, and 0 for begin and end. Threads, locks and variables are each numbered from 0, as they first occur.
 */
export class EventBatch {
  readonly kinds = new Uint8Array(batchEventsMax);
  readonly threads = new Int32Array(batchEventsMax);
  readonly targets = new Int32Array(batchEventsMax);
  readonly locations = new Int32Array(batchEventsMax);
  length = 0;
  /** Number of the first event; the trace's first one is number 1. */
  firstEvent = 1;
  /** Threads, locks and variables that the trace has named up to the end of this batch. */
  threadCount = 0;
  lockCount = 0;
  variableCount = 0;
}

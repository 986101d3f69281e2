// A decoded events block as typed arrays: what bulk consumers walk through, and what events are made of (block-events.ts).

/** Distinct (site, kind, width, flags, mapping) of a block. */
export interface Shapes {
  count: number;
  kind: Uint8Array;
  width_bytes: Uint8Array;
  /** Without the flags that say where the CPU was: those are the task's. */
  flags: Uint32Array;
  mapping: Uint32Array;
  site: BigUint64Array;
}

/** Distinct (CPU, process, interrupt context) of a block. */
export interface Tasks {
  count: number;
  cpu: Uint16Array;
  pid: Uint32Array;
  contextFlags: Uint8Array;
}

/**
 * The content of one events block.
 *
 * A row is an access, or a part of one that needs several records. Its word says what was accessed:
 * `word[row]` → `wordAddress[word]` → `address[…]`, `addressShape[…]` → shapes.
 */
export interface EventColumns {
  rows: number;
  /** Time stamp of the first row. */
  tscFirst: bigint;
  /** By row: ticks since the first row. May go back where CPUs raced. */
  ticks: Float64Array;
  /** By row. */
  word: Uint16Array;
  /** By row: which task. */
  task: Uint16Array;
  tasks: Tasks;
  words: number;
  /** By word: which address. */
  wordAddress: Uint16Array;
  /** By word: the value's low and high 32 bits. */
  wordLow: Uint32Array;
  wordHigh: Uint32Array;
  /** By word: the value's upper 64 bits where it has any (accesses wider than 8 bytes). */
  wordUpper: Map<number, bigint>;
  addresses: number;
  /** By address: physical. Exact: below 2^52. */
  address: Float64Array;
  /** By address: which shape. */
  addressShape: Uint16Array;
  shapes: Shapes;
  others: number;
  /** By other record: how many rows come before it. */
  otherAt: Uint32Array;
  /** Whole records, 64 bytes each; their sequence numbers are 0. */
  other: Uint8Array;
  /** JSON: what holds before the block's first record, */
  state: Uint8Array;
  /** and the other records that come between that and these columns, where they are only a part of the block; as `other`. */
  before: Uint8Array;
}

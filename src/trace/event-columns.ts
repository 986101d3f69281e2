// A decoded events block as typed arrays: for bulk consumers, and for block-events.ts, which makes events of them.

/** The different (site, caller, kind, width, flags, mapping) of a block. */
export interface Shapes {
  count: number;
  kind: Uint8Array;
  width_bytes: Uint8Array;
  /** Without the flags of the CPU's context, which belong to the task. */
  flags: Uint32Array;
  mapping: Uint32Array;
  site: BigUint64Array;
  /** As in a record: callerAddress() makes the address; 0 for none. */
  caller: Uint32Array;
}

/** The different (CPU, process, interrupt context) of a block. */
export interface Tasks {
  count: number;
  cpu: Uint16Array;
  pid: Uint32Array;
  contextFlags: Uint8Array;
}

/**
 * The content of one events block.
 *
 * A row is an access, or a part of one that needs several records. Its word leads to the accessed address:
 * `word[row]` → `wordAddress[word]` → `address[…]`, `addressShape[…]` → shapes.
 */
export interface EventColumns {
  rows: number;
  /** Time stamp of the first row. */
  tscFirst: bigint;
  /** By row: ticks since the first row. May go back when CPUs race. */
  ticks: Float64Array;
  /** By row: the word's number. */
  word: Uint16Array;
  /** By row: the task's number. */
  task: Uint16Array;
  tasks: Tasks;
  words: number;
  /** By word: the address's number. */
  wordAddress: Uint16Array;
  /** By word: the value's low and high 32 bits. */
  wordLow: Uint32Array;
  wordHigh: Uint32Array;
  /** By word: the value's upper 64 bits, if any (accesses wider than 8 bytes). */
  wordUpper: Map<number, bigint>;
  addresses: number;
  /** By address: the physical address. Exact: below 2^52. */
  address: Float64Array;
  /** By address: the shape's number. */
  addressShape: Uint16Array;
  shapes: Shapes;
  others: number;
  /** By other record: the number of rows before it. */
  otherAt: Uint32Array;
  /** Whole records, 64 bytes each; their sequence numbers are 0. */
  other: Uint8Array;
  /** JSON: the state before the block's first record. */
  state: Uint8Array;
  /** If these columns are only a part of the block: the other records between that state and them, in the form of `other`. */
  before: Uint8Array;
}

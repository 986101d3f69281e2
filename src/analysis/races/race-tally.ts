// Counts racy events as RAPID does, one for each event that races with anything before it, and folds the pairs of accesses behind them
// by variable and locations.
import type { PairedAccess, RaceSink } from "./detector.js";
import { EventKind } from "./event-batch.js";
import { grown } from "./name-table.js";

const firstSlots = 256;
/** Distinct pairs that are kept; later ones are only counted. */
export const pairsMax = 100_000;

/**
 * A pair's row, of 32-bit words. Events and counts beyond 2^31 don't fit, and no trace that long is read in a day.
 *
 *     variable | kinds | earlier location | later location | count | first event | its earlier thread | its later thread
 */
const rowWidth = 8;
const Row = {
  variable: 0,
  kinds: 1,
  earlier: 2,
  later: 3,
  count: 4,
  event: 5,
  earlierThread: 6,
  laterThread: 7,
} as const;

/** Kinds of a pair: which of the two write. */
const earlierWrites = 1;
const laterWrites = 2;
/** There is no earlier access: the later one alone is at fault. */
const alone = 4;

/** One side of a folded pair. */
export interface RacingAccess {
  operation: "read" | "write";
  location: number;
}

/** Pairs with the same variable, operations and locations; of an algorithm that finds no pairs, events that have them. */
export interface FoldedRace {
  /** The variable's number. */
  variable: number;
  earlier: RacingAccess | null;
  later: RacingAccess;
  count: number;
  /** Number of the event at which the pair was first found, and the threads of its accesses. */
  firstEvent: number;
  firstThreads: readonly [earlier: number, later: number] | readonly [later: number];
}

export class RaceTally implements RaceSink {
  racyEvents = 0;
  /** Racy pairs that were found when there were `pairsMax` distinct ones already. */
  unfolded = 0;
  /** Gets the number of each racy event, in order. */
  private readonly onRacy: (event: number) => void;
  /** A pair's number plus 1 in the slot of its hash or the next free one behind it; 0 is free. */
  private slots = new Int32Array(firstSlots);
  private rows = new Int32Array(firstSlots * rowWidth);
  private pairs = 0;
  /** Racy events by variable. */
  private byVariable = new Float64Array(firstSlots);
  private variables = 0;

  constructor(onRacy: (event: number) => void = () => {}) {
    this.onRacy = onRacy;
  }

  /** Counts a racy event. */
  racy(event: number, variable: number): void {
    this.racyEvents += 1;
    if (variable >= this.byVariable.length) this.byVariable = grown(this.byVariable, 2 * (variable + 1));
    if (this.byVariable[variable] === 0) this.variables += 1;
    this.byVariable[variable]! += 1;
    this.onRacy(event);
  }

  /** Adds a pair. */
  pair(variable: number, earlier: PairedAccess | undefined, later: PairedAccess & { event: number }): void {
    const writes = later.kind === EventKind.write ? laterWrites : 0;
    const kinds = writes | (earlier === undefined ? alone : earlier.kind === EventKind.write ? earlierWrites : 0);
    const row = this.find(variable, kinds, earlier?.location ?? 0, later.location);
    if (row < 0) {
      this.unfolded += 1;
      return;
    }
    const { rows } = this;
    if (rows[row + Row.count] === 0) {
      rows[row + Row.event] = later.event;
      rows[row + Row.earlierThread] = earlier?.thread ?? -1;
      rows[row + Row.laterThread] = later.thread;
    }
    rows[row + Row.count]! += 1;
  }

  /** The folded pairs, the most frequent first; of the same number, the first found first. */
  folded(): FoldedRace[] {
    return Array.from({ length: this.pairs }, (_, pair) => this.fold(pair)).sort(
      (a, b) =>
        b.count - a.count || a.firstEvent - b.firstEvent || (a.earlier?.location ?? 0) - (b.earlier?.location ?? 0),
    );
  }

  /** The numbers of the variables with racy events, in rising order, with the number of those events. */
  *racyVariables(): Generator<{ variable: number; events: number }> {
    for (const [variable, events] of this.byVariable.entries()) if (events > 0) yield { variable, events };
  }

  get racyVariableCount(): number {
    return this.variables;
  }

  private fold(pair: number): FoldedRace {
    const row = this.rows.subarray(pair * rowWidth, (pair + 1) * rowWidth);
    const kinds = row[Row.kinds]!;
    const isAlone = (kinds & alone) !== 0;
    const operation = (writes: number) => ((kinds & writes) !== 0 ? "write" : "read");
    return {
      variable: row[Row.variable]!,
      earlier: isAlone ? null : { operation: operation(earlierWrites), location: row[Row.earlier]! },
      later: { operation: operation(laterWrites), location: row[Row.later]! },
      count: row[Row.count]!,
      firstEvent: row[Row.event]!,
      firstThreads: isAlone ? [row[Row.laterThread]!] : [row[Row.earlierThread]!, row[Row.laterThread]!],
    };
  }

  /** Finds or adds a pair; returns its row's place, or -1 where there are too many. */
  private find(variable: number, kinds: number, first: number, second: number): number {
    const { slots, rows } = this;
    const mask = slots.length - 1;
    let slot = hashOf(variable, kinds, first, second) & mask;
    for (;;) {
      const pair = slots[slot]! - 1;
      if (pair < 0) break;
      const row = pair * rowWidth;
      const isSame = rows[row] === variable && rows[row + Row.kinds] === kinds && rows[row + Row.earlier] === first;
      if (isSame && rows[row + Row.later] === second) return row;
      slot = (slot + 1) & mask;
    }
    if (this.pairs === pairsMax) return -1;
    const row = this.pairs * rowWidth;
    this.pairs += 1;
    slots[slot] = this.pairs;
    rows[row] = variable;
    rows[row + Row.kinds] = kinds;
    rows[row + Row.earlier] = first;
    rows[row + Row.later] = second;
    if (2 * this.pairs > slots.length) this.spread();
    return row;
  }

  /** Doubles the room. */
  private spread(): void {
    const length = 2 * this.slots.length;
    this.slots = new Int32Array(length);
    this.rows = grown(this.rows, length * rowWidth);
    const { rows, slots } = this;
    for (let pair = 0; pair < this.pairs; pair += 1) {
      const row = pair * rowWidth;
      let slot = hashOf(rows[row]!, rows[row + Row.kinds]!, rows[row + Row.earlier]!, rows[row + Row.later]!);
      slot &= length - 1;
      while (slots[slot] !== 0) slot = (slot + 1) & (length - 1);
      slots[slot] = pair + 1;
    }
  }
}

function hashOf(variable: number, kinds: number, first: number, second: number): number {
  let hash = Math.imul(variable ^ 0x2545f491, 0x2c1b3c6d) ^ kinds;
  hash = Math.imul(hash ^ (hash >>> 13) ^ first, 0x297a2d39);
  hash = Math.imul(hash ^ (hash >>> 13) ^ second, 0x2c1b3c6d);
  return (hash ^ (hash >>> 15)) >>> 0;
}

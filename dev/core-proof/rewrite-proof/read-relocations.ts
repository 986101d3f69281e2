// The relocations of one section as the proof reads them: columns, because graphics drivers have a million.

export interface ReadRelocation {
  offset: number;
  type: number;
  symbol: number;
  addend: number;
}

const entry_bytes = 24;

/** The entries in the file's order. */
export class ReadRelocations {
  readonly length: number;
  readonly #offsets: Float64Array;
  readonly #types: Uint32Array;
  readonly #symbols: Uint32Array;
  readonly #addends: Float64Array;
  /** The entries' numbers by offset, once somebody looks for one. */
  #order: Uint32Array | undefined;

  constructor(content: Uint8Array) {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    this.length = Math.floor(content.length / entry_bytes);
    this.#offsets = new Float64Array(this.length);
    this.#types = new Uint32Array(this.length);
    this.#symbols = new Uint32Array(this.length);
    this.#addends = new Float64Array(this.length);
    for (let entry = 0; entry < this.length; entry += 1) {
      const at = entry_bytes * entry;
      this.#offsets[entry] = Number(view.getBigUint64(at, true));
      this.#types[entry] = view.getUint32(at + 8, true);
      this.#symbols[entry] = view.getUint32(at + 12, true);
      this.#addends[entry] = Number(view.getBigInt64(at + 16, true));
    }
  }

  /** Returns an entry by its number. */
  at(entry: number): ReadRelocation | undefined {
    if (entry < 0 || entry >= this.length) return undefined;
    return {
      offset: this.#offsets[entry]!,
      type: this.#types[entry]!,
      symbol: this.#symbols[entry]!,
      addend: this.#addends[entry]!,
    };
  }

  *[Symbol.iterator](): Generator<ReadRelocation> {
    for (let entry = 0; entry < this.length; entry += 1) yield this.at(entry)!;
  }

  /** Returns the number of the last entry that changes this offset, -1 if there is none. */
  find(offset: number): number {
    this.#order ??= stableOrder(this.#offsets);
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#offsets[this.#order[middle]!]! <= offset) low = middle + 1;
      else high = middle;
    }
    const entry = this.#order[low - 1];
    return entry !== undefined && this.#offsets[entry] === offset ? entry : -1;
  }
}

/** Returns the numbers of values from the lowest to the highest; of equal ones the first comes first. */
export function stableOrder(values: Float64Array): Uint32Array {
  const order = Uint32Array.from(values.keys());
  // most tables are in order
  const isSorted = values.every((value, place) => place === 0 || values[place - 1]! <= value);
  return isSorted ? order : order.sort((a, b) => values[a]! - values[b]! || a - b);
}

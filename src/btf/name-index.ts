// Finds a table's types by their names: a hash table of type numbers, which holds no text and no objects.
import type { BtfTable } from "./table.js";

/** 32-bit FNV-1a of a text's characters. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  // the low bits choose the slot, so they must depend on all others
  return (value ^ (value >>> 15)) >>> 0;
}

export class NameIndex {
  /** Type numbers plus 1, each in the first free slot from its name's hash on; 0 is free. */
  private readonly slots: Uint32Array;
  private readonly nameAt: (index: number) => string | undefined;

  /** `nameAt` returns the name of the table's type `index`, undefined for none. */
  constructor(table: BtfTable, nameAt: (index: number) => string | undefined) {
    this.nameAt = nameAt;
    // at least half of the slots stay free, which keeps searches short
    this.slots = new Uint32Array(2 ** Math.ceil(Math.log2(2 * table.count + 2)));
    for (let index = 0; index < table.count; index += 1) {
      if (table.nameOffset(index) === 0) continue;
      const name = nameAt(index);
      if (name !== undefined) this.add(name, index);
    }
  }

  /** Lists the types with that name in the table's order. */
  find(name: string): number[] {
    const found: number[] = [];
    const { slots } = this;
    for (let slot = hash(name) & (slots.length - 1); slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const index = slots[slot]! - 1;
      if (this.nameAt(index) === name) found.push(index);
    }
    return found.sort((a, b) => a - b);
  }

  private add(name: string, index: number): void {
    const { slots } = this;
    let slot = hash(name) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = index + 1;
  }
}

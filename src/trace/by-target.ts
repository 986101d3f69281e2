// Remembers results for one block's accesses by their `target`: a driver accesses few registers in few ways, again and
// again. Forgets everything when another block begins.

/** No block has more targets: they are counted with 16 bits in its columns. */
export const blockTargets = 1 << 16;

export class ByTarget<Value> {
  private block = -1;
  private values: (Value | undefined)[] = [];

  /** Returns the target's value, or undefined. */
  get(target: number): Value | undefined {
    const block = Math.floor(target / blockTargets);
    return block === this.block ? this.values[target - block * blockTargets] : undefined;
  }

  /** Remembers the target's value; does nothing if the target is unknown. */
  set(target: number, value: Value): void {
    if (target < 0) return;
    const block = Math.floor(target / blockTargets);
    if (block !== this.block) {
      this.block = block;
      this.values = [];
    }
    this.values[target - block * blockTargets] = value;
  }

  clear(): void {
    this.block = -1;
    this.values = [];
  }
}

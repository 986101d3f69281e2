// For each variable, the accesses that a later one may race with: lists of the last access of each thread, as its time and location.
// Nearly all lists have one element, as in FastTrack's epochs: that one lies in the variable's own row. Others are chained nodes.
import { grown } from "./name-table.js";

const firstVariables = 256;
const firstNodes = 256;

/** A variable's row: the first element of the list of writes, then of the list of reads. Time 0 means an empty list. */
export const rowWidth = 8;
/** The offset of a list's first element in a variable's row. */
export const ListAt = { writes: 0, reads: 4 } as const;
/** An element's parts, in a row and in a node alike; `next` is the position of another node, or 0. */
export const Part = { thread: 0, time: 1, location: 2, next: 3 } as const;
const nodeWidth = 4;

/** Gets a thread's time and location out of a list. */
export type Found = (thread: number, location: number) => void;

export class AccessLists {
  /** The rows of all variables. Growing replaces it. */
  rows = new Int32Array(firstVariables * rowWidth);
  private nodes = new Int32Array(firstNodes * nodeWidth);
  /** The first position that no node has used; position 0 means no node. */
  private unused: number = nodeWidth;
  /** A chain of nodes that are free again. */
  private free = 0;

  widen(variables: number): void {
    if (variables * rowWidth > this.rows.length) this.rows = grown(this.rows, 2 * variables * rowWidth);
  }

  /** Calls `found` for each element of `list` that isn't before `clock`, a row of clocks at `values[at]`; returns their number. */
  after(list: number, values: Int32Array, at: number, found: Found): number {
    const { rows, nodes } = this;
    let count = 0;
    if (rows[list + Part.time]! > values[at + rows[list]!]!) {
      count += 1;
      found(rows[list]!, rows[list + Part.location]!);
    }
    for (let node = rows[list + Part.next]!; node !== 0; node = nodes[node + Part.next]!) {
      if (nodes[node + Part.time]! <= values[at + nodes[node]!]!) continue;
      count += 1;
      found(nodes[node]!, nodes[node + Part.location]!);
    }
    return count;
  }

  /** Removes the elements that are before the clock at `values[at]`. */
  prune(list: number, values: Int32Array, at: number): void {
    const { rows, nodes } = this;
    let node = rows[list + Part.next]!;
    let kept = 0;
    while (node !== 0) {
      const next = nodes[node + Part.next]!;
      if (nodes[node + Part.time]! <= values[at + nodes[node]!]!) this.release(node);
      else {
        nodes[node + Part.next] = kept;
        kept = node;
      }
      node = next;
    }
    rows[list + Part.next] = kept;
    if (rows[list + Part.time]! > values[at + rows[list]!]!) return;
    // the row's own element goes: a node's takes its place
    rows[list + Part.time] = 0;
    rows[list] = 0;
    if (kept === 0) return;
    rows.set(nodes.subarray(kept, kept + nodeWidth), list);
    this.release(kept);
  }

  /** Sets a thread's element of the list, whatever it was before. */
  set(list: number, thread: number, time: number, location: number): void {
    const { rows } = this;
    if (rows[list + Part.time] === 0 || rows[list] === thread) {
      rows[list] = thread;
      rows[list + Part.time] = time;
      rows[list + Part.location] = location;
      return;
    }
    let { nodes } = this;
    let node = rows[list + Part.next]!;
    while (node !== 0 && nodes[node] !== thread) node = nodes[node + Part.next]!;
    if (node === 0) {
      node = this.node();
      nodes = this.nodes;
      nodes[node] = thread;
      nodes[node + Part.next] = rows[list + Part.next]!;
      rows[list + Part.next] = node;
    }
    nodes[node + Part.time] = time;
    nodes[node + Part.location] = location;
  }

  /** Sets a thread's element of the list if it has an earlier time there, or none. */
  raise(list: number, thread: number, time: number, location: number): void {
    const { rows, nodes } = this;
    let before = rows[list] === thread ? rows[list + Part.time]! : 0;
    for (let node = rows[list + Part.next]!; node !== 0; node = nodes[node + Part.next]!) {
      if (nodes[node] === thread) before = nodes[node + Part.time]!;
    }
    if (time > before) this.set(list, thread, time, location);
  }

  private node(): number {
    const node = this.free;
    if (node !== 0) {
      this.free = this.nodes[node + Part.next]!;
      return node;
    }
    const fresh = this.unused;
    this.unused += nodeWidth;
    if (this.unused > this.nodes.length) this.nodes = grown(this.nodes, 2 * this.unused);
    return fresh;
  }

  private release(node: number): void {
    this.nodes[node + Part.next] = this.free;
    this.free = node;
  }
}

// Lists a domain's registers: each once, with the number of its copies.
import type { Node } from "./compile.js";
import type { DomainView } from "./domain-view.js";

export interface ListedRegister {
  bar: number;
  /** Bytes from the BAR's start, of the first copy. */
  offset: number;
  width_bits: number;
  access: string;
  /** `PFIFO.CACHE[].PUSH0`: an index that varies has empty brackets. */
  name: string;
  /** `×16 every 0x8`, for each index from the outside in; empty for a single one. */
  copies: string;
  brief: string | null;
}

/** Lists the registers of a domain that begins at `start` in `bar`, by offset. */
export function listRegisters(view: DomainView, bar: number, start: number): ListedRegister[] {
  const unit_bytes = view.domain.width_bits / 8;
  const found: ListedRegister[] = [];
  const walk = (nodes: readonly Node[], base: number, path: string, indices: string, copies: string[]): void => {
    for (const node of nodes) {
      const offset = base + (node.offsets?.[0] ?? node.offset);
      const inner = node.indexed ? [...copies, copiesOf(node, unit_bytes)] : copies;
      const index = `${indices}${node.indexed ? "[]" : ""}`;
      const named = node.name === undefined ? path : `${path}${path === "" ? "" : "."}${node.name}${index}`;
      if (node.register === undefined) {
        walk(node.children, offset, named, node.name === undefined ? index : "", inner);
        continue;
      }
      const { width_bits, access, definition } = node.register;
      const brief = definition.brief ?? null;
      found.push({
        bar,
        offset: start + offset * unit_bytes,
        width_bits,
        access,
        name: named,
        copies: inner.join(", "),
        brief,
      });
    }
  };
  walk(view.nodes, 0, "", "", []);
  return found.sort((a, b) => a.offset - b.offset);
}

function copiesOf(node: Node, unit_bytes: number): string {
  const count = Number.isFinite(node.length) ? node.length.toString() : "unknown";
  if (node.offsets !== undefined) return `×${count} at listed offsets`;
  return `×${count} every 0x${(node.stride * unit_bytes).toString(16)}`;
}

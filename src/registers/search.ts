// Finds the register at an address among compiled nodes. The first match in the order of definition wins. Names are
// built as in envytools' decoder: `ARRAY[0x1].REGISTER[0x2]`, `REGISTER+0x1` inside a register, `ARRAY[0x1]+0x20` if an
// array has nothing at the address. Arrays without a name add none.
import type { Node, RegisterDefinition } from "./compile.js";
import { type Access, Limits } from "./schema.js";

export interface Found {
  name: string;
  /** Undefined if only an array claims the address. */
  register: RegisterDefinition | undefined;
  /** Units from the start of the register or of the array element. */
  skip: number;
}

/** Number of nodes that may still be visited in this search. */
let visitsLeft = 0;

/**
 * Finds the register or array at `address`; `access` other than "rw" skips registers that can't be accessed that way.
 * Throws RangeError if the search takes too long, because very many copies overlap.
 */
export function find(nodes: readonly Node[], address: number, access: Access): Found | undefined {
  visitsLeft = Limits.visitsMax;
  return findIn(nodes, address, "", access);
}

/** `indices`: those of unnamed stripes around, which go after the first name inside. */
function findIn(nodes: readonly Node[], address: number, indices: string, access: Access): Found | undefined {
  visitsLeft -= nodes.length + 1;
  if (visitsLeft < 0) throw new RangeError(`more than ${Limits.visitsMax} elements may be at one address`);
  for (const node of nodes) {
    if (address < node.low || address >= node.high) continue;
    const found =
      node.kind === "register"
        ? inRegister(node, address, indices, access)
        : node.kind === "array"
          ? inArray(node, address, indices, access)
          : inStripe(node, address, indices, access);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inRegister(node: Node, address: number, indices: string, access: Access): Found | undefined {
  const register = node.register as RegisterDefinition;
  if (access !== "rw" && register.access !== "rw" && register.access !== access) return undefined;
  const copy = copyAt(node, address, node.size);
  if (copy === undefined) return undefined;
  const skip = address - copy.start;
  let name = `${node.name}${indices}`;
  if (node.indexed) name += index(copy.index);
  if (skip > 0) name += `+0x${skip.toString(16)}`;
  return { name, register, skip };
}

function inArray(node: Node, address: number, indices: string, access: Access): Found | undefined {
  const copy = copyAt(node, address, node.stride === 0 ? Number.POSITIVE_INFINITY : node.stride);
  if (copy === undefined) return undefined;
  const own = indices + (node.indexed ? index(copy.index) : "");
  const skip = address - copy.start;
  const inner = findIn(node.children, skip, node.name === undefined ? own : "", access);
  if (inner !== undefined) {
    return node.name === undefined ? inner : { ...inner, name: `${node.name}${own}.${inner.name}` };
  }
  // An array without a name gives no name for an address without a register.
  if (node.name === undefined) return undefined;
  return { name: `${node.name}${own}+${skip === 0 ? "0" : `0x${skip.toString(16)}`}`, register: undefined, skip };
}

function inStripe(node: Node, address: number, indices: string, access: Access): Found | undefined {
  const count = node.offsets?.length ?? node.length;
  let first = 0;
  let last = count - 1;
  if (node.offsets === undefined && node.stride > 0) {
    // Only copies whose registers can reach the address.
    first = Math.max(0, Math.floor((address - node.offset - node.innerHigh) / node.stride) + 1);
    last = Math.min(last, Math.floor((address - node.offset - node.innerLow) / node.stride));
  } else if (node.offsets === undefined) {
    last = 0;
  }
  for (let copy = first; copy <= last; copy++) {
    const start = node.offsets?.[copy] ?? node.offset + copy * node.stride;
    const own = indices + (node.indexed ? index(copy) : "");
    const inner = findIn(node.children, address - start, node.name === undefined ? own : "", access);
    if (inner === undefined) continue;
    return node.name === undefined ? inner : { ...inner, name: `${node.name}${own}.${inner.name}` };
  }
  return undefined;
}

/** Finds the copy of a register or array that holds `address`; each copy takes up `size`. */
function copyAt(node: Node, address: number, size: number): { index: number; start: number } | undefined {
  if (node.offsets !== undefined) {
    let best: { index: number; start: number } | undefined;
    for (const [copy, start] of node.offsets.entries()) {
      if (address >= start && address - start < size && (best === undefined || start > best.start)) {
        best = { index: copy, start };
      }
    }
    return best;
  }
  if (address < node.offset) return undefined;
  const copy = node.stride === 0 ? 0 : Math.floor((address - node.offset) / node.stride);
  const start = node.offset + copy * node.stride;
  return copy < node.length && address - start < size ? { index: copy, start } : undefined;
}

function index(copy: number): string {
  return copy === 0 ? "[0]" : `[0x${copy.toString(16)}]`;
}

// Compiles a domain's definition into nodes in which addresses are found: with groups put in place, without the elements
// that don't exist on the chosen variants, and with the range of addresses inside each node.
import { FormatError } from "../base/errors.js";
import type { Access, DomainDefinition, ElementDefinition, Place, Schema } from "./schema.js";
import { Limits } from "./schema.js";
import { outermost, type Scope, type VariantResolver } from "./variants.js";

/** A register's one definition, shared by its copies in arrays. */
export interface RegisterDefinition {
  readonly definition: ElementDefinition;
  readonly width_bits: number;
  readonly access: Access;
  readonly scope: Scope;
}

/** Offsets, strides and sizes are in the domain's units. */
export interface Node {
  readonly kind: "register" | "array" | "stripe";
  readonly name: string | undefined;
  readonly offset: number;
  readonly offsets: readonly number[] | undefined;
  /** Number of copies; Infinity if the database doesn't state it. */
  readonly length: number;
  readonly stride: number;
  /** Names contain the copy's index. */
  readonly indexed: boolean;
  /** Size of one copy, for registers. */
  readonly size: number;
  readonly children: readonly Node[];
  readonly register: RegisterDefinition | undefined;
  /** Addresses from `low` up to, but without, `high` may be inside; relative to the surrounding node. */
  readonly low: number;
  readonly high: number;
  /** The same for the children, relative to one copy of the node. */
  readonly innerLow: number;
  readonly innerHigh: number;
}

export type WarnAt = (place: Place, message: string) => void;

/** Compiles `domain` for the choice in `variants`; returns no nodes if the domain doesn't exist there. */
export function compileDomain(
  schema: Schema,
  domain: DomainDefinition,
  variants: VariantResolver,
  warn: WarnAt,
): Node[] {
  const scope = variants.enter(outermost, domain, (message) => warn(domain, message));
  if (scope === undefined) return [];
  return new Compiler(schema, domain, variants, warn).nodes(domain.children, scope);
}

class Compiler {
  readonly #schema: Schema;
  readonly #domain: DomainDefinition;
  readonly #variants: VariantResolver;
  readonly #warn: WarnAt;
  readonly #openGroups: string[] = [];
  #elements = 0;

  constructor(schema: Schema, domain: DomainDefinition, variants: VariantResolver, warn: WarnAt) {
    this.#schema = schema;
    this.#domain = domain;
    this.#variants = variants;
    this.#warn = warn;
  }

  nodes(elements: readonly ElementDefinition[], scope: Scope): Node[] {
    const nodes: Node[] = [];
    for (const element of elements) {
      if (++this.#elements > Limits.elementsMax) {
        throw new FormatError(element.file, `domain ${this.#domain.name} has over ${Limits.elementsMax} elements`, {
          line: element.line,
        });
      }
      const inner = this.#variants.enter(scope, element, (message) => this.#warn(element, message));
      if (inner === undefined) continue;
      const node = element.kind === "register" ? this.#register(element, inner) : this.#container(element, inner);
      if (node !== undefined) nodes.push(node);
    }
    return nodes;
  }

  #register(element: ElementDefinition, scope: Scope): Node | undefined {
    const size = element.width_bits / this.#domain.width_bits;
    if (size < 1) {
      this.#warn(element, `register ${element.name} is narrower than a unit of its domain`);
      return undefined;
    }
    const stride = element.stride === 0 && element.length !== 1 ? size : element.stride;
    const { width_bits, access } = element;
    const register = { definition: element, width_bits, access, scope };
    return makeNode(element, "register", { stride, size, children: [], register });
  }

  #container(element: ElementDefinition, scope: Scope): Node | undefined {
    if (element.kind === "use-group") {
      const name = element.name as string;
      const group = this.#schema.groups.get(name);
      if (group === undefined) {
        this.#warn(element, `there is no group ${name}`);
        return undefined;
      }
      if (this.#openGroups.includes(name)) {
        this.#warn(element, `group ${name} contains itself`);
        return undefined;
      }
      if (this.#openGroups.length >= Limits.nestingMax) {
        throw new FormatError(element.file, `groups use one another more than ${Limits.nestingMax} deep`, {
          line: element.line,
        });
      }
      this.#openGroups.push(name);
      const children = this.nodes(group.children, scope);
      this.#openGroups.pop();
      return makeNode({ ...element, name: undefined }, "stripe", { stride: 0, size: 0, children, register: undefined });
    }
    const kind = element.kind === "array" ? "array" : "stripe";
    if (kind === "array" && element.stride === 0 && element.offsets === undefined) return undefined;
    const children = this.nodes(element.children, scope);
    return makeNode(element, kind, { stride: element.stride, size: 0, children, register: undefined });
  }
}

function makeNode(
  element: ElementDefinition,
  kind: Node["kind"],
  parts: Pick<Node, "stride" | "size" | "children" | "register">,
): Node {
  const length = element.length === 0 ? Number.POSITIVE_INFINITY : element.length;
  let innerLow = 0;
  let innerHigh = parts.size;
  if (kind === "stripe") {
    innerLow = parts.children.reduce((low, child) => Math.min(low, child.low), Number.POSITIVE_INFINITY);
    innerHigh = parts.children.reduce((high, child) => Math.max(high, child.high), 0);
  } else if (kind === "array") {
    innerHigh = parts.stride;
  }
  const { name, offset, offsets } = element;
  const first = offsets === undefined ? offset : Math.min(...offsets);
  const last = offsets === undefined ? lastOffset(offset, length, parts.stride) : Math.max(...offsets);
  const reach = { low: first + innerLow, high: last + innerHigh, innerLow, innerHigh };
  return { kind, name, offset, offsets, length, indexed: element.length !== 1, ...parts, ...reach };
}

function lastOffset(offset: number, length: number, stride: number): number {
  return stride === 0 ? offset : offset + (length - 1) * stride;
}

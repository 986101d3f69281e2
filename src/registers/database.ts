// A register database for the rest of the project: names and meanings by BAR and offset.
import { UnknownNameError } from "../base/errors.js";
import { halvesOf } from "./bits.js";
import { describeValue } from "./describe.js";
import { DomainView } from "./domain-view.js";
import { type FieldValue, fieldValues } from "./field-values.js";
import { inRegister, matchParts, partOf, type RegisterMatch, type RegisterPart, type Remembered } from "./match.js";
import type { NameOffset } from "./number-words.js";
import type { DatabaseWarning, Schema } from "./schema.js";
import { select } from "./select.js";
import type { DescribeStyle, ValueType } from "./value-type.js";
import type { ChosenVariants } from "./variants.js";

export type Direction = "read" | "write";

/** A domain's place in a BAR: from `start` (bytes) up to `end`, or if that is unknown, up to the next domain's start. */
export interface Segment {
  readonly domain: string;
  readonly start: number;
  readonly end?: number;
}

/** The domains of each BAR, in the order of their starts. */
export type Layout = ReadonlyMap<number, readonly Segment[]>;

/**
 * Learns the places of a device's domains and its variant from the device's answers. Returns `database` itself, or one
 * that knows more. `offset` and `width_bytes` are in bytes, as for lookup(); it gets only reads.
 */
export type Observer = (
  database: RegisterDatabase,
  bar: number,
  offset: number,
  width_bytes: number,
  value: bigint,
) => RegisterDatabase;

export interface DescribeOptions {
  style?: DescribeStyle;
  direction?: Direction;
}

/** Answers remembered for each domain, width and direction; see domain-view.ts. */
const matchesMax = 1 << 16;

export class RegisterDatabase {
  /** Its name in messages: `e1000`, or the file's path. */
  readonly name: string;
  readonly schema: Schema;
  readonly layout: Layout;
  /** The chosen variants: enum → value's name, or its number. */
  readonly variants: ReadonlyMap<string, string>;
  /** The faults in the files; more are added as parts of them are used for the first time. */
  readonly warnings: DatabaseWarning[];
  readonly #observer: Observer | undefined;
  readonly #selection: ChosenVariants;
  readonly #views = new Map<string, DomainView>();
  readonly #matches = new Map<string, Map<number, Remembered | undefined>[]>();
  readonly #nameOffset: NameOffset;

  constructor(
    name: string,
    schema: Schema,
    layout: Layout,
    variants: ReadonlyMap<string, string> = new Map(),
    observer?: Observer,
  ) {
    this.name = name;
    this.schema = schema;
    this.layout = layout;
    this.variants = variants;
    this.#observer = observer;
    this.warnings = [...schema.warnings];
    this.#selection = select(name, schema, variants);
    this.#nameOffset = (domain, offset) => this.view(domain).at(offset, "rw")?.name;
  }

  /** Returns the same database with a variant of one more enum chosen; UnknownNameError if there is no such enum or variant. */
  withVariant(varset: string, variant: string): RegisterDatabase {
    const variants = new Map(this.variants).set(varset, variant);
    return new RegisterDatabase(this.name, this.schema, this.layout, variants, this.#observer);
  }

  /** Returns the same database with its domains at other places. */
  withLayout(layout: Layout): RegisterDatabase {
    return new RegisterDatabase(this.name, this.schema, layout, this.variants, this.#observer);
  }

  /** Returns the same database, which learns nothing more. */
  settled(): RegisterDatabase {
    return this.#observer === undefined
      ? this
      : new RegisterDatabase(this.name, this.schema, this.layout, this.variants, undefined);
  }

  /** True if observe() can ever return another database. */
  get learns(): boolean {
    return this.#observer !== undefined;
  }

  /**
   * Returns the database to use after a read: this one, or a new one if the value tells more about the device, such as
   * the start of an xHCI controller's registers or a GPU's chipset. Must be called for every read, in order.
   */
  observe(bar: number, offset: bigint | number, width_bytes: number, value: bigint): RegisterDatabase {
    return this.#observer === undefined ? this : this.#observer(this, bar, Number(offset), width_bytes, value);
  }

  /** Lists the domains in the BARs. */
  domains(): string[] {
    return [...new Set([...this.layout.values()].flat().map((segment) => segment.domain))];
  }

  /** Lists the enums that decide which registers exist in the BARs' domains, and of which no variant is chosen. */
  undecidedVarsets(): string[] {
    return [...new Set(this.domains().flatMap((domain) => [...this.view(domain).undecided]))];
  }

  /** Finds the segment that holds `offset`, else undefined. */
  segmentAt(bar: number, offset: number): Segment | undefined {
    const segments = this.layout.get(bar);
    return segments?.findLast(({ start, end = Number.POSITIVE_INFINITY }) => start <= offset && offset < end);
  }

  /**
   * Finds the registers that an access of `width_bytes` at `offset` (bytes from the BAR's start) touches; undefined if
   * the database has nothing there. `direction` chooses between two registers at one address, one for reading and one
   * for writing.
   */
  lookup(bar: number, offset: bigint | number, width_bytes: number, direction?: Direction): RegisterMatch | undefined {
    const at = Number(offset);
    const segment = this.segmentAt(bar, at);
    return segment === undefined
      ? undefined
      : this.lookupIn(segment.domain, at - segment.start, width_bytes, direction);
  }

  /** Does the same as lookup() in a domain by name. */
  lookupIn(domain: string, offset: number, width_bytes: number, direction?: Direction): RegisterMatch | undefined {
    return this.#match(domain, offset, width_bytes, direction);
  }

  #match(
    domain: string,
    offset: number,
    width_bytes: number,
    direction: Direction | undefined,
  ): Remembered | undefined {
    const matches = this.#matchesOf(domain, width_bytes, direction);
    const known = matches.get(offset);
    if (known !== undefined || matches.has(offset)) return known;
    const access = direction === undefined ? "rw" : direction === "read" ? "r" : "w";
    const match = matchParts(this.view(domain), offset, width_bytes, access);
    if (matches.size >= matchesMax) matches.clear();
    matches.set(offset, match);
    return match;
  }

  /**
   * Describes `value` (of an access as for lookup()) in words, such as `FD | SLU | SPEED=1000MB_S`; undefined if the
   * database has nothing to add to the number.
   */
  describe(
    bar: number,
    offset: bigint | number,
    width_bytes: number,
    value: bigint,
    options: DescribeOptions = {},
  ): string | undefined {
    const at = Number(offset);
    const segment = this.segmentAt(bar, at);
    return segment === undefined
      ? undefined
      : this.describeIn(segment.domain, at - segment.start, width_bytes, value, options);
  }

  /** Does the same as describe() in a domain by name. */
  describeIn(
    domain: string,
    offset: number,
    width_bytes: number,
    value: bigint,
    options: DescribeOptions = {},
  ): string | undefined {
    const match = this.#match(domain, offset, width_bytes, options.direction);
    return match && this.describeMatch(match, value, options.style);
  }

  /** Does the same as describe() for an answer of lookup(). */
  describeMatch(found: RegisterMatch, value: bigint, style: DescribeStyle = "brief"): string | undefined {
    const match = found as Remembered;
    if (match.wordless) return undefined;
    if (style === "full") return this.#describeMatch(match, value, style);
    // Polling reads the same value again and again.
    if (match.lastValue !== value) {
      match.lastText = this.#describeMatch(match, value, style);
      match.lastValue = value;
    }
    return match.lastText;
  }

  /** Returns the bit fields of an answer of lookup(), each with its part of `value`; those that the access doesn't cover whole are left out. */
  fieldValues(match: RegisterMatch, value: bigint): FieldValue[] {
    return fieldValues(match, value, this.#nameOffset);
  }

  /** Returns the answers so far for one domain, width and direction; without making a key, since every look-up comes here. */
  #matchesOf(
    domain: string,
    width_bytes: number,
    direction: Direction | undefined,
  ): Map<number, Remembered | undefined> {
    let of = this.#matches.get(domain);
    if (of === undefined) {
      of = [];
      this.#matches.set(domain, of);
    }
    const slot = width_bytes * 3 + (direction === undefined ? 0 : direction === "read" ? 1 : 2);
    let matches = of[slot];
    if (matches === undefined) {
      matches = new Map();
      of[slot] = matches;
    }
    return matches;
  }

  /** Returns the domain `name`, compiled for the chosen variants. */
  view(name: string): DomainView {
    let view = this.#views.get(name);
    if (view === undefined) {
      const domain = this.schema.domains.get(name);
      if (domain === undefined) {
        const known = [...this.schema.domains.keys()];
        throw new UnknownNameError(name, known, `the register database ${this.name} has no domain ${name}`, {
          advice: `it has ${known.join(", ") || "none at all"}`,
        });
      }
      view = new DomainView(this.schema, domain, this.#selection, this.warnings);
      this.#views.set(name, view);
    }
    return view;
  }

  #describeMatch(match: Remembered, value: bigint, style: DescribeStyle): string | undefined {
    const { parts, types } = match;
    const only = parts.length === 1 ? parts[0] : undefined;
    if (only !== undefined) return this.#describePart(only, types[0], value, style);
    const texts = parts.map((part, index) => {
      const text = this.#describePart(part, types[index], value, style);
      return `${part.name}: ${text ?? `0x${partOf(value, part).toString(16)}`}`;
    });
    return texts.join("; ");
  }

  #describePart(
    part: RegisterPart,
    type: ValueType | undefined,
    value: bigint,
    style: DescribeStyle,
  ): string | undefined {
    if (type === undefined) return undefined;
    const whole = part.accessOffset_bytes === 0 && part.registerOffset_bytes === 0;
    const narrow = whole && part.width_bytes === 4 && value <= 0xffff_ffffn && value >= 0n;
    const bits = narrow ? { low: Number(value), high: 0 } : halvesOf(inRegister(value, part));
    return describeValue(type, bits, part.seen, style, this.#nameOffset);
  }
}

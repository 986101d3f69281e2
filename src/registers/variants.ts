// Determines the variants on which an item exists: ranges over an enum's values, inherited from the items around it,
// compared with the chosen variants.
import { FormatError } from "../base/errors.js";
import { type EnumDefinition, Limits, type Schema, type VariantAttributes } from "./schema.js";

/** The chosen variants: an enum's name → the index of its value. Enums not in it are undecided. */
export type ChosenVariants = ReadonlyMap<string, number>;

/** The part of variants that an item inherits from those around it. */
export interface Scope {
  /** The enum that the innermost prefix names: the default one for variants. */
  readonly prefixEnum: string | undefined;
  /** The enum for variants without a prefix. */
  readonly varset: string | undefined;
  /** For each enum that the item, or one around it, restricts: bit n is set if value n is included. */
  readonly sets: ReadonlyMap<string, bigint>;
}

export const outermost: Scope = { prefixEnum: undefined, varset: undefined, sets: new Map() };

export type Warn = (message: string) => void;

/** Resolves variants against a schema's enums. */
export class VariantResolver {
  readonly #schema: Schema;
  readonly #selection: ChosenVariants;
  /** Sets of known ranges, by enum and text. */
  readonly #ranges = new Map<string, bigint>();
  readonly #missing = new Set<string>();
  /** Enums that decide something and of which no variant is chosen. */
  readonly undecided = new Set<string>();

  constructor(schema: Schema, selection: ChosenVariants) {
    this.#schema = schema;
    this.#selection = selection;
  }

  /** Returns the scope inside `item`, which is in `outer`; undefined if it doesn't exist on the chosen variants, or on any. */
  enter(outer: Scope, item: VariantAttributes, warn: Warn): Scope | undefined {
    if (item.variants === undefined && item.varset === undefined && item.prefix === undefined) {
      return outer.prefixEnum === undefined || outer.varset === undefined ? outer : { ...outer, varset: undefined };
    }
    let prefixEnum = outer.prefixEnum;
    if (item.prefix !== undefined) {
      prefixEnum = item.prefix === "none" ? undefined : item.prefix;
      if (prefixEnum !== undefined) this.#enum(prefixEnum, warn);
    }
    const varset = item.varset ?? (prefixEnum === undefined ? outer.varset : undefined);
    const scope = { prefixEnum, varset, sets: outer.sets };
    if (item.variants === undefined) return scope;
    const by = varset ?? prefixEnum;
    if (by === undefined) {
      warn(`variants "${item.variants}", but no varset or prefix says of what`);
      return scope;
    }
    const own = this.#range(by, item.variants, warn);
    if (own === undefined) return scope;
    const outerSet = outer.sets.get(by);
    const set = outerSet === undefined ? own : own & outerSet;
    if (set === 0n) return undefined;
    const chosen = this.#selection.get(by);
    if (chosen === undefined) this.undecided.add(by);
    else if (((set >> BigInt(chosen)) & 1n) === 0n) return undefined;
    return { prefixEnum, varset, sets: new Map(outer.sets).set(by, set) };
  }

  /** Returns the enum of that name; warns about a missing one only once, since a whole database may depend on it. */
  #enum(name: string, warn: Warn): EnumDefinition | undefined {
    const definition = this.#schema.enums.get(name);
    if (definition === undefined && !this.#missing.has(name)) {
      this.#missing.add(name);
      warn(`there is no enum ${name}, so what depends on its variants counts as present on all`);
    }
    return definition;
  }

  /** Returns the set that `text` describes, or undefined if the enum doesn't exist. */
  #range(enumName: string, text: string, warn: Warn): bigint | undefined {
    const key = `${enumName}\n${text}`;
    const known = this.#ranges.get(key);
    if (known !== undefined) return known;
    const definition = this.#enum(enumName, warn);
    if (definition === undefined) return undefined;
    if (definition.values.length > Limits.variantsMax) {
      const { file, line } = definition;
      throw new FormatError(file, `enum ${enumName} has variants of more than ${Limits.variantsMax} values`, { line });
    }
    const names = definition.values.map((value) => value.name);
    let set = 0n;
    let complete = true;
    const indexOf = (name: string): number => {
      const index = names.indexOf(name);
      if (index < 0) {
        warn(`enum ${enumName} has no variant ${name}`);
        complete = false;
      }
      return index;
    };
    for (const item of text.split(" ").filter((part) => part !== "")) {
      const separator = item.search(/[-:]/);
      if (separator < 0) {
        const index = indexOf(item);
        if (index >= 0) set |= 1n << BigInt(index);
        continue;
      }
      const from = item.slice(0, separator);
      const to = item.slice(separator + 1);
      const first = from === "" ? 0 : indexOf(from);
      const last = to === "" ? names.length - 1 : indexOf(to) - (item[separator] === ":" ? 1 : 0);
      if (first < 0 || (to !== "" && !names.includes(to)) || last < first) continue;
      set |= ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
    }
    // A range with an unknown name isn't remembered, so that each of its places gets a warning.
    if (complete) this.#ranges.set(key, set);
    return set;
  }
}

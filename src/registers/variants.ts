// Which variants an item exists on: ranges over an enum's values, inherited from what it lies in, checked against the
// variants that were chosen.
import { FormatError } from "../base/errors.js";
import { type EnumDefinition, Limits, type Schema, type VariantAttributes } from "./files/schema.js";

/** The variant chosen of each enum: the enum's name → the index of its value. Enums not in it aren't decided. */
export type Selection = ReadonlyMap<string, number>;

/** What an item inherits from those around it. */
export interface Scope {
  /** The enum that the innermost prefix names: the default one for variants. */
  readonly prefixEnum: string | undefined;
  /** The enum for variants where there is no prefix. */
  readonly varset: string | undefined;
  /** For each enum that anything around (or the item itself) restricts: bit n set where value n is included. */
  readonly sets: ReadonlyMap<string, bigint>;
}

export const outermost: Scope = { prefixEnum: undefined, varset: undefined, sets: new Map() };

export type Warn = (message: string) => void;

/** Resolves variants against a schema's enums. */
export class VariantResolver {
  readonly #schema: Schema;
  readonly #selection: Selection;
  /** Ranges already worked out, by enum and text. */
  readonly #ranges = new Map<string, bigint>();
  readonly #missing = new Set<string>();
  /** Enums that decide on something and of which no variant is chosen. */
  readonly undecided = new Set<string>();

  constructor(schema: Schema, selection: Selection) {
    this.#schema = schema;
    this.#selection = selection;
  }

  /** The scope inside `item`, which lies in `outer`; undefined when it doesn't exist on the chosen variants, or on any. */
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

  /** The enum of that name; warns about a missing one once, since a whole database may hang on it. */
  #enum(name: string, warn: Warn): EnumDefinition | undefined {
    const definition = this.#schema.enums.get(name);
    if (definition === undefined && !this.#missing.has(name)) {
      this.#missing.add(name);
      warn(`there is no enum ${name}, so what depends on its variants counts as present on all`);
    }
    return definition;
  }

  /** The set that `text` describes, or undefined when the enum doesn't exist. */
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
    // A range with an unknown name isn't remembered, so that each place that has it is warned about.
    if (complete) this.#ranges.set(key, set);
    return set;
  }
}

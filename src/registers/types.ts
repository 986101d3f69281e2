// Resolves a register's or bit field's type (by name or inline) into a form with which describe.ts can describe values.

import { FormatError } from "../base/errors.js";
import { maskBetween, normalize, type Wide } from "./bits.js";
import { type FieldDefinition, Limits, type Schema, type TypeDefinition, type ValueDefinition } from "./schema.js";
import type { Field, ValueType } from "./value-type.js";
import { outermost, type Scope, type VariantResolver } from "./variants.js";

const plainKinds = ["hex", "uint", "int", "float", "boolean", "fixed", "ufixed"] as const;
type PlainKind = (typeof plainKinds)[number];

/** Resolves types within one schema and selection of variants. */
export class TypeResolver {
  readonly #schema: Schema;
  readonly #variants: VariantResolver;
  readonly #warn: (place: { file: string; line: number }, message: string) => void;
  /** Named types that are being resolved; one inside itself ends there. */
  readonly #open: string[] = [];
  /** Fields and values of the type that is being resolved, and of all so far. */
  #parts = 0;
  #partsOfAll = 0;
  /** Resolved named types that don't depend on their users. */
  readonly #shared = new Map<string, { names: Map<Wide, string>; fields: Field[]; parts: number }>();

  constructor(
    schema: Schema,
    variants: VariantResolver,
    warn: (place: { file: string; line: number }, message: string) => void,
  ) {
    this.#schema = schema;
    this.#variants = variants;
    this.#warn = warn;
  }

  /** Resolves the type of a value of `width_bits`, defined at `place`, in `scope`. Throws FormatError if it is endless. */
  resolve(
    definition: TypeDefinition,
    width_bits: number,
    scope: Scope,
    place: { file: string; line: number },
  ): ValueType {
    this.#parts = 0;
    return this.#resolve(definition, width_bits, scope, place);
  }

  #resolve(
    definition: TypeDefinition,
    width_bits: number,
    scope: Scope,
    place: { file: string; line: number },
  ): ValueType {
    const { shr, add, min, max, align, radix } = definition;
    const limited = min !== undefined || max !== undefined || align !== undefined;
    const type: ValueType = {
      ...{ kind: "hex", width_bits, shr: Math.min(shr, 63), add, min, max, align, limited, radix: Math.min(radix, 63) },
      ...{ names: new Map(), fields: [], domain: undefined },
    };
    const name = definition.typeName;
    if (name === undefined) {
      if (definition.fields.length > 0) type.kind = "bitset";
      else if (definition.values.length > 0) type.kind = "enum";
      else if (width_bits === 1) type.kind = "boolean";
      this.#inline(type, definition, scope);
    } else {
      this.#named(type, name, definition, scope, place);
    }
    return type;
  }

  #inline(type: ValueType, definition: TypeDefinition, scope: Scope): void {
    if (type.kind === "bitset") type.fields = this.#fields(definition.fields, scope);
    else if (type.kind === "enum") type.names = this.#names(definition.values, scope);
  }

  #named(
    type: ValueType,
    name: string,
    definition: TypeDefinition,
    scope: Scope,
    place: { file: string; line: number },
  ): void {
    const schema = this.#schema;
    const enumeration = schema.enums.get(name);
    const bitset = schema.bitsets.get(name);
    const spectype = schema.spectypes.get(name);
    const warn = (message: string): void => this.#warn(place, message);
    if (enumeration !== undefined) {
      type.kind = "enum";
      // An inline enum counts as written here; a named one has its own variants.
      const { inline, values } = enumeration;
      const inner = this.#scopeOf(enumeration, inline ? scope : outermost, warn);
      if (inner === undefined) return;
      if (inline) type.names = this.#names([...definition.values, ...values], inner);
      else this.#share(`enum ${name}`, type, place, () => ({ names: this.#names(values, inner), fields: [] }));
    } else if (bitset !== undefined) {
      type.kind = "bitset";
      if (this.#open.includes(name)) {
        warn(`bitset ${name} contains itself`);
        type.kind = "hex";
        return;
      }
      this.#enter(name, place);
      const { inline, fields } = bitset;
      const inner = this.#scopeOf(bitset, inline ? scope : outermost, warn);
      if (inner !== undefined && inline) type.fields = this.#fields([...definition.fields, ...fields], inner);
      else if (inner !== undefined) {
        this.#share(`bitset ${name}`, type, place, () => ({ names: new Map(), fields: this.#fields(fields, inner) }));
      }
      this.#open.pop();
    } else if (spectype !== undefined) {
      if (this.#open.includes(name)) {
        warn(`spectype ${name} contains itself`);
        return;
      }
      this.#enter(name, place);
      const meant = this.#resolve(spectype.type, type.width_bits, outermost, spectype);
      this.#open.pop();
      const { kind, names, fields, radix, domain } = meant;
      const { shr, add } = type;
      Object.assign(type, { kind, names, fields, radix, domain, shr: shr + meant.shr, add: add + meant.add });
    } else if (isPlain(name)) {
      type.kind = name;
    } else if (name === "bitfield" || name === "bitset") {
      type.kind = "bitset";
      this.#inline(type, definition, scope);
    } else if (name === "enum") {
      type.kind = "enum";
      this.#inline(type, definition, scope);
    } else if (schema.domains.has(name)) {
      type.kind = "offset";
      type.domain = name;
    } else {
      warn(`there is no type ${name}`);
    }
  }

  /** Gives `type` the result of `make`, or of its earlier call. */
  #share(
    key: string,
    type: ValueType,
    place: { file: string; line: number },
    make: () => Pick<ValueType, "names" | "fields">,
  ): void {
    let made = this.#shared.get(key);
    if (made === undefined) {
      const before = this.#parts;
      made = { ...make(), parts: 0 };
      made.parts = this.#parts - before;
      // Inside another type, one of its own parts may have been left out because it contains itself.
      if (this.#open.length <= 1) this.#shared.set(key, made);
    } else {
      this.#count(made.parts, place, true);
    }
    type.names = made.names;
    type.fields = made.fields;
  }

  /** Counts parts; throws FormatError if a type has too many. */
  #count(parts: number, place: { file: string; line: number }, shared = false): void {
    this.#parts += parts;
    if (!shared) this.#partsOfAll += parts;
    if (this.#parts <= Limits.typePartsMax && this.#partsOfAll <= Limits.typePartsOfDomainMax) return;
    this.#open.length = 0;
    const what = this.#parts > Limits.typePartsMax ? "a type has" : "the types of a domain's registers have";
    const most = this.#parts > Limits.typePartsMax ? Limits.typePartsMax : Limits.typePartsOfDomainMax;
    throw new FormatError(place.file, `${what} more than ${most} bit fields and values`, { line: place.line });
  }

  #enter(name: string, place: { file: string; line: number }): void {
    if (this.#open.length >= Limits.typeNestingMax) {
      this.#open.length = 0;
      throw new FormatError(place.file, `types are made of one another more than ${Limits.typeNestingMax} deep`, {
        line: place.line,
      });
    }
    this.#open.push(name);
  }

  /** Returns a type's scope: its own varset applies to everything inside, regardless of any prefix around it. */
  #scopeOf(
    named: { variants: string | undefined; varset: string | undefined; prefix: string | undefined },
    outer: Scope,
    warn: (message: string) => void,
  ): Scope | undefined {
    const scope = this.#variants.enter(outer, named, warn);
    if (scope === undefined || named.varset === undefined || named.prefix !== undefined) return scope;
    return { ...scope, prefixEnum: undefined, varset: named.varset };
  }

  #fields(definitions: FieldDefinition[], scope: Scope): Field[] {
    const fields: Field[] = [];
    for (const definition of definitions) {
      const inner = this.#variants.enter(scope, definition, (message) => this.#warn(definition, message));
      if (inner === undefined) continue;
      this.#count(1, definition);
      const { name, low, high, brief } = definition;
      const type = this.#resolve(definition.type, high - low + 1, inner, definition);
      fields.push({ name, low, high, mask: maskBetween(low, high), type, brief });
    }
    return fields;
  }

  #names(definitions: ValueDefinition[], scope: Scope): Map<Wide, string> {
    const names = new Map<Wide, string>();
    for (const definition of definitions) {
      const inner = this.#variants.enter(scope, definition, (message) => this.#warn(definition, message));
      if (inner === undefined || definition.value === undefined) continue;
      this.#count(1, definition);
      const value = normalize(definition.value);
      // Of two names for one value the first wins.
      if (!names.has(value)) names.set(value, definition.name);
    }
    return names;
  }
}

function isPlain(name: string): name is PlainKind {
  return (plainKinds as readonly string[]).includes(name);
}

// One domain for one choice of variants, ready for many look-ups: nodes are compiled on first use, answers remembered.
import { FormatError } from "../base/errors.js";
import { compileDomain, type Node, type RegisterDefinition } from "./compile.js";
import type { Access, DatabaseWarning, DomainDefinition, Place, Schema } from "./schema.js";
import { type Found, find } from "./search.js";
import { TypeResolver } from "./types.js";
import type { ValueType } from "./value-type.js";
import { type ChosenVariants, VariantResolver } from "./variants.js";

/** Answers remembered before all are forgotten: limits memory when a log walks over a whole framebuffer. */
const rememberedMax = 1 << 18;

export class DomainView {
  readonly domain: DomainDefinition;
  readonly #schema: Schema;
  readonly #variants: VariantResolver;
  readonly #types: TypeResolver;
  readonly #warnings: DatabaseWarning[];
  #nodes: Node[] | undefined;
  readonly #resolved = new Map<RegisterDefinition, ValueType>();
  readonly #remembered: Record<Access, Map<number, Found | undefined>> = {
    rw: new Map(),
    r: new Map(),
    w: new Map(),
  };

  /** Faults found while names are resolved go to `warnings`. */
  constructor(schema: Schema, domain: DomainDefinition, selection: ChosenVariants, warnings: DatabaseWarning[]) {
    this.domain = domain;
    this.#schema = schema;
    this.#variants = new VariantResolver(schema, selection);
    this.#warnings = warnings;
    this.#types = new TypeResolver(schema, this.#variants, (place, message) => this.#warn(place, message));
  }

  /** Finds the register or array at `unit` (an address in the domain's units), else undefined. */
  at(unit: number, access: Access): Found | undefined {
    const remembered = this.#remembered[access];
    const known = remembered.get(unit);
    if (known !== undefined || remembered.has(unit)) return known;
    let found = this.#find(unit, access);
    // A register that can't be accessed that way still gives the best name.
    if (found?.register === undefined && access !== "rw") found = this.at(unit, "rw") ?? found;
    if (remembered.size >= rememberedMax) remembered.clear();
    remembered.set(unit, found);
    return found;
  }

  #find(unit: number, access: Access): Found | undefined {
    try {
      return find(this.nodes, unit, access);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const { file, line, name } = this.domain;
      throw new FormatError(file, `domain ${name}: ${error.message} (0x${unit.toString(16)})`, { line });
    }
  }

  typeOf(register: RegisterDefinition): ValueType {
    const known = this.#resolved.get(register);
    if (known !== undefined) return known;
    const { definition, width_bits, scope } = register;
    const type = this.#types.resolve(definition.type, width_bits, scope, definition);
    this.#resolved.set(register, type);
    return type;
  }

  get nodes(): readonly Node[] {
    this.#nodes ??= compileDomain(this.#schema, this.domain, this.#variants, (place, message) =>
      this.#warn(place, message),
    );
    return this.#nodes;
  }

  /** Enums that decide which elements exist here and of which no variant was chosen; complete once all is compiled. */
  get undecided(): ReadonlySet<string> {
    void this.nodes;
    return this.#variants.undecided;
  }

  #warn(place: Place, message: string): void {
    this.#warnings.push({ file: place.file, line: place.line, message });
  }
}

// The register databases as the library offers them: names, fields and meanings by BAR and offset. Runs in pages.
import type { ChooseDatabase } from "../analysis/view/access-registers.js";
import type { RegisterDatabase } from "../registers/database.js";
import type { FieldValue } from "../registers/field-values.js";
import type { PciFunction } from "../trace/header.js";

export type { FieldValue } from "../registers/field-values.js";

/** The register, or the part of one, that an access touches. */
export interface RegisterPlace {
  /** `STATUS`, several joined by commas where the access covers several. */
  readonly name: string;
  /** The names one by one, in the order of their addresses. */
  readonly names: readonly string[];
}

/** An access: where, how wide, and whether it reads; matters where a register for reading and one for writing share an address. */
export interface RegisterQuery {
  /** 0 to 5. */
  bar: number;
  /** In bytes from the BAR's start. */
  offset: bigint | number;
  /** 4 unless given. */
  width_bytes?: number;
  kind?: "read" | "write";
}

let wrap: (database: RegisterDatabase) => Registers;
let unwrap: (registers: Registers) => RegisterDatabase;

/**
 * A device's registers by name. Get one from `builtInRegisters()`, `registersOf()` or `loadRegisters()`; give it to `openTrace()` to
 * have events named by it, or ask it directly. It never changes.
 */
export class Registers {
  static {
    wrap = (database) => new Registers(database);
    unwrap = (registers) => registers.#database;
  }

  readonly #database: RegisterDatabase;

  private constructor(database: RegisterDatabase) {
    this.#database = database;
  }

  /** `e1000`, or the file's name. */
  get name(): string {
    return this.#database.name;
  }

  /** The register at a place, or null where there is none. */
  at({ bar, offset, width_bytes = 4, kind }: RegisterQuery): RegisterPlace | null {
    const match = this.#database.lookup(bar, offset, width_bytes, kind);
    return match === undefined ? null : { name: match.name, names: match.parts.map(({ name }) => name) };
  }

  /** `value` in words, `FD | LU | SPEED=1000MB_S`; null where there is nothing to add to the number. */
  describe({ bar, offset, width_bytes = 4, kind }: RegisterQuery, value: bigint): string | null {
    const match = this.#database.lookup(bar, offset, width_bytes, kind);
    return (match && this.#database.describeMatch(match, value)) ?? null;
  }

  /** The bit fields that the access covers whole, with their parts of `value`, the lowest first; empty where there is no register. */
  fields({ bar, offset, width_bytes = 4, kind }: RegisterQuery, value: bigint): FieldValue[] {
    const match = this.#database.lookup(bar, offset, width_bytes, kind);
    return match === undefined ? [] : this.#database.fieldValues(match, value);
  }

  /**
   * The same for a hardware variant: `variant` is one of the database's enum `varset`.
   * Throws UserError where there is no such enum or variant.
   */
  withVariant(varset: string, variant: string): Registers {
    return wrap(this.#database.withVariant(varset, variant));
  }
}

export { unwrap as databaseOf, wrap as registersOfDatabase };

/** One database for all devices, or a choice for each; undefined leaves a device's registers without names. */
export type RegisterChoice = Registers | ((device: PciFunction) => Registers | undefined);

/** The rooms' form of a choice. */
export function chooserOf(choice: RegisterChoice): ChooseDatabase {
  if (choice instanceof Registers) return () => unwrap(choice);
  return (device) => {
    const chosen = choice(device);
    return chosen && unwrap(chosen);
  };
}

// The library's register databases: names, fields and meanings by BAR and offset. Runs in pages.
import type { ChooseDatabase } from "../analysis/view/access-registers.js";
import type { RegisterDatabase } from "../registers/database.js";
import type { FieldValue } from "../registers/field-values.js";
import type { PciFunction } from "../trace/header.js";

export type { FieldValue } from "../registers/field-values.js";

/** The register, or the part of one, that an access touches. */
export interface RegisterPlace {
  /** `STATUS`, or several joined by commas if the access covers several. */
  readonly name: string;
  /** The names one by one, in the order of their addresses. */
  readonly names: readonly string[];
}

/** An access: place, width, and direction, which chooses between a register for reading and one for writing at one address. */
export interface RegisterQuery {
  /** 0 to 5. */
  bar: number;
  /** Bytes from the BAR's start. */
  offset: bigint | number;
  /** Default: 4. */
  width_bytes?: number;
  kind?: "read" | "write";
}

let wrap: (database: RegisterDatabase) => Registers;
let unwrap: (registers: Registers) => RegisterDatabase;

/**
 * A device's registers by name. Get one from `builtInRegisters()` or `loadRegisters()`; give it to `openTrace()` for
 * the names in events, or use it directly. It never changes.
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

  /** Finds the register at a place, or null if there is none. */
  at({ bar, offset, width_bytes = 4, kind }: RegisterQuery): RegisterPlace | null {
    const match = this.#database.lookup(bar, offset, width_bytes, kind);
    return match === undefined ? null : { name: match.name, names: match.parts.map(({ name }) => name) };
  }

  /** Describes `value`: `FD | LU | SPEED=1000MB_S`; null if there is nothing to add to the number. */
  describe({ bar, offset, width_bytes = 4, kind }: RegisterQuery, value: bigint): string | null {
    const match = this.#database.lookup(bar, offset, width_bytes, kind);
    return (match && this.#database.describeMatch(match, value)) ?? null;
  }

  /** Returns the bit fields that the access covers whole, with their parts of `value`, the lowest first; empty without a register. */
  fields({ bar, offset, width_bytes = 4, kind }: RegisterQuery, value: bigint): FieldValue[] {
    const match = this.#database.lookup(bar, offset, width_bytes, kind);
    return match === undefined ? [] : this.#database.fieldValues(match, value);
  }

  /**
   * Returns the same database for a hardware variant: `variant` is one of the database's enum `varset`.
   * Throws UnknownNameError if there is no such enum or variant.
   */
  withVariant(varset: string, variant: string): Registers {
    return wrap(this.#database.withVariant(varset, variant));
  }
}

export { unwrap as databaseOf, wrap as registersOfDatabase };

/** One database for all devices, or a choice for each; undefined leaves a device's registers without names. */
export type RegisterChoice = Registers | ((device: PciFunction) => Registers | undefined);

/** Converts a choice to the rooms' form. */
export function chooserOf(choice: RegisterChoice): ChooseDatabase {
  if (choice instanceof Registers) return () => unwrap(choice);
  return (device) => {
    const chosen = choice(device);
    return chosen && unwrap(chosen);
  };
}

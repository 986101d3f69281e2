// Chooses the variants of a register database as users name them: with or without the enum that they are of.
import { InvalidValueError } from "../base/errors.js";
import type { RegisterDatabase } from "./database.js";
import { AmbiguousVariantError } from "./errors.js";

/** Returns `database` for the variants, each `VARIANT` or `ENUM=VARIANT`. */
export function withVariants(database: RegisterDatabase, variants: readonly string[]): RegisterDatabase {
  let chosen = database;
  for (const text of variants) {
    const equals = text.indexOf("=");
    if (equals > 0) chosen = chosen.withVariant(text.slice(0, equals), text.slice(equals + 1));
    else chosen = chosen.withVariant(varsetOf(chosen, text), text);
  }
  return chosen;
}

/** Finds the enum of a variant given without one: an enum that decides something here and has such a value. */
function varsetOf(database: RegisterDatabase, variant: string): string {
  const deciding = [...new Set([...database.undecidedVarsets(), ...database.variants.keys()])];
  const wanted = variant.toLowerCase();
  const having = deciding.filter((name) =>
    database.schema.enums.get(name)?.values.some((value) => value.name.toLowerCase() === wanted),
  );
  const [first] = having.length > 0 ? having : deciding;
  if (first === undefined) {
    const message = `nothing in the register database ${database.name} depends on a variant such as ${variant}`;
    throw new InvalidValueError(variant, message);
  }
  if (having.length > 1) throw new AmbiguousVariantError(variant, having);
  return first;
}

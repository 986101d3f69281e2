// Chooses a register database by a user's options: a built-in one's name or a file, and variants.
import { UsageError } from "../base/errors.js";
import type { RegisterDatabase } from "./database.js";
import { builtInDatabase, builtIns } from "./files/built-in.js";
import { loadDatabase, parseDatabaseChoice } from "./files/load.js";

/**
 * Returns the database for `--registers` and `--variant`.
 *
 * `choice` is `NAME` of a built-in one, or `PATH[:DOMAIN[@BAR[+OFFSET]],…]`; each of `variants` is `VARIANT` or
 * `VARSET=VARIANT`. Errors as for loadDatabase(), and UsageError for a variant that doesn't exist.
 */
export function chooseDatabase(choice: string, variants: readonly string[] = []): RegisterDatabase {
  return withVariants(builtInDatabase(choice) ?? loadChosen(choice), variants);
}

function loadChosen(choice: string): RegisterDatabase {
  const { path, domain } = parseDatabaseChoice(choice);
  try {
    return loadDatabase(path, domain);
  } catch (error) {
    if (!path.includes("/") && !path.endsWith(".xml")) {
      const names = builtIns.map((entry) => entry.name).join(", ");
      throw new UsageError(`there is neither a built-in register database nor a file called ${path}`, {
        advice: `built in are ${names}`,
        cause: error,
      });
    }
    throw error;
  }
}

/** Returns `database` for the variants, which are arguments of `--variant`. */
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
    throw new UsageError(`nothing in the register database ${database.name} depends on a variant such as ${variant}`);
  }
  if (having.length > 1) {
    throw new UsageError(`${variant} is a variant of each of ${having.join(", ")}`, {
      advice: `say which: --variant ${having[0]}=${variant}`,
    });
  }
  return first;
}

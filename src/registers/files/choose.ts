// Chooses a register database by a user's options: a built-in one's name or a file, and variants.
import { UnknownNameError } from "../../base/errors.js";
import type { RegisterDatabase } from "../database.js";
import { withVariants } from "../with-variants.js";
import { builtInDatabase, builtIns } from "./built-in.js";
import { loadDatabase, parseDatabaseChoice } from "./load.js";

/**
 * Returns the database for `--registers` and `--variant`.
 *
 * `choice` is `NAME` of a built-in one, or `PATH[:DOMAIN[@BAR[+OFFSET]],…]`; each of `variants` is `VARIANT` or
 * `VARSET=VARIANT`. Errors as for loadDatabase(), and UnknownNameError for a variant that doesn't exist.
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
      const names = builtIns.map((entry) => entry.name);
      throw new UnknownNameError(
        path,
        names,
        `there is neither a built-in register database nor a file called ${path}`,
        {
          advice: `built in are ${names.join(", ")}`,
          cause: error,
        },
      );
    }
    throw error;
  }
}

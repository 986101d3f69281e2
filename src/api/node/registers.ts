// Register databases from files, and those built in. Node only.
import { builtInDatabase, builtInFor, builtIns, loadDatabase } from "../../registers/files/index.js";
import type { PciFunction } from "../../trace/header.js";
import { type Registers, registersOfDatabase } from "../registers.js";

/** The names of the built-in register databases. */
export const builtInRegisterNames: readonly string[] = Object.freeze(builtIns.map(({ name }) => name));

/** The built-in registers by their name, `e1000`, or for a device of a trace; undefined where there are none. */
export function builtInRegisters(of: string | PciFunction): Registers | undefined {
  const database = typeof of === "string" ? builtInDatabase(of) : builtInFor(of);
  return database && registersOfDatabase(database);
}

/**
 * Loads registers from a file in rules-ng-ng XML; docs/registers.md describes it.
 *
 * `domain` tells which of the file's domains is where: `NAME` for BAR 0, `NAME@BAR`, `NAME@BAR+OFFSET`, several separated by commas;
 * the file's only domain unless given. Throws UserError where a file can't be read or there is no such domain, FormatError where
 * it is no register database.
 */
export function loadRegisters(path: string, domain?: string): Registers {
  return registersOfDatabase(loadDatabase(path, domain));
}

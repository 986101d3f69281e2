// Register databases from files: those that are built in, and a user's.

export { builtInDatabase, builtInFor, builtIns, configurationDatabaseFor, findDatabase } from "./built-in.js";
export { chooseDatabase } from "./choose.js";
export { loadDatabase, loadSchema, parseDatabaseChoice } from "./load.js";

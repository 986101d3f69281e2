// What the rest of the project uses of the register databases.
export { builtInDatabase, builtIns, findDatabase } from "./built-in.js";
export { chooseDatabase, withVariants } from "./choose.js";
export { type Direction, RegisterDatabase, type RegisterMatch, type RegisterPart } from "./database.js";
export { loadDatabase, parseDatabaseChoice } from "./load.js";

// What the rest of the project uses of the register databases.
export { builtInDatabase, builtIns, findDatabase } from "./built-in.js";
export { chooseDatabase, withVariants } from "./choose.js";
export { type DescribeOptions, type Direction, RegisterDatabase } from "./database.js";
export { loadDatabase, parseDatabaseChoice } from "./load.js";
export type { RegisterMatch, RegisterPart } from "./match.js";

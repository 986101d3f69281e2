// The interface of the register databases for the rest of the project.

export { chooseDatabase, withVariants } from "./choose.js";
export { type DescribeOptions, type Direction, RegisterDatabase } from "./database.js";
export { builtInDatabase, builtIns, findDatabase } from "./files/built-in.js";
export { loadDatabase, parseDatabaseChoice } from "./files/load.js";
export type { RegisterMatch, RegisterPart } from "./match.js";

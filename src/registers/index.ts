// The register databases' model, as the rest of the project uses it. files/index.ts offers databases from files.

export { type DescribeOptions, type Direction, RegisterDatabase } from "./database.js";
export type { RegisterMatch, RegisterPart } from "./match.js";
export { withVariants } from "./with-variants.js";

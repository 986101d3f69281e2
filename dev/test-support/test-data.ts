// Paths of the recorded files that tests read.
import { join } from "node:path";
import { projectDirectory } from "../../src/base/paths.js";

/** The path of a file in test/data. */
export const testData = (name: string) => join(projectDirectory, "test/data", name);

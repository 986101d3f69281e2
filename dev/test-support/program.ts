// The compiled program, as tests start it. A test file that imports this fails where the program isn't compiled.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "../../src/base/paths.js";

/** The command's entry, for Node. */
export const programFile = join(projectDirectory, "bin/mmiostrider.js");

if (!existsSync(join(projectDirectory, "dist/program/mmiostrider.js"))) throw new Error("run `npm run build` first");

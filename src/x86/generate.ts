// `npm run generate`: writes core/*.gen.h.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "../base/paths.js";
import { renderOpcodeFiles } from "./opcode-table.js";

for (const [name, content] of Object.entries(renderOpcodeFiles())) {
  writeFileSync(join(projectDirectory, "core", name), content);
}

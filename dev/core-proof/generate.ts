// `npm run generate`: writes core/*.gen.h and docs/instructions.md.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "../../src/base/paths.js";
import { renderInstructions } from "./instruction-treatments.js";
import { renderOpcodeFiles } from "./opcode-table.js";

for (const [name, content] of Object.entries(renderOpcodeFiles())) {
  writeFileSync(join(projectDirectory, "core", name), content);
}
writeFileSync(join(projectDirectory, "docs/instructions.md"), renderInstructions());

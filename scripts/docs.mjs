// `npm run docs`: makes docs/api/ of the library's sources. The generator has packages of its own, scripts/api-docs/, which are installed
// first where they aren't yet.
import { existsSync } from "node:fs";
import { run } from "./setup.mjs";

const folder = "scripts/api-docs";
if (!existsSync(`${folder}/node_modules/typedoc`)) {
  run("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error"]);
}
run(process.execPath, [`${folder}/node_modules/typedoc/bin/typedoc`, "--options", `${folder}/typedoc.json`]);

// `npm run docs`: makes docs/api/ of the library's sources. The generator's packages, scripts/api-docs/, are installed first where they
// aren't yet: apart from the project's, for it needs another TypeScript.
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { run } from "./setup.mjs";

const installed = "node_modules/.api-docs";
if (!existsSync(`${installed}/node_modules/typedoc`)) {
  mkdirSync(installed, { recursive: true });
  for (const name of ["package.json", "package-lock.json"])
    copyFileSync(`scripts/api-docs/${name}`, `${installed}/${name}`);
  run("npm", ["ci", "--prefix", installed, "--no-audit", "--no-fund", "--loglevel=error"]);
}
run(process.execPath, [`${installed}/node_modules/typedoc/bin/typedoc`, "--options", "scripts/api-docs/typedoc.json"]);

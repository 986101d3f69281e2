// The licenses of npm's packages that a bundle holds: they are given on with it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes LICENSES.txt for a bundle of `modules` into `folder`.
 *
 * @param {readonly string[]} modules
 * @param {string} folder
 */
export function writeLicenses(modules, folder) {
  const packages = new Set(modules.flatMap((module) => packageOf(module)));
  writeFileSync(join(folder, "LICENSES.txt"), [...packages].sort().map(license).join("\n"));
}

/**
 * The folder of the npm package that a module is of; nothing for our own.
 *
 * @param {string} module
 */
function packageOf(module) {
  const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module)?.[1];
  return found === undefined ? [] : [found];
}

/**
 * A package's name, version and license: the license's text where the package has it, else its name.
 *
 * @param {string} folder
 */
function license(folder) {
  const { name, version, license: kind, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined && kind === undefined) throw new Error(`bundling: the package ${name} tells no license`);
  const text = file === undefined ? `${kind} license; ${author}` : readFileSync(join(folder, file), "utf8").trim();
  return `${name} ${version}\n\n${text}\n`;
}

// Bundles the library that other programs import into dist/library/, with its declarations: one file for Node, one for pages, and
// nothing that isn't reached from them. What it uses of npm's packages is in it, so that an installed mmiostrider needs no other
// package.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { writeLicenses } from "./licenses.mjs";

/** @param {string} path */
const project = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folder = project("dist/library");

rmSync(folder, { recursive: true, force: true });
const modules = [...(await bundle("index", "node")), ...(await bundle("browser", "browser"))];
writeLicenses(modules, folder);
copyDeclarations(["index.d.ts", "browser.d.ts"]);

/**
 * @param {string} name
 * @param {"node" | "browser"} platform for a browser, an import of Node's modules is an error
 * @returns the modules that are in it
 */
async function bundle(name, platform) {
  const bundled = await rolldown({
    input: project(`dist/src/${name}.js`),
    platform,
    onLog: (level, log) => {
      if (level !== "debug" && level !== "info") throw new Error(`bundling: ${log.message}`);
    },
  });
  const { output } = await bundled.write({
    file: join(folder, `${name}.js`),
    format: "esm",
    codeSplitting: false,
    // the declarations have the texts of the public names
    comments: { jsdoc: false },
  });
  await bundled.close();
  return output[0].moduleIds;
}

/**
 * Copies the declarations `names` of dist/src, and those that they import, to types/. They may speak of nothing that a user would
 * have to install.
 *
 * @param {string[]} names
 */
function copyDeclarations(names) {
  const wanted = names.map((name) => project(`dist/src/${name}`));
  for (const path of wanted) {
    const target = join(folder, "types", relative(project("dist/src"), path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
    for (const [, imported = ""] of readFileSync(path, "utf8").matchAll(/(?:from|import\() ?"([^"]+)"/g)) {
      if (imported.startsWith("node:")) continue;
      const found = join(dirname(path), imported.replace(/\.js$/, ".d.ts"));
      if (!imported.startsWith(".") || !existsSync(found)) throw new Error(`bundling: ${path} imports ${imported}`);
      if (!wanted.includes(found)) wanted.push(found);
    }
  }
}

// Bundles the compiled program into dist/program/, one file a process: a command has up to a hundred modules, and Node needed
// half of a command's start to find, open and link each of them. Keeps V8's code of the functions that commands run beside it
// (bin/mmiostrider.js). Libraries, checks and tests use the modules themselves.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { writeLicenses } from "./licenses.mjs";

/** @param {string} path */
const project = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folder = project("dist/program");
const require = createRequire(import.meta.url);

/** Node has loaded these of its modules before a program starts; each of the others takes time. */
const alwaysLoaded = ["node:fs", "node:path", "node:process", "node:events", "node:url", "node:util"];

/**
 * Puts a stand-in into the place of Node's own modules, which loads the module when something of it is used first.
 *
 * @type {import("rolldown").Plugin}
 */
const loadsLate = {
  name: "loads-late",
  resolveId(source) {
    if (!source.startsWith("node:") || alwaysLoaded.includes(source)) return null;
    const name = source.slice("node:".length);
    if (!builtinModules.includes(name)) throw new Error(`Node has no module ${name}`);
    return `\0late:${name}`;
  },
  load(id) {
    if (!id.startsWith("\0late:")) return null;
    const name = id.slice("\0late:".length);
    const properties = Object.keys(require(name)).map(
      (key) =>
        `${JSON.stringify(key)}: { enumerable: true, get: () => require(${JSON.stringify(name)})[${JSON.stringify(key)}] }`,
    );
    return { code: `Object.defineProperties(exports, {\n${properties.join(",\n")}\n});`, moduleType: "js" };
  },
};

const decoderFile = "iced_x86_bg.wasm";

/**
 * Has the decoder's WebAssembly read from beside the bundle.
 *
 * @type {import("rolldown").Plugin}
 */
const findsDecoder = {
  name: "finds-decoder",
  transform(code, id) {
    if (!id.endsWith("/iced_x86.js")) return null;
    const own = `require('path').join(__dirname, '${decoderFile}')`;
    if (!code.includes(own)) throw new Error("bundling: iced-x86 reads its WebAssembly in another way");
    return code.replace(own, `new URL("./${decoderFile}", import.meta.url)`);
  },
};

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const modules = [
  ...(await bundle("dist/src/cli/main.js", "mmiostrider.js", "cjs")),
  // separate processes, see src/capture/feed/drain-process.ts; each lies beside the program that starts it
  ...(await bundle("dist/src/capture/emulate/emulate-worker.js", "emulate-worker.js", "esm")),
  ...(await bundle("dist/src/capture/singlestep/singlestep-worker.js", "singlestep-worker.js", "esm")),
  // a thread: only it loads the decoder, see src/rewrite/instrument-module.ts; half of the decoder's text is documentation
  ...(await bundle("dist/src/rewrite/instrument-worker.js", "instrument-worker.js", "esm", {
    compress: true,
    mangle: false,
    codegen: { removeWhitespace: true },
  })),
];
copyFileSync(require.resolve(`iced-x86/${decoderFile}`), join(folder, decoderFile));
writeLicenses(modules, folder);
keepCode();

/**
 * @param {string} input
 * @param {string} output
 * @param {"cjs" | "esm"} format
 * @param {import("rolldown").OutputOptions["minify"]} minify
 * @returns the modules that are in it
 */
async function bundle(input, output, format, minify = false) {
  const bundled = await rolldown({
    input: project(input),
    platform: "node",
    // in a module the stand-ins would be evaluated before what they need
    plugins: format === "cjs" ? [loadsLate] : [findsDecoder],
    onLog: (level, log) => {
      if (level !== "debug" && level !== "info") throw new Error(`bundling: ${log.message}`);
    },
  });
  const { output: made } = await bundled.generate({ format, codeSplitting: false, minify });
  if (made.length !== 1) throw new Error(`bundling ${input}: ${made.length} files`);
  writeFileSync(join(folder, output), inAscii(made[0].code));
  await bundled.close();
  return made[0].moduleIds;
}

/**
 * Escapes letters that aren't ASCII: a single one would double the program's size in memory, and the time to read it.
 *
 * @param {string} code
 */
function inAscii(code) {
  return code.replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Runs some of the commands, each of which adds the code of the functions that it used. */
function keepCode() {
  const trace = project("test/data/e1000.mmt");
  const warmUps = [["--version"], ["mark", "--help"], ["record", "--help"], ["doctor", "--help"], ["lab", "--help"]];
  if (existsSync(trace)) {
    warmUps.push(["cut", "--from", "@9", trace, "-o", "-"], ["stat", trace], ["report", trace]);
  }
  for (const words of warmUps) {
    const { status, stderr } = spawnSync(process.execPath, [project("scripts/keep-code.cjs"), ...words], {
      encoding: "utf8",
      maxBuffer: 1 << 30,
    });
    if (status !== 0) throw new Error(`keeping the code of ${words.join(" ")}: ${stderr}`);
  }
}

// Bundles the compiled program into few files, dist/program/: a command has up to a hundred modules, and Node needed half of a
// command's start to find, open and link each of them. Libraries, checks and tests use the modules themselves.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** @param {string} path */
const project = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const program = project("dist/program");

const bundle = await rolldown({
  input: {
    mmiostrider: project("dist/src/cli/main.js"),
    // a separate process, see src/capture/feed/drain-process.ts
    "drain-worker": project("dist/src/capture/feed/drain-worker.js"),
  },
  platform: "node",
  onLog: (level, log) => {
    if (level !== "debug" && level !== "info") throw new Error(`bundling: ${log.message}`);
  },
});
rmSync(program, { recursive: true, force: true });
await bundle.write({ dir: program, format: "esm", chunkFileNames: "[name].js" });
await bundle.close();

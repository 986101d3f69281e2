// Puts the compiled program together in few files, dist/program/: a command has up to a hundred modules, and Node's finding,
// opening and linking each of them was half of the time that a command took to start. Libraries, checks and tests take the
// modules as they are.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** @param {string} path */
const project = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const program = project("dist/program");

const bundle = await rolldown({
  input: {
    mmiostrider: project("dist/src/cli/main.js"),
    // a process of its own, src/capture/drain-process.ts
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

#!/usr/bin/env node
// The command's entry: runs the compiled program, or says how to compile it.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

// A trace may be larger than the memory: V8 is to clear up before the heap has grown to several times of what is in use.
setFlagsFromString("--heap-growing-percent=40");
setFlagsFromString("--max-semi-space-size=8");

const program = new URL("../dist/program/mmiostrider.js", import.meta.url);
if (existsSync(fileURLToPath(program))) {
  await import(program.href);
} else {
  process.stderr.write("mmiostrider: the program isn't compiled yet: run `npm start`, or `npm ci && npm run build`\n");
  process.exitCode = 1;
}

#!/usr/bin/env -S node --max-semi-space-size=8
// The command's entry: runs the compiled program, or says how to compile it. scripts/bundle.mjs leaves V8's code of the program's
// functions in a file beside it. This code is used where it belongs to this very program, this V8 and these flags: a command
// starts faster without compiling.
const fs = require("node:fs");
const path = require("node:path");
const { setFlagsFromString } = require("node:v8");
const vm = require("node:vm");

const programFile = path.join(__dirname, "../dist/program/mmiostrider.js");

// A trace may be larger than the memory: V8 is to clear up before the heap has grown to several times of what is in use.
setFlagsFromString("--heap-growing-percent=40");
// From Node 24 on it takes this one at its start only, from the first line of this file.
setFlagsFromString("--max-semi-space-size=8");
// Most commands end within a second. The default of Node 20's V8, to optimize a function after 130 KB of bytecode, costs them more
// than it saves. Later ones wait for 3,000 calls; they don't have this flag, and complain about flags that they don't have.
if (process.versions.v8.startsWith("11.3.")) setFlagsFromString("--interrupt-budget=1000000");

/** The program, ready to run; null when it isn't compiled yet. Its `cachedDataRejected` is false when V8 uses the kept code. */
function loadProgram() {
  const source = readIfThere(programFile);
  if (source === null) return null;
  const code = codeFor(source);
  // as Node wraps a module
  const wrapped = `(function (exports, require, module, __filename, __dirname) { ${source.toString("latin1")}\n});`;
  return new vm.Script(wrapped, { filename: programFile, ...(code === null ? {} : { cachedData: code }) });
}

/**
 * V8's code of this program, or null. Its file has the program's text, a zero and the code: V8 refuses the code of another
 * version or of other flags, but compares no more of the program than its length.
 *
 * @param {Buffer} source
 */
function codeFor(source) {
  const file = readIfThere(`${programFile}.code`);
  if (file === null || file.length <= source.length || file[source.length] !== 0) return null;
  return file.subarray(0, source.length).equals(source) ? file.subarray(source.length + 1) : null;
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return null;
  }
}

/** @param {vm.Script} program */
function runProgram(program) {
  const module = { exports: {} };
  program.runInThisContext()(module.exports, require, module, programFile, path.dirname(programFile));
}

if (require.main !== module) {
  // scripts/keep-code.cjs
  module.exports = { loadProgram, runProgram, programFile };
} else {
  const program = loadProgram();
  if (program !== null) runProgram(program);
  else {
    process.stderr.write(
      "mmiostrider: the program isn't compiled yet: run `npm start`, or `npm ci && npm run build`\n",
    );
    process.exitCode = 1;
  }
}

// Runs a command as bin/mmiostrider.js does, and keeps the code that V8 has of the program when it ends, together with the code
// of earlier runs. For scripts/bundle.mjs.
const fs = require("node:fs");
const { loadProgram, runProgram, programFile } = require("../bin/mmiostrider.js");

const program = loadProgram();
if (program === null) throw new Error(`there is no ${programFile}`);
if (program.cachedDataRejected) throw new Error("V8 refuses the code of the run before");
process.once("exit", () => {
  const file = `${programFile}.code`;
  fs.writeFileSync(
    `${file}.new`,
    Buffer.concat([fs.readFileSync(programFile), Buffer.of(0), program.createCachedData()]),
  );
  fs.renameSync(`${file}.new`, file);
});
runProgram(program);

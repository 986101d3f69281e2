// tier: quick
// The program's start: with V8's code of its functions if that code belongs to it, and without it otherwise.
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { programFile } from "../dev/test-support/program.js";
import { projectDirectory } from "../src/base/paths.js";

// not in a folder of root's alone: an ordinary user is to reach it
let copy: string;
beforeEach(() => {
  copy = mkdtempSync("/tmp/mmiostrider-start-");
  chmodSync(copy, 0o755);
  for (const part of ["bin", "dist/program", "package.json"]) {
    cpSync(join(projectDirectory, part), join(copy, part), { recursive: true });
  }
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

const { version } = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8"));
const bundled = () => join(copy, "dist/program/mmiostrider.js");
const keptCode = () => `${bundled()}.code`;

/** Prints whether there was code for V8, and whether V8 refused it. */
const refused = (entry: string, flags: string[] = []) =>
  spawnSync(
    process.execPath,
    [...flags, "-e", "console.log(require(process.argv[1]).loadProgram().cachedDataRejected)", entry],
    { encoding: "utf8" },
  ).stdout.trim();

const run = (words: string[], options: { uid?: number; gid?: number } = {}) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(copy, "bin/mmiostrider.js"), ...words], {
    encoding: "utf8",
    ...options,
  });
  return { stdout, stderr, status };
};
const started = { stdout: `${version}\n`, stderr: "", status: 0 };

test("V8 takes the code that the build has kept, here and in a copy", () => {
  expect(refused(programFile)).toBe("false");
  expect(refused(join(copy, "bin/mmiostrider.js"))).toBe("false");
  expect(run(["--version"])).toEqual(started);
});

test("code made with other flags is refused, and the program starts without it", () => {
  expect(refused(programFile, ["--max-lazy"])).toBe("true");
  expect(spawnSync(process.execPath, ["--max-lazy", programFile, "--version"], { encoding: "utf8" }).stdout).toBe(
    started.stdout,
  );
});

test("a program that has changed, by one letter too, runs as it is now", () => {
  const text = readFileSync(bundled(), "latin1");
  const changed = text.replaceAll("Records every access", "Records every excess");
  expect(changed).not.toBe(text);
  expect(changed.length).toBe(text.length);
  writeFileSync(bundled(), changed, "latin1");
  expect(refused(join(copy, "bin/mmiostrider.js"))).toBe("undefined");
  expect(run(["--help"]).stdout).toContain("Records every excess");
});

test.each<[string, () => void]>([
  ["missing", () => rmSync(keptCode())],
  ["empty", () => truncateSync(keptCode(), 0)],
  ["cut", () => truncateSync(keptCode(), readFileSync(keptCode()).length - 1000)],
  ["longer", () => appendFileSync(keptCode(), "more")],
  ["noise", () => writeFileSync(keptCode(), Buffer.concat([readFileSync(bundled()), Buffer.alloc(1000, "\0noise")]))],
])("where the code is %s, the program starts without it", (_what, damage) => {
  damage();
  expect(run(["--version"])).toEqual(started);
});

test("an ordinary user starts it from a folder that is root's and can't be written to", () => {
  for (const folder of ["dist/program", "dist", "."]) chmodSync(join(copy, folder), 0o555);
  const before = readFileSync(keptCode());
  expect(run(["--version"], { uid: 65_534, gid: 65_534 })).toEqual(started);
  expect(readFileSync(keptCode()).equals(before)).toBe(true);
});

test.skipIf(process.getuid?.() !== 0)("the processes that it starts load, and end where nobody speaks to them", () => {
  const workers = readdirSync(join(copy, "dist/program")).filter((name) => name.endsWith("-worker.js"));
  expect(workers.length).toBeGreaterThan(0);
  for (const worker of workers) {
    const words = [join(copy, "dist/program", worker), "nobody", "65534", "65534"];
    const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 60_000 });
    expect({ worker, stdout, stderr, status }).toEqual({ worker, stdout: "", stderr: "", status: 0 });
  }
});

test("a program that isn't compiled yet says so", () => {
  rmSync(bundled());
  expect(run(["--version"])).toEqual({
    stdout: "",
    stderr: "mmiostrider: the program isn't compiled yet: run `npm start`, or `npm ci && npm run build`\n",
    status: 1,
  });
});

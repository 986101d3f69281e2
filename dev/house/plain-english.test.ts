// tier: quick
// Comments begin with a noun phrase or a verb, and names of C functions begin with their file's subject.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectDirectory } from "../../src/base/paths.js";
import { clauseComments } from "./comment-starts.js";

const sources = ["core", "src", "dev", "test", "scripts", "examples"].flatMap((folder) =>
  readdirSync(join(projectDirectory, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(ts|mjs|c|h|S)$|Kbuild$/.test(path))
    .map((path) => `${folder}/${path}`),
);
const textOf = (path: string) => readFileSync(join(projectDirectory, path), "utf8");

test("no comment begins with a clause", () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(sources.flatMap((path) => clauseComments(textOf(path)).map((line) => `${path}:${line}`))).toEqual([]);
});

describe("a comment", () => {
  const slashes = "//";
  const found = [
    `${slashes} What a driver does.`,
    `/** ${"Whether"} it is there. */`,
    `/*\n * ${"Where"} the record lies.\n */`,
    `let a; ${slashes} how far it is`,
    `# ${"Which"} kernels there are`,
  ];
  test.each(found)("that begins with a clause is found: %j", (text) => {
    expect(clauseComments(text)).toHaveLength(1);
  });

  const sound = [
    `${slashes} The driver's work.`,
    `/** Returns true if it is there. */`,
    `/*\n * A record is complete\n * when its number is there, in the file\n * which has it.\n */`,
    `${slashes} The modules are copied by the machine,\n${slashes} which knows them.`,
    `${slashes} Where does the record lie?`,
    `const url = "https:${slashes}what.example";`,
  ];
  test.each(sound)("that doesn't is not: %j", (text) => {
    expect(clauseComments(text)).toEqual([]);
  });
});

test("a backtrace tells the file of each function: statics in core/ begin with their file's subject", () => {
  const files = sources.filter((path) => /^core\/(kernel\/)?[^/]+\.c$/.test(path));
  const wrong = files.flatMap((path) => {
    const subject = path.replace(/^.*\/(emulate-)?/, "").replace(/\.c$/, "");
    const functions = textOf(path).matchAll(/^static (?!.*__(?:init|exit)\b)[\w *]*?\b(\w+)\(.*\)?(?:$| \{)/gm);
    return [...functions].map(([, name]) => name!).filter((name) => name !== "name" && !name.startsWith(`${subject}_`));
  });
  expect(files.length).toBeGreaterThan(15);
  expect(wrong.filter((name) => !/^(DEFINE|DECLARE)_|^LIST_HEAD$|^__printf$/.test(name))).toEqual([]);
});

// tier: quick
// The imports of the project obey the rules, and the rules find an import that doesn't.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { projectDirectory } from "../../src/base/paths.js";
import { arrowExceptions, browserExceptions, circleExceptions } from "./import-exceptions.js";
import {
  arrowViolations,
  browserViolations,
  circleViolations,
  type Exceptions,
  unexpected,
  unusedExceptions,
  type Violation,
} from "./import-rules.js";
import { readSource, readSources } from "./source-imports.js";

describe("the project", () => {
  const sources = readSources(projectDirectory, ["src", "dev", "test"]);

  test("is read", () => {
    expect(sources.map(({ path }) => path)).toContain("src/cli/main.ts");
    const main = sources.find(({ path }) => path === "src/cli/main.ts");
    expect(main?.imports.map(({ target }) => target)).toContain("src/cli/commands/record.ts");
  });

  test.each<[string, Violation[], Exceptions]>([
    ["imports follow the arrows", arrowViolations(sources), arrowExceptions],
    ["the browser's rooms use nothing of Node's", browserViolations(sources), browserExceptions],
    ["no files import each other in a circle", circleViolations(sources), circleExceptions],
  ])("%s", (_, violations, exceptions) => {
    expect(unexpected(violations, exceptions).map(({ message }) => message)).toEqual([]);
    // an exception that is no longer needed must be deleted
    expect(unusedExceptions(violations, exceptions)).toEqual([]);
  });
});

describe("a made-up project", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "imports-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function sourcesOf(files: Record<string, string>) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return readSources(folder, ["src", "dev"]);
  }

  const fine = {
    "src/base/assert.ts": "export const assert = 1;\n",
    "src/trace/events.ts": 'import { assert } from "../base/assert.js";\nexport const events = assert;\n',
    "src/trace/events.test.ts": 'import { made } from "../../dev/test-support/made.js";\nmade();\n',
    "src/cli/main.ts": 'export { events } from "../trace/events.js";\n',
    "dev/test-support/made.ts": 'export { events as made } from "../../src/trace/events.js";\n',
    "dev/checks/all.ts": 'import "../../src/cli/main.js";\n',
  };

  test("that is in order has no violations", () => {
    const sources = sourcesOf(fine);
    expect(sources).toHaveLength(6);
    for (const rule of [arrowViolations, browserViolations, circleViolations]) expect(rule(sources)).toEqual([]);
  });

  test.each([
    [
      "an arrow turned round",
      "src/base/hex.ts",
      '\nimport { x } from "../trace/events.js";',
      "2: imports src/trace/ev",
    ],
    ["a type against the arrows", "src/base/hex.ts", 'import type { x } from "../trace/events.js";', "1: imports src"],
    ["an import type", "src/base/hex.ts", 'let x: typeof import("../trace/events.js");', "1: imports src/trace/events"],
    [
      "a dynamic import",
      "src/base/hex.ts",
      'await import("../trace/events.js");',
      "1: imports src/trace/events.ts, but",
    ],
    [
      "a worker",
      "src/base/hex.ts",
      'new URL("../trace/events.js", import.meta.url);',
      "1: imports src/trace/events.ts",
    ],
    [
      "an export from",
      "src/base/hex.ts",
      'export * from "../trace/events.js";',
      "1: imports src/trace/events.ts, but bas",
    ],
    [
      "cli imported by a test",
      "src/trace/x.test.ts",
      'import "../cli/main.js";',
      "1: imports src/cli/main.ts: nothing may",
    ],
    [
      "cli imported by the library",
      "src/index.ts",
      'import "./cli/main.js";',
      "1: imports src/cli/main.ts: nothing may",
    ],
    [
      "dev imported by src",
      "src/cli/x.ts",
      'import "../../dev/test-support/made.js";',
      "1: src/ may not import dev/te",
    ],
    [
      "dev/checks imported by a test",
      "src/cli/x.test.ts",
      'import "../../dev/checks/all.js";',
      "1: src/ may not import",
    ],
    ["a new room", "src/attic/x.ts", "export const x = 1;", " its folder is a new room"],
    ["a new room in a divided one", "src/trace/attic/x.ts", "export const x = 1;", " its folder is a new room"],
    ["a file that isn't there", "src/cli/x.ts", 'import "./y.js";', "1: imports src/cli/y.ts, which isn't there"],
  ])("with %s is found", (_, path, text, message) => {
    const violations = arrowViolations(sourcesOf({ ...fine, [path]: `${text}\n` }));
    expect(violations).toHaveLength(1);
    expect(violations[0]?.message).toContain(`${path}:${message}`);
  });

  test("with Node in a browser's room, or in a file that it loads, is found", () => {
    const sources = sourcesOf({
      ...fine,
      "src/base/files.ts": '// reads\nimport { readFileSync } from "node:fs";\nexport const files = readFileSync;\n',
      "src/base/types.ts": 'import { x } from "node:fs";\n',
      "src/trace/reader.ts": 'import { files } from "../base/files.js";\nimport type { x } from "../base/types.js";\n',
      "src/trace/bytes.ts": 'export const bytes = Buffer.from("");\nexport const own = { process: 1 }.process;\n',
      "src/trace/xml.ts": 'import saxes from "saxes";\n',
      "src/trace/node/files.ts": 'import { readFileSync } from "node:fs";\n',
    });
    expect(browserViolations(sources).map(({ message }) => message)).toEqual([
      "src/trace/bytes.ts:1: uses Buffer, but must run in a browser",
      "src/trace/xml.ts:1: uses saxes, but must run in a browser",
      "src/base/files.ts:2: uses node:fs, but must run in a browser (loaded by way of src/trace/reader.ts → src/base/files.ts)",
    ]);
  });

  test("with a circle is found, once", () => {
    const sources = sourcesOf({
      "src/base/a.ts": 'import { b } from "./b.js";\n',
      "src/base/b.ts": '\nimport type { c } from "./c.js";\n',
      "src/base/c.ts": 'import { a } from "./a.js";\nimport "./d.js";\n',
      "src/base/d.ts": "export {};\n",
    });
    expect(circleViolations(sources).map(({ message }) => message)).toEqual([
      "src/base/c.ts:1: closes a circle of imports: src/base/a.ts → src/base/b.ts → src/base/c.ts → src/base/a.ts",
    ]);
  });

  test("an exception excuses its own violation alone, and is reported when it isn't needed", () => {
    const sources = sourcesOf({
      ...fine,
      "src/base/x.ts": 'import "../trace/events.js";\n',
      "src/base/y.ts": 'import "../trace/events.js";\n',
    });
    const violations = arrowViolations(sources);
    const exceptions = { "src/base/x.ts": ["src/trace/events.ts", "src/trace/text.ts"] };
    expect(unexpected(violations, exceptions).map(({ file }) => file)).toEqual(["src/base/y.ts"]);
    expect(unusedExceptions(violations, exceptions)).toEqual(["src/base/x.ts uses src/trace/text.ts"]);
  });
});

test("every form of import is read, with its line", () => {
  const text = `
import fs from "node:fs";
import { type A, type B } from "./a.js";
import { type C, d } from "../b.js";
export type { E } from "./e.js";
// import "./comment.js"
const s = 'import "./string.js"';
const data = new URL("./table.json", import.meta.url);
`;
  expect(readSource("src/trace/x.ts", text).imports).toEqual([
    { specifier: "node:fs", target: undefined, line: 2, typeOnly: false },
    { specifier: "./a.js", target: "src/trace/a.ts", line: 3, typeOnly: true },
    { specifier: "../b.js", target: "src/b.ts", line: 4, typeOnly: false },
    { specifier: "./e.js", target: "src/trace/e.ts", line: 5, typeOnly: true },
  ]);
});

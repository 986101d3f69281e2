// tier: quick
// Limits of a database's files, at their last good and first bad place.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { failureOf } from "../../../dev/test-support/failure-of.js";
import { databaseOf, temporaryFolder, writeFiles } from "../../../dev/test-support/made-up-files.js";
import { FormatError } from "../../base/errors.js";
import { ImportPath } from "./imports.js";
import { builtInDirectory } from "./load.js";
import { parseDatabase } from "./parser.js";

const folder = temporaryFolder();

function parse(name: string) {
  const path = join(folder, name);
  return parseDatabase(path, new ImportPath(path, builtInDirectory, ""));
}

/** Returns the error that parsing a file ends in: `FILE:LINE: WHY`, without the folder. */
function errorOf(work: () => unknown): string {
  const error = failureOf(work);
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message.replaceAll(`${folder}/`, "");
}

const each = (count: number, make: (number: number) => string) =>
  Array.from({ length: count }, (_, at) => make(at)).join("\n");

test("elements are nested at most 256 deep, the root among them", () => {
  const nested = (depth: number) => "<doc>".repeat(depth - 1) + "</doc>".repeat(depth - 1);
  writeFiles(folder, { "good.xml": nested(256), "bad.xml": nested(257) });
  expect(parse("good.xml").warnings).toEqual([]);
  expect(errorOf(() => parse("bad.xml"))).toBe("bad.xml:3: elements are nested more than 256 deep");
});

describe("imports", () => {
  test("lie at most 256 deep in elements of the files around them", () => {
    const chain = (prefix: string, files: number) =>
      Object.fromEntries(
        Array.from({ length: files }, (_, at) => [
          `${prefix}${at}.xml`,
          at === files - 1 ? "<domain name='D'/>" : `<import file='${prefix}${at + 1}.xml'/>`,
        ]),
      );
    writeFiles(folder, { ...chain("good", 257), ...chain("bad", 258) });
    expect(parse("good0.xml").files).toHaveLength(257);
    expect(errorOf(() => parse("bad0.xml"))).toBe(
      "bad256.xml:3: imports lie in more than 256 elements, one in another",
    );
  });

  test("make up at most 1024 files", () => {
    const names = Array.from({ length: 1_024 }, (_, at) => `part${at}.xml`);
    const importing = (count: number) =>
      names
        .slice(0, count)
        .map((name) => `<import file='${name}'/>`)
        .join("");
    writeFiles(folder, Object.fromEntries(names.map((name) => [name, ""])));
    writeFiles(folder, { "good.xml": importing(1_023), "bad.xml": importing(1_024) });
    expect(parse("good.xml").files).toHaveLength(1_024);
    expect(errorOf(() => parse("bad.xml"))).toBe("part1023.xml: imports make up more than 1024 files");
  });
});

test("a list has at most 65536 offsets", () => {
  const listing = (count: number) =>
    `<domain name='D'><reg8 name='A' offsets='${each(count, (at) => `${at}`)}'/></domain>`;
  writeFiles(folder, { "good.xml": listing(65_536), "bad.xml": listing(65_537) });
  const good = parse("good.xml");
  expect([good.warnings, good.domains.get("D")!.children[0]!.length]).toEqual([[], 65_536]);
  expect(parse("bad.xml").warnings.map(({ message }) => message)).toContain("offsets lists more than 65536 numbers");
});

test("groups use one another at most 256 deep", () => {
  const using = (groups: number) =>
    `${each(groups, (at) => `<group name="G${at}">${at === groups - 1 ? '<reg8 name="A" offset="0"/>' : `<use-group name="G${at + 1}"/>`}</group>`)}
     <domain name="D"><use-group name="G0"/></domain>`;
  expect(databaseOf(folder, using(256), "D").lookup(0, 0, 1)?.name).toBe("A");
  const failing = () => databaseOf(folder, using(257), "D").lookup(0, 0, 1);
  expect(errorOf(failing)).toMatch(/\.xml:258: groups use one another more than 256 deep$/);
});

test("variants are of at most 4096 values", () => {
  const varying = (count: number) =>
    `<enum name="E">${each(count, (at) => `<value name="V${at}"/>`)}</enum>
     <domain name="D" prefix="E"><reg8 name="A" offset="0" variants="V1"/></domain>`;
  expect(databaseOf(folder, varying(4_096), "D").lookup(0, 0, 1)?.name).toBe("A");
  const failing = () => databaseOf(folder, varying(4_097), "D").lookup(0, 0, 1);
  expect(errorOf(failing)).toMatch(/\.xml:3: enum E has variants of more than 4096 values$/);
});

test("a file holds an element", () => {
  writeFiles(folder, { "empty.xml": "!", "comment.xml": "!<!-- nothing -->" });
  for (const name of ["empty.xml", "comment.xml"]) {
    expect(errorOf(() => parse(name))).toBe(`${name}:1: not well-formed XML: document must contain a root element.`);
  }
});

// tier: quick
// XML files as elements: lines, depths, texts, and the limits, each at its last good and its first bad place.
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { failureOf } from "../../../dev/test-support/failure-of.js";
import { FormatError, UserError } from "../../base/errors.js";
import { Limits } from "../schema.js";
import { readXml, type XmlElement } from "./xml.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-xml-"));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, "file.xml");
function read(content: string | Uint8Array, left?: number): XmlElement {
  writeFileSync(path, content);
  return readXml(path, left === undefined ? undefined : { left });
}

test("elements have their tag, attributes, own text, line and depth", () => {
  const root = read(
    '<?xml version="1.0"?>\n<rng:database a="1"\n  b="2">before<x:one/>\n<two>in<![CDATA[side <]]></two>\nafter</rng:database>\n',
  );
  expect(root).toMatchObject({ tag: "database", line: 2, depth: 0, text: "before\n\nafter" });
  expect([...root.attributes]).toEqual([
    ["a", "1"],
    ["b", "2"],
  ]);
  expect(root.children).toMatchObject([
    { tag: "one", line: 3, depth: 1, text: "", children: [] },
    { tag: "two", line: 4, depth: 1, text: "inside <" },
  ]);
});

test("the last element and the last nesting within the limits are read, the next isn't", () => {
  expect(read("<a>\n<b/>\n<c/></a>", 3).children.length).toBe(2);
  expect(failureOf(() => read("<a>\n<b/>\n<c/></a>", 2))).toMatchObject({
    line: 3,
    what: expect.stringContaining("elements"),
  });
  const nested = (depth: number) => `${"<a>".repeat(depth)}\n${"</a>".repeat(depth)}`;
  expect(read(nested(Limits.nestingMax)).tag).toBe("a");
  expect(failureOf(() => read(nested(Limits.nestingMax + 1)))).toMatchObject({
    line: 1,
    what: `elements are nested more than ${Limits.nestingMax} deep`,
  });
});

test("a file of the greatest size is read, a larger one isn't; nor is a folder, nor nothing", () => {
  const start = "<a/>";
  writeFileSync(path, start + " ".repeat(Limits.fileBytesMax - start.length));
  expect(readXml(path).tag).toBe("a");
  truncateSync(path, Limits.fileBytesMax + 1);
  expect(failureOf(() => readXml(path))).toMatchObject({
    message: `can't read the register database ${path}: it is larger than ${Limits.fileBytesMax} bytes`,
  });
  mkdirSync(join(directory, "folder"));
  expect(() => readXml(join(directory, "folder"))).toThrow("it isn't a file");
  expect(failureOf(() => readXml(join(directory, "missing")))).toBeInstanceOf(UserError);
});

test("what isn't XML is reported with its line, what isn't UTF-8 with its byte", () => {
  expect(failureOf(() => read("<a>\n<b></a>"))).toMatchObject({
    line: 2,
    what: expect.stringMatching(/^not well-formed XML: [^\d]/),
  });
  expect(failureOf(() => read("<!-- nothing -->"))).toBeInstanceOf(FormatError);
  const good = new TextEncoder().encode("<a>ä€");
  for (let at = 0; at <= good.length; at += 1) {
    const whole = [0, 1, 2, 3, 5, 8].includes(at);
    const bytes = [...good.subarray(0, at), 0xff, ...good.subarray(at)];
    const error = failureOf(() => read(Uint8Array.from(bytes)));
    expect(error).toMatchObject({ what: "isn't UTF-8 text" });
    if (whole) expect((error as FormatError).offset).toBe(at);
  }
});

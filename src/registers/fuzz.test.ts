// tier: quick
// Damaged and hostile register databases: each fault is a FormatError with a line or a byte's offset, or a warning; never
// anything else, and in bounded time and memory. parser.test.ts has the faults one by one.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { databaseOf, temporaryFolder, writeFiles } from "../../dev/test-support/made-up-files.js";
import { FormatError, UserError } from "../base/errors.js";
import { checkSchema } from "./check.js";
import { RegisterDatabase } from "./database.js";
import { ImportPath } from "./files/imports.js";
import { builtInDirectory } from "./files/load.js";
import { parseDatabase } from "./files/parser.js";
import { listRegisters } from "./list.js";
import type { Schema } from "./schema.js";

const folder = temporaryFolder();
const parse = (name: string): Schema => {
  const path = join(folder, name);
  return parseDatabase(path, new ImportPath(path, builtInDirectory, ""));
};

/** Returns the UserError that `work` throws, or undefined; throws any other error on. */
function failure(work: () => void): UserError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error;
  }
}

/** Uses all of a schema: looks up, describes and lists registers of all domains at many places. */
function use(schema: Schema): void {
  const widths = [1, 2, 4, 8, 64];
  const offsets = [0, 1, 4, 0x10, 0xff, 0x1000, 2 ** 31, 2 ** 32 + 4, 2 ** 52];
  checkSchema(schema);
  for (const domain of schema.domains.keys()) {
    const database = new RegisterDatabase("made up", schema, new Map([[0, [{ domain, start: 0 }]]]));
    for (const offset of offsets) {
      for (const width of widths) {
        database.lookup(0, offset, width);
        database.describe(0, offset, width, (1n << 64n) - 1n, { style: "full" });
        database.describe(0, offset, width, 0x123456789abcn);
      }
    }
    listRegisters(database.view(domain), 0, 0);
    for (const varset of database.undecidedVarsets()) {
      const [first] = schema.enums.get(varset)?.values ?? [];
      if (first !== undefined) database.withVariant(varset, first.name).lookup(0, 0, 4);
    }
  }
}

const name = fc.constantFrom("A", "B", "C", "D", "E", "chipset", "none", "", "\u{1f600}", "__proto__", "constructor");
const number = fc.oneof(
  fc.nat(40).map(String),
  fc.constantFrom(
    "0",
    "1",
    "0x10",
    "-1",
    "0xffffffff",
    "9007199254740991",
    "9007199254740992",
    "0xffffffffffffffff",
    "x",
    "",
  ),
);
const attributes: Record<string, fc.Arbitrary<string>> = {
  name,
  ...Object.fromEntries(
    [
      "offset",
      "length",
      "stride",
      "value",
      "pos",
      "low",
      "high",
      "shr",
      "radix",
      "add",
      "min",
      "max",
      "align",
      "size",
    ].map((key) => [key, number]),
  ),
  offsets: fc.array(number, { maxLength: 5 }).map((numbers) => numbers.join(",")),
  width: fc.constantFrom("8", "16", "32", "64", "0", "3"),
  type: fc.oneof(name, fc.constantFrom("hex", "int", "float", "fixed", "ufixed", "boolean", "enum", "bitset", "uint")),
  variants: fc.constantFrom("A", "A-B", "B:A", ":C", "-D", "A-", "-", ":", "A B C", "nothing"),
  varset: name,
  prefix: name,
  inline: fc.constantFrom("yes", "no", "perhaps"),
  access: fc.constantFrom("r", "w", "rw", "x"),
  file: fc.constantFrom("made-up.xml", "other.xml", "../other.xml", "/dev/null", "", "."),
};
const tags = [
  ...["domain", "group", "bitset", "enum", "spectype", "import", "array", "stripe", "use-group", "bitfield", "value"],
  ...["reg8", "reg16", "reg32", "reg64", "doc", "brief", "unknown"],
];

/** Elements and attributes of the format, combined without regard to its rules. */
const element = fc.letrec<{ element: string; inside: string }>((tie) => ({
  element: fc
    .tuple(
      fc.constantFrom(...tags),
      fc.record(attributes, { requiredKeys: ["name"] }),
      fc.array(tie("inside"), { maxLength: 4 }),
    )
    .map(([tag, given, inside]) => {
      const listed = Object.entries(given).map(([key, value]) => ` ${key}="${value}"`);
      return `<${tag}${listed.join("")}>\n${inside.join("")}</${tag}>\n`;
    }),
  inside: fc.oneof({ maxDepth: 4, depthSize: "small" }, fc.constant(""), tie("element")),
})).element;

describe("anything that looks like a database", () => {
  test("is used, or refused with its place", () => {
    let used = 0;
    const property = fc.property(fc.array(element, { minLength: 1, maxLength: 8 }), (elements) => {
      writeFiles(folder, { "made-up.xml": elements.join(""), "other.xml": "<import file='made-up.xml'/>" });
      const error = failure(() => use(parse("made-up.xml")));
      if (error === undefined) used += 1;
      else expect(error instanceof FormatError ? (error.line ?? error.offset) : error.message).toBeDefined();
    });
    fc.assert(property, { numRuns: 400 });
    expect(used).toBeGreaterThan(50);
  });

  test("cut anywhere is refused with a line", () => {
    const whole =
      "<?xml version='1.0' encoding='UTF-8'?>\n<database>\n<domain name='D'>\n<!-- é -->\n<reg8 name='A' offset='0'/>\n</domain>\n</database>";
    const bytes = Buffer.from(whole);
    for (let length = 0; length < bytes.length; length += 1) {
      writeFileSync(join(folder, "cut.xml"), bytes.subarray(0, length));
      const error = failure(() => parse("cut.xml"));
      expect(error).toBeInstanceOf(FormatError);
      const { line, offset } = error as FormatError;
      expect(line ?? offset).toBeGreaterThanOrEqual(0);
    }
  });

  test("bytes of any kind", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        writeFileSync(join(folder, "bytes.xml"), bytes);
        expect(failure(() => use(parse("bytes.xml")))).toBeInstanceOf(UserError);
      }),
      { numRuns: 200 },
    );
  });
});

describe("wrong encodings", () => {
  const text = `<?xml version="1.0" encoding="ENC"?>\n<database><domain name="é"/></database>`;
  test.each([
    ["UTF-16 with a mark", Buffer.from(`\ufeff${text.replace("ENC", "UTF-16")}`, "utf16le")],
    ["UTF-16 without one", Buffer.from(text.replace("ENC", "UTF-16"), "utf16le")],
    ["Latin-1", Buffer.from(text.replace("ENC", "ISO-8859-1"), "latin1")],
    ["a zero byte", Buffer.from(`<database>\0</database>`)],
    ["half a character", Buffer.from(text).subarray(0, text.length - 15)],
    ["a surrogate", Buffer.from([0x3c, 0x61, 0x3e, 0xed, 0xa0, 0x80, 0x3c, 0x2f, 0x61, 0x3e])],
  ])("%s", (_, bytes) => {
    writeFileSync(join(folder, "encoded.xml"), bytes);
    const error = failure(() => parse("encoded.xml"));
    expect(error).toBeInstanceOf(FormatError);
    const { line, offset } = error as FormatError;
    expect(line ?? offset).toBeDefined();
  });

  test("UTF-8 with a mark is read", () => {
    writeFileSync(join(folder, "encoded.xml"), `\ufeff${text.replace("ENC", "UTF-8")}`);
    expect([...parse("encoded.xml").domains.keys()]).toEqual(["é"]);
  });
});

describe("a small file that claims to be large", () => {
  const chain = (count: number, make: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => make(n)).join("\n");

  test.each<[string, string, RegExp]>([
    [
      "entities of entities",
      `!<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>\n<database>&c;</database>`,
      /undefined entity/,
    ],
    [
      "an entity of a file",
      `!<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]><database>&f;</database>`,
      /undefined entity/,
    ],
    ["elements in one another", "<doc>".repeat(100_000), /nested more than 256 deep/],
    ["a million elements", "<doc/>".repeat(1_000_001), /more than 1000000 elements/],
    [
      "groups of groups of groups",
      `${chain(20_000, (n) => `<group name="G${n}"><use-group name="G${n + 1}"/></group>`)}<domain name="D"><use-group name="G0"/></domain>`,
      /groups use one another more than 256 deep/,
    ],
    [
      "bitsets of two bitsets",
      `${chain(40, (n) => `<bitset name="B${n}"><bitfield name="X" pos="0" type="B${n + 1}"/><bitfield name="Y" pos="1" type="B${n + 1}"/></bitset>`)}
       <bitset name="B40"/><domain name="D"><reg32 name="R" offset="0" type="B0"/></domain>`,
      /types are made of one another more than 16 deep/,
    ],
    [
      "bitsets of a hundred bitsets",
      `${chain(5, (n) => `<bitset name="B${n}">${chain(100, (m) => `<bitfield name="X${m}" pos="0" type="B${n + 1}"/>`)}</bitset>`)}
       <bitset name="B5"><bitfield name="X" pos="0"/></bitset><domain name="D"><reg32 name="R" offset="0" type="B0"/></domain>`,
      /a type has more than 65536 bit fields and values/,
    ],
    [
      "inline enums of many values for many registers",
      `<enum name="E" inline="yes">${chain(20_000, (n) => `<value name="V${n}" value="${n}"/>`)}</enum>
       <domain name="D">${chain(500, (n) => `<reg32 name="R${n}" offset="${4 * n}" type="E"/>`)}</domain>`,
      /the types of a domain's registers have more than 2000000 bit fields and values/,
    ],
    [
      "spectypes of spectypes",
      `${chain(50_000, (n) => `<spectype name="S${n}" type="S${n + 1}"/>`)}<domain name="D"><reg32 name="R" offset="0" type="S0"/></domain>`,
      /types are made of one another more than 16 deep/,
    ],
    [
      "variants of a hundred thousand values",
      `<enum name="E">${chain(100_000, (n) => `<value name="V${n}"/>`)}</enum>
       <domain name="D" prefix="E">${chain(1_000, (n) => `<reg32 name="R" offset="0" variants="V${n}-"/>`)}</domain>`,
      /variants of more than 4096 values/,
    ],
    [
      "copies upon copies over each other",
      `<domain name="D"><stripe offset="0" length="9007199254740991" stride="2"><stripe offset="0" length="9007199254740991" stride="2">
       <reg8 name="A" offset="0" access="r"/><reg8 name="B" offset="0x80000000"/></stripe></stripe></domain>`,
      /more than 4000000 elements may be at one address \(0x\d+\)/,
    ],
  ])("%s", (_, content, message) => {
    writeFiles(folder, { "bomb.xml": content });
    const error = failure(() => use(parse("bomb.xml")));
    expect(error).toBeInstanceOf(FormatError);
    expect(error?.message).toMatch(message);
    expect((error as FormatError).line).toBeGreaterThan(0);
  });

  test("a list of a hundred thousand offsets is a warning", () => {
    const offsets = Array.from({ length: 100_000 }, (_, n) => n).join(",");
    const database = databaseOf(
      folder,
      `<domain name="D"><reg8 name="A" offsets="${offsets}"/><reg8 name="B" offset="9"/></domain>`,
    );
    expect(database.warnings.map(({ message }) => message)).toContain("offsets lists more than 65536 numbers");
    expect(database.lookup(0, 9, 1)?.name).toBe("B");
  });

  test("more registers than a call has room for arguments are no hindrance", () => {
    const registers = chain(130_000, (n) => `<reg32 name="R${n}" offset="${4 * n}"/>`);
    const database = databaseOf(folder, `<domain name="D">${registers}</domain>`);
    expect(database.lookup(0, 4 * 129_999, 4)?.name).toBe("R129999");
  });

  test("arrays without end, and numbers without bound, are looked up like others", () => {
    const odd = ["0", "1", "9007199254740991"];
    const inside = odd.flatMap((offset) =>
      odd.flatMap((length) =>
        odd.map(
          (stride) =>
            `<array name="A" offset="${offset}" length="${length}" stride="${stride}"><reg32 name="R" offset="${offset}" length="${length}"/></array>`,
        ),
      ),
    );
    writeFiles(folder, { "odd.xml": `<domain name="D">${inside.join("")}</domain>` });
    expect(failure(() => use(parse("odd.xml")))).toBeUndefined();
  });

  test("files that import each other, deep in each other's elements", () => {
    const files = chain(100, () => "").split("\n");
    mkdirSync(join(folder, "chain"), { recursive: true });
    files.forEach((_, n) => {
      const around = n === 0 ? 0 : 200;
      writeFiles(folder, {
        [`chain/${n}.xml`]: `${"<domain name='D'>".repeat(around)}<import file="${n + 1}.xml"/>${"</domain>".repeat(around)}`,
      });
    });
    writeFiles(folder, { "chain/100.xml": "" });
    const error = failure(() => parse("chain/0.xml"));
    expect(error).toBeInstanceOf(FormatError);
    expect(error?.message).toMatch(/imports lie in more than 256 elements/);
  });

  test("ten thousand files that import one another, side by side", () => {
    const imports = chain(1_200, (n) => `<import file="wide/${n}.xml"/>`);
    writeFiles(folder, { "wide.xml": imports });
    for (let n = 0; n < 1_200; n += 1) writeFiles(folder, { [`wide/${n}.xml`]: "" });
    const error = failure(() => parse("wide.xml"));
    expect(error?.message).toMatch(/imports make up more than 1024 files/);
  });
});

// tier: quick
// The words about choices that a register database doesn't have, and numbers in words at their limits.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { failureOf } from "../../dev/test-support/failure-of.js";
import { databaseOf, temporaryFolder, writeFiles } from "../../dev/test-support/made-up-files.js";
import { AmbiguousNameError, InvalidValueError, UnknownNameError } from "../base/errors.js";
import { AmbiguousVariantError } from "./errors.js";
import { loadDatabase, parseDatabaseChoice } from "./files/load.js";
import { withVariants } from "./with-variants.js";

const folder = temporaryFolder();

const values = (count: number) =>
  Array.from({ length: count }, (_, at) => `<value name="V${at}" value="${at + 1}"/>`).join("");
const register = (variants: string, varset: string, offset = 0) =>
  `<reg8 name="R${offset}" offset="${offset}" variants="${variants}" varset="${varset}"/>`;

describe("variants", () => {
  const both = databaseOf(
    folder,
    `<enum name="one">${values(2)}<value name="SAME"/></enum><enum name="two">${values(1)}<value name="Same"/></enum>
     <domain name="D">${register("V0", "one")}${register("V0", "two", 1)}${register("V1", "one", 2)}</domain>`,
  );

  test("in any case, by name or number, decimal or hexadecimal", () => {
    for (const text of ["one=V1", "one=v1", "one=2", "one=0x2", "v1"]) {
      const chosen = withVariants(both, [text]);
      expect([chosen.lookup(0, 2, 1)?.name, chosen.lookup(0, 0, 1)], text).toEqual(["R2", undefined]);
    }
  });

  test("that two enums have must be told with the enum", () => {
    for (const text of ["same", "V0"]) {
      const error = failureOf(() => withVariants(both, [text]));
      expect(error).toBeInstanceOf(AmbiguousVariantError);
      expect(error).toMatchObject({
        ...{ name: "AmbiguousVariantError", message: `${text} is a variant of each of one, two` },
        ...{ advice: `say which: one=${text}`, candidates: ["one", "two"] },
      });
    }
    expect(withVariants(both, ["one=V0", "two=V0"]).undecidedVarsets()).toEqual([]);
  });

  test("that there aren't, with those that there are", () => {
    const { name } = both;
    expect(failureOf(() => withVariants(both, ["three=V0"]))).toMatchObject({
      message: `the register database ${name} has no enum three to choose a variant of`,
      known: ["one", "two"],
    });
    for (const wrong of ["V7", "3", "0x", "1x", "0b1"]) {
      const error = failureOf(() => withVariants(both, [`one=${wrong}`]));
      expect(error).toBeInstanceOf(UnknownNameError);
      expect(error).toMatchObject({
        message: `the register database ${name} has no variant ${wrong} of one`,
        advice: "it has V0, V1, SAME",
      });
    }
  });

  test("of a long list the first 40 are named", () => {
    for (const [count, advice] of [
      [40, /, V38, V39$/],
      [41, /, V38, V39, and 1 more$/],
      [50, /, V39, and 10 more$/],
    ] as const) {
      const long = databaseOf(
        folder,
        `<enum name="e">${values(count)}</enum><domain name="D">${register("V0", "e")}</domain>`,
      );
      expect((failureOf(() => withVariants(long, ["e=no"])) as UnknownNameError).advice).toMatch(advice);
    }
  });

  test("of a database that depends on none", () => {
    const plain = databaseOf(folder, `<domain name="D"><reg8 name="R" offset="0"/></domain>`);
    const error = failureOf(() => withVariants(plain, ["A"]));
    expect(error).toBeInstanceOf(InvalidValueError);
    expect(error).toMatchObject({
      message: `nothing in the register database ${plain.name} depends on a variant such as A`,
    });
    expect(failureOf(() => withVariants(plain, ["=A"]))).toMatchObject({ given: "=A" });
  });
});

describe("domains", () => {
  const domain = (name: string) => `<domain name="${name}"><reg8 name="R_${name}" offset="0"/></domain>`;
  writeFiles(folder, {
    "two.xml": domain("A") + domain("B"),
    "empty.xml": "<enum name='e'><value name='V'/></enum>",
    "many.xml": Array.from({ length: 21 }, (_, at) => domain(`D${at}`)).join(""),
    "twenty.xml": Array.from({ length: 20 }, (_, at) => domain(`D${at}`)).join(""),
    "importing.xml": `<import file="two.xml"/>${domain("OWN")}<domain name="BARE"/>`,
    "only-imports.xml": `<import file="one.xml"/><domain name="BARE"/>`,
    "one.xml": domain("ONE"),
  });
  const path = (name: string) => join(folder, name);

  test("a file's only one with registers is BAR 0's", () => {
    expect(loadDatabase(path("one.xml")).lookup(0, 0, 1)?.name).toBe("R_ONE");
    expect(loadDatabase(path("importing.xml")).lookup(0, 0, 1)?.name).toBe("R_OWN");
  });

  test("of several one must be chosen", () => {
    const error = failureOf(() => loadDatabase(path("two.xml")));
    expect(error).toBeInstanceOf(AmbiguousNameError);
    expect(error).toMatchObject({
      message: `the register database ${path("two.xml")} has several domains`,
      advice: `choose one: ${path("two.xml")}:DOMAIN, where DOMAIN is A, B`,
      candidates: ["A", "B"],
    });
    // those of its own first, else all
    expect(failureOf(() => loadDatabase(path("only-imports.xml")))).toMatchObject({ candidates: ["ONE", "BARE"] });
  });

  test("a file without any is of no use", () => {
    expect(failureOf(() => loadDatabase(path("empty.xml")))).toMatchObject({
      message: `the register database ${path("empty.xml")} defines no domain, so nothing can be looked up in it`,
    });
    expect(failureOf(() => loadDatabase(path("empty.xml"), "A"))).toMatchObject({ advice: "it has none at all" });
  });

  test("the names of twenty are told, of more their number", () => {
    const error = failureOf(() => loadDatabase(path("two.xml"), "A,C@1"));
    expect(error).toMatchObject({
      ...{
        message: `the register database ${path("two.xml")} has no domain C`,
        advice: "it has A, B",
        known: ["A", "B"],
      },
    });
    expect(failureOf(() => loadDatabase(path("twenty.xml"), "X"))).toMatchObject({
      advice: expect.stringMatching(/, D18, D19$/),
    });
    expect(failureOf(() => loadDatabase(path("many.xml"), "X"))).toMatchObject({
      advice: expect.stringMatching(/, D19 and 1 more$/),
    });
    const database = loadDatabase(path("two.xml"), "A");
    expect(failureOf(() => database.lookupIn("C", 0, 1))).toMatchObject({
      ...{ message: "the register database two has no domain C", advice: "it has A, B" },
    });
  });

  test.each([
    ["A", 0, 0],
    ["A@0", 0, 0],
    ["A@6", 6, 0],
    ["A@1+16", 1, 16],
    ["A@1+0x10", 1, 16],
    ["A@1+0X10", 1, 16],
  ])("%s has its place", (text, bar, start) => {
    expect([...loadDatabase(path("two.xml"), text).layout]).toEqual([[bar, [{ domain: "A", start }]]]);
  });

  test.each(["", "A@", "A@7", "A@1+", "A@1+x", "A@1+0x", "@1", "A@1+1234567890123456", "A@1+0x1234567890123", "A,"])(
    '"%s" tells no place',
    (text) => {
      const item = text.split(",").at(-1)!;
      expect(failureOf(() => loadDatabase(path("two.xml"), text))).toMatchObject({
        message: `"${item}" doesn't say where a domain is: NAME, NAME@BAR or NAME@BAR+OFFSET`,
        advice: "BARs are numbered 0 to 6, an offset is decimal or 0x…",
      });
    },
  );

  test("two can't begin at one place; their order in a BAR is that of their starts", () => {
    expect(failureOf(() => loadDatabase(path("two.xml"), "A@1+8,B@1+0x8"))).toMatchObject({
      message: "A and B can't both begin at BAR 1 + 8",
    });
    const { layout } = loadDatabase(path("two.xml"), "A@1+8,B@1+4,B@2+8");
    expect(layout.get(1)!.map(({ domain: name }) => name)).toEqual(["B", "A"]);
  });

  test("a choice is a path, and behind its last colon the domains", () => {
    expect(parseDatabaseChoice("a.xml")).toEqual({ path: "a.xml", domain: undefined });
    expect(parseDatabaseChoice("a.xml:D@1,E")).toEqual({ path: "a.xml", domain: "D@1,E" });
    expect(parseDatabaseChoice("a:b.xml:D")).toEqual({ path: "a:b.xml", domain: "D" });
    expect(failureOf(() => parseDatabaseChoice("a.xml:"))).toMatchObject({
      message: '"a.xml:" names no domain after the colon',
    });
    writeFiles(folder, { "with:colon": "x" });
    expect(parseDatabaseChoice(path("with:colon"))).toEqual({ path: path("with:colon"), domain: undefined });
  });
});

describe("numbers in words", () => {
  const described = (attributes: string, value: bigint, style: "brief" | "full" = "brief", bits = 32) =>
    databaseOf(folder, `<domain name="D"><reg${bits} name="R" offset="0" ${attributes}/></domain>`).describe(
      0,
      0,
      bits / 8,
      value,
      { style },
    );

  test.each([
    ['type="uint"', 0xffff_ffffn, "4294967295"],
    ['type="int"', 0xffff_ffffn, "-1"],
    ['type="int"', 0x7fff_ffffn, "2147483647"],
    ['type="int" shr="2"', 0xffff_ffffn, "-4"],
    ['type="int" shr="1" add="3"', 2n, "7"],
    ['type="uint" shr="3"', 5n, "40"],
    ['type="uint" add="1"', 0n, "1"],
    ['type="hex" shr="4"', 0x12n, "0x120"],
    ['type="hex"', 0x12n, undefined],
    ['type="boolean"', 0n, "FALSE"],
    ['type="boolean"', 1n, "TRUE"],
    ['type="boolean"', 2n, "0x2"],
    ['type="ufixed" radix="16"', 0x1_8000n, "1.5"],
    ['type="fixed" radix="16"', 0xffff_8000n, "-0.5"],
    ['type="ufixed" radix="16"', 0xffff_8000n, "65535.5"],
    ['type="float"', 0x3fc0_0000n, "1.5"],
    ['type="float"', 0xff80_0000n, "-Infinity"],
    // limits, at the last good and the first bad number
    ['type="uint" min="4" max="8"', 3n, "3 (below the minimum 4)"],
    ['type="uint" min="4" max="8"', 4n, "4"],
    ['type="uint" min="4" max="8"', 8n, "8"],
    ['type="uint" min="4" max="8"', 9n, "9 (above the maximum 8)"],
    ['type="uint" align="16"', 32n, "32"],
    ['type="uint" align="16"', 33n, "33 (not a multiple of 0x10)"],
    ['type="uint" align="0"', 33n, "33"],
  ])("%s of 0x%i", (attributes, value, words) => {
    expect(described(attributes, value)).toBe(words);
  });

  test.each([
    [16, 0x3e00n, "1.5"],
    [16, 0xbe00n, "-1.5"],
    [16, 0x0001n, `${2 ** -24}`],
    [16, 0x0400n, `${2 ** -14}`],
    [16, 0x7bffn, "65504"],
    [16, 0x7c00n, "Infinity"],
    [16, 0xfc00n, "-Infinity"],
    [16, 0x7c01n, "NaN"],
    [16, 0x8000n, "0"],
    [64, 0x3ff8_0000_0000_0000n, "1.5"],
    [8, 0x12n, "0x12"],
  ])("a float of %i bits: 0x%i", (bits, value, words) => {
    expect(described('type="float"', value, "brief", bits)).toBe(words);
  });

  test.each([
    ['type="float"', 0x3fc0_0000n, "1.500000"],
    ['type="float"', 0x7f80_0000n, "inf"],
    ['type="float"', 0xff80_0000n, "-inf"],
    ['type="float"', 0x7fc0_0000n, "nan"],
    ['type="float"', 0x8000_0000n, "-0.000000"],
    ['type="float"', 0n, "0.000000"],
    ['type="float"', 0x6258_d727n, "1000000020040877342720.000000"],
    ['type="ufixed" radix="16"', 0x1_8000n, "1.500000 (00018000)"],
    ['type="uint" max="8"', 9n, "9"],
  ])("in full: %s of 0x%i", (attributes, value, words) => {
    expect(described(attributes, value, "full")).toBe(words);
  });
});

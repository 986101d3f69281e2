// tier: quick
// The parser: merging, imports, warnings; and one clear error with a place for a bad file.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { databaseOf, temporaryFolder, writeFiles } from "../../../dev/test-support/made-up-files.js";
import { FormatError, UserError } from "../../base/errors.js";
import { checkSchema } from "../check.js";
import type { Schema } from "../schema.js";
import { parseNumber } from "./attributes.js";
import { ImportPath } from "./imports.js";
import { builtInDirectory, loadDatabase } from "./load.js";
import { parseDatabase } from "./parser.js";

const folder = temporaryFolder();

function parse(name: string): Schema {
  const path = join(folder, name);
  return parseDatabase(path, new ImportPath(path, builtInDirectory, ""));
}

/** Returns the faults of a file whose <database> holds `inside`, which begins on line 3. */
function faultsOf(inside: string): string[] {
  writeFiles(folder, { "faults.xml": inside });
  return checkSchema(parse("faults.xml")).map((fault) => `${fault.line}: ${fault.message}`);
}

describe("faults", () => {
  it.each([
    ["<register/>", "3: <register> can't be inside <database>"],
    ["<reg32 name='A' offset='0'/>", "3: <reg32> can't be inside <database>"],
    ["<domain/>", "3: <domain> has no name"],
    ["<domain name='D' width='12'/>", "3: domain D: width 12 is none of 8, 16, 32, 64"],
    ["<domain name='D'>\n<reg32 offset='0'/></domain>", "4: <reg32> has no name"],
    ["<domain name='D'><reg32 name='A'/></domain>", "3: register A has no offset"],
    ["<domain name='D'><reg32 name='A' offset='0x1g'/></domain>", `3: offset="0x1g" isn't a number of up to 64 bits`],
    ["<domain name='D'><reg32 name='A' offset='0x20000000000000'/></domain>", /^3: offset=.* is out of range$/],
    ["<domain name='D'><reg32 name='A' offset='0' colour='red'/></domain>", '3: <reg32> has no attribute "colour"'],
    ["<domain name='D'><reg32 name='A' offset='0' access='x'/></domain>", '3: access="x" is none of r, w, rw'],
    ["<domain name='D'><reg8 name='A' offset='0' type='T'/></domain>", "3: there is no type T"],
    ["<domain name='D' width='32'><reg8 name='A' offset='0'/></domain>", /narrower than a unit/],
    ["<domain name='D'><array name='A' offset='0' length='2'/></domain>", "3: array A has no stride"],
    ["<domain name='D'><stripe name='A' length='2'/></domain>", "3: stripe A has a length but no stride"],
    ["<domain name='D'><use-group/></domain>", "3: <use-group> names no group"],
    ["<domain name='D'><use-group name='G'/></domain>", "3: there is no group G"],
    ["<group name='G'><use-group name='G'/></group><domain name='D'><use-group name='G'/></domain>", /contains itself/],
    ["<domain name='D'><reg8 name='A' offset='0' variants='V1'/></domain>", /^3: variants "V1", but no varset/],
    [
      "<domain name='D' prefix='E'/>",
      "3: there is no enum E, so what depends on its variants counts as present on all",
    ],
    [
      "<enum name='E'><value name='V'/></enum><domain name='D' prefix='E'><reg8 name='A' offset='0' variants='W-'/></domain>",
      "3: enum E has no variant W",
    ],
    ["<bitset name='B'><bitfield name='F' low='3' high='2'/></bitset>", /^3: bit field F has no valid bits/],
    ["<bitset name='B'><bitfield name='F' pos='64'/></bitset>", /^3: bit field F has no valid bits/],
    ["<bitset name='B'><bitfield name='F' low='0' high='7' type='B'/></bitset>", "3: bitset B contains itself"],
    ["<enum name='E'><value value='1'/></enum>", "3: <value> has no name"],
    ["<enum name='E' inline='maybe'><value name='V'/></enum>", '3: inline="maybe" is neither yes nor no'],
    ["<enum name='E' inline='yes'/>\n<enum name='E'/>", /^4: enum E differs in its attributes from .*faults.xml:3$/],
    ["<domain name='D' size='4'/>\n<domain name='D' size='8'/>", /^4: domain D differs/],
    ["<spectype name='S' type='hex'/>\n<spectype name='S' type='int'/>", /^4: spectype S is already defined in .*:3$/],
    ["<import file='nowhere.xml'/>", "3: imports nowhere.xml, which doesn't exist"],
    ["<import/>", "3: <import> names no file"],
    ["<domain name='D'><reg8 name='A' offsets='1,x'/></domain>", `3: offsets="1,x" isn't a list of numbers`],
    ["<domain name='D'><reg8 name='A' offsets='1,2' length='3'/></domain>", `3: length="3", but 2 offsets are listed`],
    ["<group/>", "3: <group> has no name"],
    ["<bitset/>", "3: <bitset> has no name"],
    ["<enum/>", "3: <enum> has no name"],
    ["<spectype/>", "3: <spectype> has no name"],
    ["<bitset name='B'><bitfield pos='0'/></bitset>", "3: <bitfield> has no name"],
    ["<bitset name='B'><value name='V'/></bitset>", "3: <value> can't be inside <bitset>"],
    ["<enum name='E'><bitfield name='F' pos='0'/></enum>", "3: <bitfield> can't be inside <enum>"],
    ["<spectype name='S' shr='64'/>", "3: shr and radix are at most 63"],
    ["<spectype name='S' radix='64'/>", "3: shr and radix are at most 63"],
    ["<domain name='D'/>\n<domain name='D' bare='yes'/>", /^4: domain D differs/],
    ["<domain name='D'/>\n<domain name='D' width='32'/>", /^4: domain D differs/],
    ["<domain name='D'/>\n<domain name='D' varset='E'/>", /^4: domain D differs/],
    [
      "<bitset name='B'/>\n<bitset name='B' bare='yes'/>",
      /^4: bitset B differs in its attributes from .*faults.xml:3$/,
    ],
    ["<bitset name='B'/>\n<bitset name='B' inline='yes'/>", /^4: bitset B differs/],
    ["<bitset name='B' varset='E'/>\n<bitset name='B'/>", /^4: bitset B differs/],
    ["<enum name='E'/>\n<enum name='E' bare='yes'/>", /^4: enum E differs/],
    ["<enum name='E'/>\n<enum name='E' varset='F'/>", /^4: enum E differs/],
  ])("%s", (inside, expected) => {
    const faults = faultsOf(inside);
    expect(faults).toHaveLength(1);
    if (typeof expected === "string") expect(faults[0]).toBe(expected);
    else expect(faults[0]).toMatch(expected);
  });

  it.each([
    "<spectype name='S' shr='63' radix='63'/>",
    "<domain name='D'><reg8 name='A' offsets='1,2' length='2'/><reg8 name='B' offsets='3 4'/></domain>",
    "<domain name='D'><stripe offsets='1,2'><reg8 name='A' offset='0'/></stripe></domain>",
    "<domain name='D'><stripe offset='8'><reg8 name='A' offset='0'/></stripe></domain>",
    "<domain name='D'><array name='A' offset='0' stride='1'/></domain>",
    "<bitset name='B'><bitfield name='F' low='0' high='63'/><bitfield name='G' low='3' high='3'/></bitset>",
    "<enum name='E' inline='yes'/><enum name='E' inline='1'/><enum name='E' inline='true'/>",
    "<enum name='F' bare='no'/><enum name='F' bare='0'/><enum name='F' bare='false'/><enum name='F'/>",
    "<domain name='D' size='4'/><domain name='D'/><domain name='D' size='4'/>",
    "<group name='G'/><domain name='D'><use-group ref='G'/></domain>",
    "<domain name='D' xmlns='a' xmlns:x='b' xsi:y='c'/>",
  ])("%s has none", (inside) => {
    expect(faultsOf(inside)).toEqual([]);
  });

  it("are told in the order of files and lines, each once", () => {
    const unknown = (name: string) =>
      `<domain name='${name}'>\n<reg8 name='A' offset='1' type='T'/>\n<reg8 name='B' offset='0' type='T'/></domain>`;
    writeFiles(folder, {
      "z/first.xml": `<import file='second.xml'/>\n${unknown("D")}\n<colour/>`,
      "z/second.xml": `${unknown("E")}\n<register/>`,
    });
    const faults = checkSchema(parse("z/first.xml")).map(
      ({ file, line, message }) => `${file.slice(-10)}:${line}: ${message}`,
    );
    expect(faults).toEqual([
      "/first.xml:5: there is no type T",
      "/first.xml:6: there is no type T",
      "/first.xml:7: <colour> can't be inside <database>",
      "second.xml:4: there is no type T",
      "second.xml:5: there is no type T",
      "second.xml:6: <register> can't be inside <database>",
    ]);
  });

  it("documentation can hold anything", () => {
    expect(
      faultsOf("<doc>Any <b>thing</b><domain/></doc><domain name='D'><brief>b</brief><doc><p/></doc></domain>"),
    ).toEqual([]);
  });
});

describe("merging and importing", () => {
  it("puts definitions of one name together, wherever they stand", () => {
    const database = databaseOf(
      folder,
      `<domain name="D"><reg8 name="A" offset="0"><enum name="E"><value name="ONE" value="1"/></enum></reg8></domain>
       <domain name="D" size="16"><reg8 name="B" offset="1" type="E"/></domain>
       <enum name="E"><value name="TWO" value="2"/></enum>`,
    );
    expect(database.schema.domains.get("D")?.size).toBe(16);
    expect(database.lookup(0, 0, 2)?.name).toBe("A,B");
    expect(database.describe(0, 1, 1, 1n)).toBe("ONE");
    expect(database.describe(0, 1, 1, 2n)).toBe("TWO");
    expect(database.warnings).toEqual([]);
  });

  it("imports from the file's own folder, then from the root and above, each file once, in circles too", () => {
    writeFiles(folder, {
      "tree/root.xml": "<import file='sub/a.xml'/><domain name='ROOT'/>",
      "tree/sub/a.xml": "<import file='b.xml'/><import file='shared.xml'/><import file='root.xml'/>",
      "tree/sub/b.xml": "<import file='a.xml'/><domain name='SUB_B'/>",
      "tree/b.xml": "<domain name='ROOT_B'/>",
      "tree/shared.xml": "<domain name='SHARED'/>",
    });
    const whole = parse("tree/root.xml");
    expect([...whole.domains.keys()]).toEqual(["SUB_B", "SHARED", "ROOT"]);
    expect(whole.files.map((file) => file.slice(folder.length + 6))).toEqual([
      "root.xml",
      "sub/a.xml",
      "sub/b.xml",
      "shared.xml",
    ]);
    expect(whole.ownDomains).toEqual(["ROOT"]);
    expect(whole.warnings).toEqual([]);
    // The part alone finds the files above it.
    expect([...parse("tree/sub/a.xml").domains.keys()]).toEqual(["SUB_B", "SHARED", "ROOT"]);
  });

  it("looks into four folders above the file's own", () => {
    writeFiles(folder, {
      "0/five.xml": "<domain name='FIVE'/>",
      "0/1/four.xml": "<domain name='FOUR'/>",
      "0/1/2/3/4/5/low.xml": "<import file='four.xml'/><import file='five.xml'/>",
    });
    const found = parse("0/1/2/3/4/5/low.xml");
    expect([...found.domains.keys()]).toEqual(["FOUR"]);
    expect(found.warnings.map(({ message }) => message)).toEqual(["imports five.xml, which doesn't exist"]);
  });

  it("looks into RNN_PATH", () => {
    writeFiles(folder, { "elsewhere/far.xml": "<domain name='FAR'/>", "near/near.xml": "<import file='far.xml'/>" });
    const path = join(folder, "near/near.xml");
    const found = parseDatabase(path, new ImportPath(path, builtInDirectory, `/nowhere:${join(folder, "elsewhere")}`));
    expect([...found.domains.keys()]).toEqual(["FAR"]);
  });
});

describe("files that aren't databases", () => {
  const failure = (name: string): unknown => {
    try {
      return parse(name);
    } catch (error) {
      return error;
    }
  };

  it.each([
    [
      "<?xml version='1.0'?>\n<database>\n<domain>\n</database>",
      /broken.xml:4: not well-formed XML: unexpected close tag/,
    ],
    ["!<database>\n<domain name='A' name='B'/></database>", /broken.xml:2: not well-formed XML: .*duplicate/],
    ["!<database>", /not well-formed XML: unclosed tag: database/],
    ["!", /not well-formed XML: document must contain a root element/],
    ["!<html>\n</html>", /broken.xml:1: isn't a register database: its root is <html>, not <database>/],
    [`!${"<database>".repeat(300)}`, /elements are nested more than 256 deep/],
    ["!<database>&nothing;</database>", /not well-formed XML: undefined entity/],
  ])("%#", (content, message) => {
    writeFiles(folder, { "broken.xml": content });
    const error = failure("broken.xml");
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toMatch(message);
    expect((error as FormatError).line).toBeGreaterThan(0);
  });

  it("says where a file stops being UTF-8", () => {
    const bytes = Buffer.from(`<database><!-- ${"é".repeat(1000)} X --></database>`);
    const at = bytes.indexOf("X");
    bytes[at] = 0xff;
    writeFiles(folder, { "broken.xml": bytes });
    const error = failure("broken.xml");
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).offset).toBe(at);
  });

  it.each(["missing.xml", "."])("%s can't be read", (name) => {
    const error = failure(name);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(/^can't read the register database .*: /);
  });

  it("survives any damage with an error of its own or none", () => {
    const text = readFileSync(join(builtInDirectory, "ahci.xml"));
    // A fixed sequence of numbers (Numerical Recipes' linear congruential generator), so that a failure repeats.
    let state = 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % below;
    };
    const path = join(folder, "damaged.xml");
    let loaded = 0;
    for (let round = 0; round < 400; round++) {
      const damaged = Buffer.from(text.subarray(0, random(8) === 0 ? random(text.length) : text.length));
      for (let hits = random(6); hits >= 0; hits--) {
        if (damaged.length > 0)
          damaged[random(damaged.length)] = random(4) === 0 ? random(256) : (text[random(text.length)] as number);
      }
      writeFileSync(path, damaged);
      try {
        checkSchema(parse("damaged.xml"));
        loaded++;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }
    expect(loaded).toBeGreaterThan(0);
  });

  it("doesn't let groups multiply without end", () => {
    const groups = Array.from(
      { length: 30 },
      (_, n) => `<group name="G${n}">${`<use-group name="G${n + 1}"/>`.repeat(10)}</group>`,
    );
    const database = databaseOf(
      folder,
      `${groups.join("")}<group name="G30"/><domain name="D"><use-group name="G0"/></domain>`,
    );
    expect(() => database.lookup(0, 0, 4)).toThrow(/domain D has over 1000000 elements/);
  });
});

describe("choosing a domain", () => {
  it("takes the only one, else asks", () => {
    writeFiles(folder, {
      "two.xml":
        "<domain name='A'><reg8 name='X' offset='0'/></domain><domain name='B'><reg8 name='Y' offset='0'/></domain>",
      "none.xml": "<enum name='E'><value name='V'/></enum>",
    });
    const two = join(folder, "two.xml");
    expect(() => loadDatabase(two)).toThrow(/has several domains/);
    expect(() => loadDatabase(two, "C")).toThrow(/has no domain C/);
    expect(() => loadDatabase(two, "A@7")).toThrow(/doesn't say where a domain is/);
    expect(() => loadDatabase(two, "A,B")).toThrow(/can't both begin at BAR 0/);
    expect(() => loadDatabase(join(folder, "none.xml"))).toThrow(/defines no domain/);
    const placed = loadDatabase(two, "B@2+0x10,A@2");
    expect(placed.lookup(0, 0, 1)).toBeUndefined();
    expect(placed.lookup(2, 0x0, 1)?.name).toBe("X");
    expect(placed.lookup(2, 0x10, 1)?.name).toBe("Y");
  });
});

describe("parseNumber", () => {
  it.each([
    ["0", 0n],
    [" 12 ", 12n],
    ["0x1F", 31n],
    ["-1", 0xffff_ffff_ffff_ffffn],
    ["0xffffffffffffffff", 0xffff_ffff_ffff_ffffn],
    ["18446744073709551616", undefined],
    ["0x", undefined],
    ["", undefined],
    ["1e3", undefined],
    ["0b1", undefined],
  ])("%j", (text, value) => {
    expect(parseNumber(text)).toBe(value);
  });
});

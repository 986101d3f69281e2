// tier: quick
// The variants on which items exist: ranges, inheritance, choice.
import { beforeEach, describe, expect, it } from "vitest";
import { databaseOf, temporaryFolder } from "../../dev/test-support/made-up-files.js";
import type { RegisterDatabase } from "./database.js";
import { withVariants } from "./with-variants.js";

const folder = temporaryFolder();
const chips = `<enum name="chip">${["A", "B", "C", "D", "E"].map((name, index) => `<value name="${name}" value="${index + 16}"/>`).join("")}</enum>
  <enum name="mode"><value name="OLD"/><value name="NEW"/></enum>`;

describe("ranges", () => {
  it.each([
    ["B", "B"],
    ["B D", "BD"],
    ["B-D", "BCD"],
    ["B:D", "BC"],
    [":C", "AB"],
    ["-C", "ABC"],
    ["C-", "CDE"],
    ["C:", "CDE"],
    ["A D-", "ADE"],
    ["  -A   E ", "AE"],
    ["D-B", ""],
    [":A", ""],
    ["", ""],
  ])("%j", (range, on) => {
    const database = databaseOf(
      folder,
      `${chips}<domain name="D" prefix="chip"><reg8 name="R" offset="0" variants="${range}"/></domain>`,
    );
    const found = ["A", "B", "C", "D", "E"].filter(
      (chip) => database.withVariant("chip", chip).lookup(0, 0, 1) !== undefined,
    );
    expect(found.join("")).toBe(on);
    expect(database.lookup(0, 0, 1) === undefined).toBe(on === "");
  });
});

describe("inheritance", () => {
  const xml = `${chips}
     <enum name="speed" inline="yes"><value name="SLOW" value="1" variants=":C"/><value name="FAST" value="1" variants="C-"/></enum>
     <bitset name="own" inline="yes" varset="mode"><bitfield name="OLDBIT" pos="0" variants="OLD"/><bitfield name="NEWBIT" pos="0" variants="NEW"/></bitset>
     <domain name="D" prefix="chip">
       <array name="X" offset="0" stride="8" length="1" variants="B-D">
         <reg8 name="IN" offset="0" variants="D-"/>
         <reg8 name="NEVER" offset="1" variants="E"/>
         <reg8 name="BOTH" offset="2" varset="mode" variants="NEW"/>
       </array>
       <reg8 name="SPEED" offset="8" type="speed"/>
       <stripe prefix="none" varset="mode"><reg8 name="M" offset="9" variants="OLD"/></stripe>
       <reg8 name="OWN" offset="10" type="own"/>
       <reg8 name="F" offset="11"><bitfield name="EARLY" pos="0" variants="A"/><bitfield name="LATE" pos="1" variants="E"/></reg8>
     </domain>`;
  let database: RegisterDatabase;
  // each test its own: a database remembers its answers
  beforeEach(() => {
    database = databaseOf(folder, xml);
  });

  it("an inner item exists at most on its surroundings' variants", () => {
    const names = (chip: string) =>
      [0, 1, 2].map((offset) => database.withVariant("chip", chip).lookup(0, offset, 1)?.name);
    expect(names("A")).toEqual([undefined, undefined, undefined]);
    expect(names("C")).toEqual(["X+0", "X+0x1", "X.BOTH"]);
    expect(names("D")).toEqual(["X.IN", "X+0x1", "X.BOTH"]);
    expect(names("E")).toEqual([undefined, undefined, undefined]);
    const old = database.withVariant("chip", "D").withVariant("mode", "OLD");
    expect(old.lookup(0, 2, 1)?.name).toBe("X+0x2");
  });

  it("applies to fields and values", () => {
    expect(database.withVariant("chip", "A").describe(0, 8, 1, 1n)).toBe("SLOW");
    expect(database.withVariant("chip", "E").describe(0, 8, 1, 1n)).toBe("FAST");
    expect(database.withVariant("chip", "A").describe(0, 11, 1, 3n)).toBe("EARLY | unknown=0x2");
    expect(database.withVariant("chip", "E").describe(0, 11, 1, 3n)).toBe("LATE | unknown=0x1");
  });

  it("a type's own varset holds whatever prefix is around", () => {
    expect(database.withVariant("mode", "OLD").describe(0, 10, 1, 1n)).toBe("OLDBIT");
    expect(database.withVariant("mode", "NEW").describe(0, 10, 1, 1n)).toBe("NEWBIT");
    expect(database.withVariant("mode", "NEW").lookup(0, 9, 1)).toBeUndefined();
    expect(database.warnings).toEqual([]);
  });

  it("says what isn't decided", () => {
    expect(database.undecidedVarsets().sort()).toEqual(["chip", "mode"]);
    expect(database.withVariant("chip", "B").undecidedVarsets()).toEqual(["mode"]);
  });
});

describe("unknown names", () => {
  it("are told at each of their places, and the rest of a range holds", () => {
    const register = (name: string, offset: number) => `<reg8 name="${name}" offset="${offset}" variants="A NOSUCH"/>`;
    const database = databaseOf(
      folder,
      `${chips}<domain name="D" prefix="chip">\n${register("R", 0)}\n${register("S", 1)}</domain>`,
    );
    expect(database.withVariant("chip", "A").lookup(0, 0, 2)?.name).toBe("R,S");
    expect(database.withVariant("chip", "B").lookup(0, 0, 2)).toBeUndefined();
    expect(database.lookup(0, 0, 2)?.name).toBe("R,S");
    expect(database.warnings.map(({ line, message }) => `${line}: ${message}`)).toEqual([
      ...["5: enum chip has no variant NOSUCH", "6: enum chip has no variant NOSUCH"],
    ]);
  });

  it.each(["NOSUCH-C", "A-NOSUCH", "NOSUCH:", ":NOSUCH"])("make no range: %s", (range) => {
    const database = databaseOf(
      folder,
      `${chips}<domain name="D" prefix="chip"><reg8 name="R" offset="0" variants="${range} E"/></domain>`,
    );
    const found = ["A", "B", "C", "D", "E"].filter(
      (chip) => database.withVariant("chip", chip).lookup(0, 0, 1) !== undefined,
    );
    expect(found).toEqual(["E"]);
  });
});

describe("choosing", () => {
  const database = databaseOf(
    folder,
    `${chips}<domain name="D" prefix="chip"><reg8 name="R" offset="0" variants="C"/><reg8 name="S" offset="1" varset="mode" variants="NEW"/></domain>`,
  );

  it.each([["c"], ["C"], ["chip=C"], ["chip=0x12"], ["chip=18"]])("%s", (variant) => {
    const chosen = withVariants(database, [variant]);
    expect(chosen.lookup(0, 0, 1)?.name).toBe("R");
    expect(chosen.undecidedVarsets()).toEqual(["mode"]);
  });

  it.each([
    ["chip=Z", /has no variant Z of chip/],
    ["nothing=A", /has no enum nothing/],
    ["Z", /has no variant Z of chip/],
  ])("%s isn't one", (variant, message) => {
    expect(() => withVariants(database, [variant])).toThrow(message);
  });
});

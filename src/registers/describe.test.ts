// tier: quick
// Values in words: every type, partial accesses, unknown bits, limits.
import { describe, expect, it, test } from "vitest";
import { databaseOf, temporaryFolder } from "../../dev/test-support/made-up-files.js";
import { maskBetween } from "./bits.js";

const folder = temporaryFolder();

/** A database whose domain is one register with these attributes and content. */
function register(tag: string, attributes: string, inside = "", around = "") {
  return databaseOf(
    folder,
    `${around}<domain name="D"><${tag} name="R" offset="0" ${attributes}>${inside}</${tag}></domain>`,
    "D",
  );
}

const enumeration = `<value name="ZERO" value="0"/><value name="TWO" value="2"/>`;
const shared = `<enum name="E">${enumeration}</enum><bitset name="B"><bitfield name="P" pos="0"/><bitfield name="Q" low="4" high="7" type="E"/></bitset>
  <spectype name="S" type="int"/><domain name="OTHER"><reg32 name="THERE" offset="0x40"/></domain>`;

describe("types", () => {
  // Tag, attributes, inside, value, brief, full.
  it.each([
    ["reg32", "", "", 0x1234n, undefined, undefined],
    ["reg32", "shr='12'", "", 0x1234n, "0x1234000", "0x1234000"],
    ["reg64", "shr='4'", "", 0x1234_5678_9abc_def0n, "0x23456789abcdef00", "0x23456789abcdef00"],
    ["reg8", "add='2'", "", 3n, "0x5", "0x5"],
    ["reg32", "type='uint'", "", 0xffff_ffffn, "4294967295", "4294967295"],
    ["reg32", "type='int'", "", 0xffff_fffen, "-2", "-2"],
    ["reg8", "type='int'", "", 0x7fn, "127", "127"],
    ["reg64", "type='int'", "", 0xffff_ffff_ffff_fff0n, "-16", "-16"],
    ["reg32", "type='S'", "", 0xffff_ffffn, "-1", "-1"],
    ["reg32", "type='boolean'", "", 1n, "TRUE", "TRUE"],
    ["reg32", "type='boolean'", "", 0n, "FALSE", "FALSE"],
    ["reg32", "type='boolean'", "", 2n, "0x2", "0x2"],
    ["reg32", "type='float'", "", 0x3fc0_0000n, "1.5", "1.500000"],
    ["reg32", "type='float'", "", 0xff80_0000n, "-Infinity", "-inf"],
    ["reg64", "type='float'", "", 0x4009_21fb_5444_2d18n, "3.141592653589793", "3.141593"],
    ["reg16", "type='float'", "", 0x3c00n, "1", "1.000000"],
    ["reg16", "type='float'", "", 0x0001n, "5.960464477539063e-8", "0.000000"],
    ["reg16", "type='float'", "", 0xc000n, "-2", "-2.000000"],
    ["reg8", "type='float'", "", 0x10n, "0x10", "0x10"],
    ["reg32", "type='fixed' radix='8'", "", 0xffff_ff80n, "-0.5", "-0.500000 (ffffff80)"],
    ["reg32", "type='ufixed' radix='8'", "", 0x0180n, "1.5", "1.500000 (00000180)"],
    ["reg32", "type='E'", "", 2n, "TWO", "TWO"],
    ["reg32", "type='E'", "", 1n, "0x1", "0x1"],
    ["reg32", "type='B'", "", 0x21n, "P | Q=TWO", "{ P | Q = TWO }"],
    ["reg32", "type='OTHER'", "", 0x40n, "THERE", "THERE"],
    ["reg32", "type='OTHER'", "", 0x50n, "0x50", "0x50"],
    ["reg32", "", enumeration, 0n, "ZERO", "ZERO"],
    ["reg32", "type='enum'", enumeration, 2n, "TWO", "TWO"],
    ["reg32", "", "<bitfield name='F' pos='0'/><bitfield name='N' low='4' high='7'/>", 0n, "0", "{ N = 0 }"],
    [
      "reg32",
      "",
      "<bitfield name='F' pos='0'/><bitfield name='N' low='4' high='7'/>",
      0x8000_0031n,
      "F | N=0x3 | unknown=0x80000000",
      "{ F | N = 0x3 | 0x80000000 }",
    ],
    [
      "reg64",
      "",
      "<bitfield name='MID' low='28' high='35'/><bitfield name='TOP' pos='63'/>",
      0x8000_000a_b000_0000n,
      "MID=0xab | TOP",
      "{ MID = 0xab | TOP }",
    ],
    [
      "reg64",
      "",
      "<bitfield name='ALL' low='0' high='63' type='uint'/>",
      0xffff_ffff_ffff_ffffn,
      "ALL=18446744073709551615",
      "{ ALL = 18446744073709551615 }",
    ],
    ["reg32", "", "<bitfield name='N' low='4' high='7' shr='4' type='uint'/>", 0x30n, "N=48", "{ N = 48 }"],
    ["reg32", "", "<bitfield name='I' low='0' high='3' type='int'/>", 0xfn, "I=-1", "{ I = -1 }"],
    ["reg32", "", "<bitfield name='I' low='0' high='3' add='1' type='uint'/>", 0n, "I=1", "{ I = 1 }"],
    [
      "reg32",
      "",
      "<bitfield name='IN' low='8' high='15' type='B'/>",
      0x2100n,
      "IN={ P | Q=TWO }",
      "{ IN = { P | Q = TWO } }",
    ],
    ["reg32", "", "<bitfield name='T' low='0' high='1' type='boolean'/>", 2n, "T=0x2", "{ T = 0x2 }"],
    [
      "reg32",
      "",
      "<bitfield name='U' low='0' high='7' type='uint' max='8'/>",
      9n,
      "U=9 (above the maximum 8)",
      "{ U = 9 }",
    ],
    [
      "reg32",
      "",
      "<bitfield name='U' low='0' high='7' type='uint' min='4'/>",
      3n,
      "U=3 (below the minimum 4)",
      "{ U = 3 }",
    ],
    ["reg32", "min='4' max='8' type='uint'", "", 3n, "3 (below the minimum 4)", "3"],
    ["reg32", "min='4' max='8' type='uint'", "", 4n, "4", "4"],
    ["reg32", "min='4' max='8' type='uint'", "", 8n, "8", "8"],
    ["reg32", "min='4' max='8' type='uint'", "", 9n, "9 (above the maximum 8)", "9"],
    ["reg32", "align='0x100' type='uint'", "", 0x200n, "512", "512"],
    ["reg32", "align='0x100' type='uint'", "", 0x101n, "257 (not a multiple of 0x100)", "257"],
  ] as const)("%# %s %s", (tag, attributes, inside, value, brief, full) => {
    const database = register(tag, attributes, inside, shared);
    const width_bytes = Number(tag.slice(3)) / 8;
    expect(database.describe(0, 0, width_bytes, value)).toBe(brief);
    expect(database.describe(0, 0, width_bytes, value, { style: "full" })).toBe(full);
    expect(database.describe(0, 0, width_bytes, value)).toBe(brief);
    expect(database.warnings).toEqual([]);
  });
});

describe("accesses that aren't as wide as the register", () => {
  const database = databaseOf(
    folder,
    `<domain name="D">
       <reg32 name="R" offset="0"><bitfield name="A" low="0" high="3"/><bitfield name="X" low="4" high="11"/><bitfield name="Z" pos="31"/></reg32>
       <reg32 name="S" offset="4" type="uint"/>
       <reg8 name="T" offset="8"/>
     </domain>`,
  );

  it.each([
    [0, 1, 0x21n, "A=0x1 | X[3:0]=0x2"],
    [1, 1, 0x03n, "X[7:4]=0x3"],
    [3, 1, 0x80n, "Z"],
    [2, 2, 0x8001n, "Z | unknown=0x10000"],
    [0, 8, 0x0000_0007_8000_0001n, "R: A=0x1 | Z; S: 7"],
    [6, 2, 0x12n, undefined],
    [4, 8, 0x33_0000_0010n, "S: 16; T: 0x33"],
    [8, 1, 0x33n, undefined],
  ])("%i, %i bytes", (offset, width_bytes, value, text) => {
    expect(database.describe(0, offset, width_bytes, value)).toBe(text);
  });
});

test("the words of a whole field aren't those of a part of it with the same bits", () => {
  const database = register("reg32", "", "<bitfield name='A' low='4' high='11'/>");
  expect([4, 1, 4, 1, 2].map((width_bytes) => database.describe(0, 0, width_bytes, 0x20n))).toEqual([
    ...["A=0x2", "A[3:0]=0x2", "A=0x2", "A[3:0]=0x2", "A=0x2"],
  ]);
  expect(database.describe(0, 0, 1, 0x20n, { style: "full" })).toBe("{ A[3:0] = 0x2 }");
});

test("a register's fault is told once, however it is accessed", () => {
  const database = register("reg32", "type='T'");
  for (const width_bytes of [1, 2, 4]) expect(database.describe(0, 0, width_bytes, 5n)).toBeUndefined();
  expect(database.warnings.map(({ message }) => message)).toEqual(["there is no type T"]);
});

describe("maskBetween", () => {
  it("agrees with arithmetic on big integers for every pair of bits", () => {
    for (let low = 0; low < 64; low++) {
      for (let high = low; high < 64; high++) {
        const mask = maskBetween(low, high);
        const wide = (BigInt(mask.high >>> 0) << 32n) | BigInt(mask.low >>> 0);
        expect(wide).toBe((1n << BigInt(high + 1)) - (1n << BigInt(low)));
      }
    }
  });
});

// tier: quick
// The places and variants that devices tell in their first answers: xHCI 1.2, section 5.3, and envytools' ids of nVidia's GPUs.
import { describe, expect, test } from "vitest";
import { databaseOf, temporaryFolder } from "../../dev/test-support/made-up-files.js";
import type { RegisterDatabase } from "./database.js";
import { builtInDatabase } from "./files/built-in.js";
import { nvidiaVariant, observeNvidia } from "./observers.js";

/** Returns the domains of BAR 0 with their places. */
const placesOf = (database: RegisterDatabase) =>
  database.layout.get(0)!.map(({ domain, start }) => `${domain}@0x${start.toString(16)}`);

describe("an xHCI controller", () => {
  const fresh = builtInDatabase("xhci")!;
  const read = (database: RegisterDatabase, offset: number, width: number, value: bigint, bar = 0) =>
    database.observe(bar, offset, width, value);

  test.each([
    [0x00, 4, 0x0100_0040n, "XHCI_OP@0x40"],
    [0x00, 1, 0x40n, "XHCI_OP@0x40"],
    [0x00, 4, 0x0100_00ffn, "XHCI_OP@0xff"],
    // extended capabilities are told in words of four bytes
    [0x10, 4, 0x0008_1234n, "XHCI_XECP@0x20"],
    [0x14, 4, 0x0000_2003n, "XHCI_DB@0x2000"],
    [0x18, 4, 0x0000_101fn, "XHCI_RT@0x1000"],
    [0x18, 8, 0xffff_ffff_0000_1000n, "XHCI_RT@0x1000"],
    [0x18, 4, 0x00ff_ffe0n, "XHCI_RT@0xffffe0"],
  ])("tells at 0x%i, %i bytes, 0x%i: %s", (offset, width, value, place) => {
    const next = read(fresh, offset, width, value);
    expect(next.learns).toBe(true);
    expect(placesOf(next)).toEqual(["XHCI_CAP@0x0", place]);
    // the same answer tells nothing new
    expect(read(next, offset, width, value)).toBe(next);
  });

  test.each([
    ["another BAR", 0x00, 4, 0x40n, 1],
    ["a register that places nothing", 0x04, 4, 0x40n, 0],
    ["behind the capability registers", 0x20, 4, 0x40n, 0],
    ["half a register", 0x10, 2, 0x8_0000n, 0],
    ["zero", 0x14, 4, 0n, 0],
    ["only bits that are no part of the place", 0x18, 4, 0x1fn, 0],
    ["a device that is gone: all ones", 0x14, 4, 0xffff_ffffn, 0],
    ["a place beyond any BAR", 0x14, 4, 0xff_fffcn + 4n, 0],
  ])("tells nothing by %s", (_name, offset, width, value, bar) => {
    expect(read(fresh, offset, width, value, bar)).toBe(fresh);
  });

  test("a new place takes the old one's", () => {
    const once = read(fresh, 0x14, 4, 0x2000n);
    expect(placesOf(read(once, 0x14, 4, 0x3000n))).toEqual(["XHCI_CAP@0x0", "XHCI_DB@0x3000"]);
  });

  test("has told all after four answers, in any order, and its domains are sorted by their places", () => {
    let database = fresh;
    const answers = [
      [0x18, 0x1000n],
      [0x14, 0x2000n],
      [0x00, 0x0100_0040n],
    ] as const;
    for (const [offset, value] of answers) {
      database = read(database, offset, 4, value);
      expect(database.learns).toBe(true);
    }
    database = read(database, 0x10, 4, 0x0008_0000n);
    expect(database.learns).toBe(false);
    expect(placesOf(database)).toEqual([
      ...["XHCI_CAP@0x0", "XHCI_XECP@0x20", "XHCI_OP@0x40", "XHCI_RT@0x1000", "XHCI_DB@0x2000"],
    ]);
    expect(read(database, 0x14, 4, 0x3000n)).toBe(database);
  });
});

describe("an nVidia GPU", () => {
  const database = databaseOf(
    temporaryFolder(),
    `<enum name="chipset"><value name="NV4" value="4"/><value name="G80" value="0x50"/><value name="GV100" value="0x140"/></enum>
     <domain name="NV_MMIO" prefix="chipset"><reg32 name="OLD" offset="4" variants="NV4"/><reg32 name="NEW" offset="4" variants="G80-"/></domain>`,
    "NV_MMIO",
  );

  test("tells its chipset by the first register", () => {
    const volta = database.observe(0, 0, 4, 0x1400_00a1n);
    expect([volta.lookup(0, 4, 4)?.name, volta.learns]).toEqual(["NEW", false]);
    expect([...volta.variants]).toEqual([["chipset", "0x140"]]);
    const oldest = database.observe(0, 0, 4, 0x1004_4000n);
    expect([oldest.lookup(0, 4, 4)?.name, [...oldest.variants]]).toEqual(["OLD", [["chipset", "NV4"]]]);
  });

  test.each([
    ["another BAR", 1, 0, 4, 0x1400_00a1n],
    ["another register", 0, 4, 4, 0x1400_00a1n],
    ["a part of the register", 0, 0, 2, 0xa1n],
    ["zero", 0, 0, 4, 0n],
    ["all ones", 0, 0, 4, 0xffff_ffffn],
    ["a chipset that the database doesn't know", 0, 0, 4, 0x1620_00a1n],
  ])("tells nothing by %s", (_name, bar, offset, width, value) => {
    expect(database.observe(bar, offset, width, value)).toBe(database);
  });

  test("whose chipset was chosen isn't asked", () => {
    const chosen = database.withVariant("chipset", "NV4");
    expect(observeNvidia(chosen, 0, 0, 4, 0x1400_00a1n)).toBe(chosen);
  });

  test.each([
    [0, undefined],
    [0xffff_ffff, undefined],
    [0x1400_00a1, "0x140"],
    [0x0500_00a2, "0x50"],
    // the other byte order: bit 31 is set, bit 7 isn't
    [0xa100_0014, "0x140"],
    [0xa230_5005, "0x55"],
    // no maker in bit 24 to 27, and a chipset of 0x106 or more
    [0x1060_00a1, "0x106"],
    [0x1050_4000, "NV9"],
    [0x1000_4000, "NV4"],
    [0x1010_4001, "NV5"],
    // the number in bits 16 to 19
    [0x0003_0100, "NV3"],
    [0x0001_0100, "NV1"],
  ])("0x%i is %s", (raw, variant) => {
    expect(nvidiaVariant(raw)).toBe(variant);
  });
});

// tier: quick
// The built-in databases: valid against the format's own schema, free of faults, and right about known values.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rnndbDirectory, whyNoRnndb, whyNoXmllint } from "../../../dev/test-support/rnndb.js";
import { checkSchema } from "../check.js";
import { builtInDatabase, builtIns, configurationDatabaseFor, findDatabase } from "./built-in.js";
import { builtInDirectory, loadSchema } from "./load.js";

const files = readdirSync(builtInDirectory).filter((name) => name.endsWith(".xml"));

describe("built-in databases", () => {
  it.each(files)("%s has no faults", (file) => {
    expect(checkSchema(loadSchema(join(builtInDirectory, file)))).toEqual([]);
  });

  const whyNot = whyNoRnndb() ?? whyNoXmllint();
  it.skipIf(whyNot !== undefined)(
    `are valid against rules-ng-ng.xsd${whyNot === undefined ? "" : ` (${whyNot})`}`,
    () => {
      const paths = files.map((file) => join(builtInDirectory, file));
      const schema = join(rnndbDirectory, "rules-ng-ng.xsd");
      const run = spawnSync("xmllint", ["--noout", "--schema", schema, ...paths], { encoding: "utf8" });
      expect(run.stderr).toBe(paths.map((path) => `${path} validates\n`).join(""));
      expect(run.status).toBe(0);
    },
  );

  it.each(builtIns.map((entry) => [entry.name, entry] as const))(
    "%s: its BARs' domains and variants exist",
    (name, entry) => {
      const database = builtInDatabase(name);
      expect(database?.domains()).not.toEqual([]);
      for (const domain of database?.domains() ?? []) expect(database?.view(domain).nodes).not.toEqual([]);
      // Variants that depend on the device's number need one.
      const [vendor, devices] = entry.devices[0] ?? [0xffff, [0xffff]];
      const found = findDatabase(vendor, devices[0] ?? 0, entry.classCode) ?? database;
      expect(found?.undecidedVarsets()).toEqual([]);
    },
  );

  it("no PCI function has two databases by its numbers", () => {
    const all = builtIns.flatMap((entry) =>
      entry.devices.flatMap(([vendor, devices]) =>
        devices.map((device) => `${vendor.toString(16)}:${device.toString(16)}`),
      ),
    );
    expect(all.filter((id, index) => all.indexOf(id) !== index)).toEqual([]);
  });

  it("finds nothing for a stranger", () => {
    expect(findDatabase(0xffff, 0xffff)).toBeUndefined();
    expect(builtInDatabase("no such")).toBeUndefined();
  });
});

describe("configuration space", () => {
  /** Capabilities at 0x40 (power management), 0x50 (a vendor's), 0x60 (MSI, 64 bits if `wide`) and 0x70 (an unknown one). */
  const database = (wide: boolean, headerType = "00") => {
    const bytes = new Map([
      [0x06, "1000"],
      [0x0e, headerType],
      [0x34, "40"],
      [0x40, "0150"],
      [0x50, "096006"],
      [0x60, `0570${wide ? "80" : "00"}01`],
      [0x70, "6f00"],
    ]);
    let config = "";
    for (let at = 0; at < 0x100; at = config.length / 2) config += bytes.get(at) ?? "00";
    const numbers = { vendor: "0x1234", device: "0x1", class: "0x020000" };
    return configurationDatabaseFor({ ...numbers, config });
  };
  const nameAt = (offset: number, width: number, wide = false, headerType?: string) =>
    database(wide, headerType)?.lookup(7, offset, width)?.name;

  it.each([
    [0x00, 4, "VENDOR_ID,DEVICE_ID"],
    [0x04, 2, "COMMAND"],
    [0x3c, 1, "INTERRUPT_LINE"],
    [0x3e, 1, "MIN_GNT"],
    [0x44, 2, "PM_CTRL"],
    [0x52, 1, undefined],
    [0x62, 2, "MSI_FLAGS"],
    [0x68, 2, "MSI_DATA"],
    [0x72, 2, undefined],
    [0x100, 4, undefined],
  ])("0x%s, %i bytes: %s", (offset, width, name) => {
    expect(nameAt(offset, width)).toBe(name);
  });

  it("depends on the header's type and on MSI's addresses", () => {
    expect([nameAt(0x68, 4, true), nameAt(0x6c, 2, true)]).toEqual(["MSI_ADDRESS_HI", "MSI_DATA"]);
    expect([nameAt(0x18, 1, false, "01"), nameAt(0x3e, 2, false, "81")]).toEqual(["PRIMARY_BUS", "BRIDGE_CONTROL"]);
  });

  it("has the header where nothing is known of the function", () => {
    const found = configurationDatabaseFor({ vendor: "0x1", device: "0x1", class: "0x0" });
    expect(found?.lookup(7, 4, 2)?.name).toBe("COMMAND");
    expect(found?.describe(7, 4, 2, 0x107n)).toBe("IO | MEMORY | MASTER | SERR");
    expect(found?.lookup(7, 0x44, 2)).toBeUndefined();
  });
});

describe("e1000", () => {
  const database = findDatabase(0x8086, 0x100e);
  // Offset, value, name and meaning; a stock driver reads and writes these values on QEMU's 82540EM.
  it.each([
    [0x0000, 0x0014_0248n, "CTRL", "LRST | SLU | SPEED=1000MB_S | SDP0_DATA | ADVD3WUC"],
    [0x0008, 0x8008_0783n, "STATUS", /^FD \| LU \| SPEED=1000MB_S \| ASDV=1000MB_S .* \| unknown=0x80080000$/],
    [0x0014, 0x0000_0001n, "EERD", "START"],
    [0x0014, 0x5634_0110n, "EERD", "DONE | ADDR=0x1 | DATA=0x5634"],
    [0x0020, 0x1821_ffffn, "MDIC", "DATA=0xffff | REG=STATUS | PHY=1 | OP=READ | READY"],
    [0x00c0, 0x8000_0004n, "ICR", "LSC | INT_ASSERTED"],
    [0x00d0, 0x0000_009dn, "IMS", "TXDW | LSC | RXSEQ | RXDMT0 | RXT0"],
    [0x0100, 0x0000_8002n, "RCTL", "EN | LBM=NORMAL | RDMTS=HALF | DTYP=LEGACY | MO=47_36 | BAM | BSIZE=2048"],
    [0x0400, 0x0103_f0fan, "TCTL", "EN | PSP | CT=15 | COLD=63 | RTLC"],
    [0x0410, 0x0060_200an, "TIPG", "IPGT=10 | IPGR1=8 | IPGR2=6"],
    [0x2800, 0x0000_1000n, "RDBAL", undefined],
    [0x3818, 0x0000_00ffn, "TDT", undefined],
    [0x4074, 0x0000_0010n, "GPRC", "16"],
    [0x5204, 0x0000_0000n, "MTA[0x1]", undefined],
    [0x5400, 0x1234_5452n, "RAL[0]", undefined],
    [0x540c, 0x8000_5634n, "RAH[0x1]", "RAH=0x5634 | ASEL=DESTINATION | AV"],
    [0x57fc, 0x0000_0000n, "VFTA[0x7f]", undefined],
  ] as const)("%#x", (offset, value, name, text) => {
    expect(database?.lookup(0, offset, 4)?.name).toBe(name);
    const described = database?.describe(0, BigInt(offset), 4, value);
    if (text instanceof RegExp) expect(described).toMatch(text);
    else expect(described).toBe(text);
  });

  it("has nothing in other BARs and behind its end", () => {
    expect(database?.lookup(1, 0, 4)).toBeUndefined();
    expect(database?.lookup(0, 0x20000, 4)).toBeUndefined();
    expect(database?.describe(0, 0x20000, 4, 0n)).toBeUndefined();
  });
});

// tier: quick
// The built-in databases: valid against the format's own schema, free of faults, and right about known values.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rnndbDirectory, whyNoRnndb, whyNoXmllint } from "../../../dev/test-support/rnndb.js";
import { checkSchema } from "../check.js";
import { builtInDatabase, builtIns, findDatabase } from "./built-in.js";
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
      expect(findDatabase(vendor, devices[0] ?? 0, entry.classCode)?.undecidedVarsets()).toEqual([]);
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

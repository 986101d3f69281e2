// tier: quick
// envytools' own database, 130 files: all of it loads, and its faults are its own, which is shown without our parser.
// Names are compared with its XML, read by eye, and with a search through every copy of every element.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rnndbDirectory, whyNoRnndb, whyNoXmllint } from "../../dev/test-support/rnndb.js";
import { checkSchema } from "./check.js";
import { loadDatabase, loadSchema } from "./files/load.js";
import { nvidiaVariant } from "./observers.js";
import type { ElementDefinition, FieldDefinition, Schema, TypeDefinition } from "./schema.js";

const whyNot = whyNoRnndb();
const note = whyNot === undefined ? "" : ` (${whyNot})`;

/** Finds the names that a file's text mentions in `<tag … attribute="NAME"`. */
function mentioned(path: string, tag: string, attribute: string): string[] {
  const text = readFileSync(path, "utf8").replace(/<!--.*?-->/gs, "");
  return [...text.matchAll(new RegExp(`<${tag}\\b[^>]*?\\s${attribute}="([^"]*)"`, "gs"))].map(
    (match) => match[1] as string,
  );
}

describe.skipIf(whyNot !== undefined)(`rnndb${note}`, () => {
  const files = whyNot === undefined ? readdirSync(rnndbDirectory, { recursive: true, encoding: "utf8" }) : [];
  const names = files.filter((name) => name.endsWith(".xml")).sort();
  const root = (name: string) => join(rnndbDirectory, name);

  /** Finds the files that `name` imports, itself included, by its text alone; all are named from the root. */
  function closure(name: string, found = new Set<string>()): Set<string> {
    if (found.has(name) || !names.includes(name)) return found;
    found.add(name);
    for (const imported of mentioned(root(name), "import", "file")) closure(imported, found);
    return found;
  }

  it("has 130 files", () => {
    expect(names).toHaveLength(130);
  });

  it.each(["root.xml", "nv_mmio.xml"])("%s, with all it imports, has no fault", (name) => {
    expect(checkSchema(loadSchema(root(name)))).toEqual([]);
  });

  it("each file alone: the only faults are names from files that it doesn't import", () => {
    const faulty = new Map<string, number>();
    for (const name of names) {
      for (const fault of checkSchema(loadSchema(root(name)))) {
        const match = /^there is no (type|group) (\S+)$/.exec(fault.message);
        expect(match, `${name}: ${fault.file}:${fault.line}: ${fault.message}`).not.toBeNull();
        const [, kind, missing] = match as unknown as [string, string, string];
        // The line has the name …
        const line = readFileSync(fault.file, "utf8").split("\n")[fault.line - 1];
        expect(line).toContain(`"${missing}"`);
        // … and among all files only some that aren't imported define it.
        const tags = kind === "group" ? ["group"] : ["enum", "bitset", "spectype", "domain"];
        const defining = names.filter((other) =>
          tags.some((tag) => mentioned(root(other), tag, "name").includes(missing)),
        );
        const imported = closure(name);
        expect(defining).not.toEqual([]);
        expect(defining.filter((other) => imported.has(other))).toEqual([]);
        faulty.set(name, (faulty.get(name) ?? 0) + 1);
      }
    }
    // 16 files, 84 faults; a change here means that the parser understands something differently.
    expect([...faulty].map(([name, count]) => `${name} ${count}`)).toMatchSnapshot();
  });

  it("holds as many of everything as its text does", ({ skip }) => {
    const why = whyNoXmllint();
    if (why !== undefined) skip(why);
    const schema = loadSchema(root("root.xml"));
    const own = schema.files.filter((file) => file.startsWith(rnndbDirectory));
    const tags = ["reg8", "reg16", "reg32", "reg64", "array", "stripe", "use-group", "bitfield", "value"];
    const counted = Object.fromEntries(
      tags.map((tag) => {
        const expression = `count(//*[local-name()="${tag}"])`;
        const run = spawnSync("xmllint", ["--xpath", expression, ...own], { encoding: "utf8" });
        return [
          tag,
          run.stdout
            .trim()
            .split("\n")
            .reduce((sum, line) => sum + Number(line), 0),
        ];
      }),
    );
    expect(count(schema)).toEqual(counted);
    expect(counted.bitfield).toBeGreaterThan(9000);
  });

  it.each([
    // Register or block, value, and its meaning as envytools prints it; taken from the XML files by hand.
    [
      "NV1",
      0x000000,
      0x1001_0101n,
      "PMC.ID",
      "{ REV_MINOR = 0x1 | REV_MAJOR = 0 | IMPLEMENTATION = 0x1 | ALWAYS0_2 = 0 | CHIPSET = NV1 | ALWAYS0_1 = 0 | FOUNDRY = HELIOS }",
    ],
    ["G80", 0x000000, 0x0500_00a2n, "PMC.ID", "{ STEPPING = 0xa2 | DEVICE_ID = 0 | CHIPSET = G80 | FOUNDRY = TSMC }"],
    [
      "GF119",
      0x000000,
      0x0d90_00a1n,
      "PMC.ID",
      "{ STEPPING = 0xa1 | DEVICE_ID = 0 | CHIPSET = GF119 | FOUNDRY = TSMC }",
    ],
    ["G84", 0x000100, 0x0400_9100n, "PMC.INTR_HOST", "{ PFIFO | PGRAPH | PBSP | PDISPLAY }"],
    ["G98", 0x000100, 0x0400_9100n, "PMC.INTR_HOST", "{ PFIFO | PGRAPH | PVLD | PDISPLAY }"],
    ["GF100", 0x000100, 0x2000_9100n, "PMC.INTR_HOST", "{ PFIFO | PGRAPH | PVLD | PPCI }"],
    ["NV1", 0x000100, 0x0000_0012n, "PMC.INTR_HOST", "{ PDMA | 0x2 }"],
    ["NV3", 0x000004, 0n, "PMC+0x4", undefined],
    ["NV1A", 0x000004, 0n, "PMC.ENDIAN", undefined],
    [
      "NV4",
      0x300010,
      0n,
      "PROM[0x10],PROM[0x11],PROM[0x12],PROM[0x13]",
      "PROM[0x10]: 0x0; PROM[0x11]: 0x0; PROM[0x12]: 0x0; PROM[0x13]: 0x0",
    ],
  ])("%s %i", (chipset, offset, value, name, text) => {
    const database = loadDatabase(root("nv_mmio.xml")).withVariant("chipset", chipset);
    expect(database.lookup(0, offset, 4)?.name).toBe(name);
    expect(database.describe(0, offset, 4, value, { style: "full" })).toBe(text);
  });

  it("learns the chipset from the first register, as demmio does", () => {
    const database = loadDatabase(root("nv_mmio.xml"));
    expect(database.undecidedVarsets()).toEqual(["chipset"]);
    expect(database.observe(0, 4, 4, 0x0500_00a2n)).toBe(database);
    expect(database.observe(0, 0, 4, 0xffff_ffffn)).toBe(database);
    const g80 = database.observe(0, 0, 4, 0x0500_00a2n);
    expect(g80.undecidedVarsets()).toEqual([]);
    expect(g80.observe(0, 0, 4, 0x0d90_00a1n)).toBe(g80);
    expect(g80.describe(0, 0, 4, 0x0500_00a2n)).toContain("CHIPSET=G80");
  });
});

describe("nvidiaVariant", () => {
  it.each([
    [0x1001_0101, "NV1"],
    [0x0003_0101, "NV3"],
    [0x2000_4000, "NV4"],
    [0x2010_4001, "NV5"],
    [0x0100_00a0, "0x10"],
    [0x0500_00a2, "0x50"],
    [0x0e40_00a1, "0xe4"],
    [0x1640_00a1, "0x164"],
    [0x1080_00a1, "0x108"],
    [0xa200_0005, "0x50"],
    [0xa100_900d, "0xd9"],
    [0, undefined],
    [0xffff_ffff, undefined],
  ])("0x%i", (id, variant) => {
    expect(nvidiaVariant(id)).toBe(variant);
  });
});

function count(schema: Schema): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (tag: string): void => {
    counts[tag] = (counts[tag] ?? 0) + 1;
  };
  const values = (list: readonly unknown[]): void =>
    list.forEach(() => {
      add("value");
    });
  const fields = (list: FieldDefinition[]): void => {
    for (const field of list) {
      add("bitfield");
      type(field.type);
    }
  };
  const type = (definition: TypeDefinition): void => {
    values(definition.values);
    fields(definition.fields);
  };
  const elements = (list: ElementDefinition[]): void => {
    for (const element of list) {
      add(element.kind === "register" ? `reg${element.width_bits}` : element.kind);
      type(element.type);
      elements(element.children);
    }
  };
  for (const domain of schema.domains.values()) elements(domain.children);
  for (const group of schema.groups.values()) elements(group.children);
  for (const bitset of schema.bitsets.values()) fields(bitset.fields);
  for (const definition of schema.enums.values()) if (definition.name !== "chipset") values(definition.values);
  for (const spectype of schema.spectypes.values()) type(spectype.type);
  return counts;
}

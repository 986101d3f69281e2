// tier: quick
// pci-config.xml against the kernel's C header for user programs, according to the compiler: each register's offset, each field's bits,
// and the values that the header has.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../dev/test-support/made-up-files.js";
import { loadSchema } from "./files/index.js";
import { builtInDirectory } from "./files/load.js";

const { domains } = loadSchema(join(builtInDirectory, "pci-config.xml"));
const folder = temporaryFolder();

/** Registers whose fields have another prefix in the header. */
const fieldPrefixes: Record<string, string> = {
  PCI_SEC_STATUS: "PCI_STATUS",
  PCI_BRIDGE_CONTROL: "PCI_BRIDGE_CTL",
  PCI_PM_PMC: "PCI_PM_CAP",
  PCI_ROM_ADDRESS1: "PCI_ROM_ADDRESS",
};
/** Fields whose constants have other names; "": the header has none. */
const renamed: Record<string, string> = {
  PCI_HEADER_TYPE_LAYOUT: "PCI_HEADER_TYPE_MASK",
  PCI_HEADER_TYPE_MULTI_FUNCTION: "",
  PCI_STATUS_RECEIVED_SYSTEM_ERROR: "PCI_STATUS_SIG_SYSTEM_ERROR",
  PCI_ROM_ADDRESS_ADDRESS: "PCI_ROM_ADDRESS_MASK",
  PCI_VPD_ADDR_ADDR: "PCI_VPD_ADDR_MASK",
  PCI_PM_CAP_PME: "PCI_PM_CAP_PME_MASK",
};

/** Compiles static assertions about the header, and returns the compiler's complaints. */
function complaints(checks: readonly string[]): string {
  const path = join(folder, "check.c");
  writeFileSync(path, `#include <linux/pci_regs.h>\n${checks.join("\n")}\n`);
  return spawnSync("gcc", ["-fsyntax-only", path], { encoding: "utf8" }).stderr;
}

/** Returns those of the names that the header defines. */
function defined(names: readonly string[]): Set<string> {
  const path = join(folder, "defined.c");
  const tests = names.map((name) => `#ifdef ${name}\nhas_${name}\n#endif`);
  writeFileSync(path, `#include <linux/pci_regs.h>\n${tests.join("\n")}\n`);
  const { stdout } = spawnSync("gcc", ["-E", "-P", path], { encoding: "utf8" });
  return new Set([...stdout.matchAll(/^has_(\w+)$/gm)].map((match) => match[1]!));
}

const registers = [...domains.values()].flatMap(({ name: domain, children }) =>
  children.map((register) => {
    const isListed = /^[A-Z]+_(?:ID|NEXT)$/.test(register.name!) && register.offset < 2 && !domain.startsWith("PCI_");
    const plain = isListed ? `PCI_CAP_LIST_${register.name!.split("_")[1]}` : `PCI_${register.name}`;
    // a few of MSI's have two places
    return { register, plain, ended: `${plain}${domain === "MSI_64" ? "_64" : "_32"}` };
  }),
);
const known = defined(registers.flatMap(({ plain, ended }) => [plain, ended]));
const named = registers.map(({ register, plain, ended }) => ({ register, name: known.has(ended) ? ended : plain }));

it("each register is where the header has it", () => {
  expect(named.length).toBeGreaterThan(80);
  expect(
    complaints(named.map(({ register, name }) => `_Static_assert(${name} == ${register.offset}, "${name}");`)),
  ).toBe("");
});

const fields = named.flatMap(({ register, name }) =>
  register.type.fields.map((field) => {
    const base = fieldPrefixes[name] ?? name;
    const own = `${base}_${field.name}`;
    return { field, base, own: renamed[own] ?? own };
  }),
);

it("each field has the header's bits", () => {
  const has = defined(fields.flatMap(({ own }) => [own, `${own}_MASK`]));
  const checks = fields.flatMap(({ field, own }) => {
    if (own === "") return [];
    const mask = (2n ** BigInt(field.high + 1) - 2n ** BigInt(field.low)).toString();
    return [`_Static_assert((unsigned)${has.has(`${own}_MASK`) ? `${own}_MASK` : own} == ${mask}u, "${own}");`];
  });
  expect(checks.length).toBeGreaterThan(100);
  expect(complaints(checks)).toBe("");
});

it("each value is the header's, in place or not, if it has the name", () => {
  const values = fields.flatMap(({ field, own }) =>
    field.type.values.map(({ name, value }) => ({ name: `${own}_${name}`, value: value!, low: field.low })),
  );
  const has = defined(values.map(({ name }) => name));
  const found = values.filter(({ name }) => has.has(name));
  expect(found.length).toBeGreaterThan(15);
  const checks = found.map(
    ({ name, value, low }) => `_Static_assert(${name} == ${value} || ${name} == ${value << BigInt(low)}, "${name}");`,
  );
  expect(complaints(checks)).toBe("");
});

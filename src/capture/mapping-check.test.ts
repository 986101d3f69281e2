// tier: quick
// No mapping without a decoy goes unnoticed, and none is reported that isn't one.
import { describe, expect, test } from "vitest";
import { parseVmallocinfo } from "../machine/vmallocinfo.js";
import { type KnownDecoy, MappingCheck } from "./mapping-check.js";

/** Lines as Debian's 6.1 and a 6.18 kernel print them. */
const lines = {
  acpi: "0x00000000d6e80d29-0x000000000630a460    8192 acpi_os_map_iomem+0x1bc/0x1e0 phys=0x00000000000a0000 ioremap",
  e1000:
    "0xffffb8f9c0080000-0xffffb8f9c00a1000  135168 e1000_probe+0x1a5/0xf30 [e1000] phys=0x00000000febc0000 ioremap",
  msix: "0x000000004ecf773f-0x000000003753f7be    8192 __pci_enable_msix_range+0x305/0x520 phys=0x0000004000008000 ioremap",
};
const e1000Range = { first: 0xfebc0000n, last: 0xfebdffffn };
const e1000Decoy: KnownDecoy = { id: 1, ...e1000Range };

function text(...which: (keyof typeof lines)[]): string {
  return `${which.map((name) => lines[name]).join("\n")}\n`;
}

/** A check over a changing machine. */
function machine(ranges: (typeof e1000Range)[] | "all", mappings: string) {
  const state = { mappings, living: [] as KnownDecoy[], leftOut: [] as (typeof e1000Range)[] };
  const check = new MappingCheck(ranges, {
    mappings: () => parseVmallocinfo(state.mappings),
    living: () => state.living,
    leftOut: () => state.leftOut,
  });
  return { state, check };
}

describe("MappingCheck", () => {
  test("a decoy is fine, before and after", () => {
    const { state, check } = machine([e1000Range], text("acpi", "msix"));
    expect(check.early).toEqual([]);
    state.mappings = text("acpi", "msix", "e1000");
    state.living = [e1000Decoy];
    expect([check.look(), check.look()]).toEqual([[], []]);
    state.mappings = text("acpi");
    state.living = [];
    expect([check.look(), check.look()]).toEqual([[], []]);
    expect(check.allWithoutDecoy).toEqual([]);
  });

  test("a mapping without a decoy is found at the second look, once", () => {
    const { state, check } = machine([e1000Range], text("acpi"));
    state.mappings = text("acpi", "msix", "e1000");
    expect(check.look()).toEqual([]);
    expect(check.look().map((mapping) => mapping.first)).toEqual([0xfebc0000n]);
    expect(check.look()).toEqual([]);
    expect(check.allWithoutDecoy).toHaveLength(1);
  });

  test("one that is just being made at a look isn't reported", () => {
    const { state, check } = machine([e1000Range], "");
    state.mappings = text("e1000");
    expect(check.look()).toEqual([]);
    state.living = [e1000Decoy];
    expect(check.look()).toEqual([]);
    expect(check.look()).toEqual([]);
  });

  test("a second mapping of the same pages needs a decoy of its own", () => {
    const { state, check } = machine([e1000Range], "");
    state.mappings = text("e1000") + lines.e1000.replaceAll("0xffffb8f9c0", "0xffffb8f9d0");
    state.living = [e1000Decoy];
    check.look();
    expect(check.look()).toHaveLength(1);
  });

  test("an earlier mapping is early, and no error later; a decoy of an earlier recording isn't early", () => {
    const { state, check } = machine([e1000Range], text("e1000", "msix"));
    expect(check.early.map((mapping) => mapping.caller)).toEqual(["e1000_probe+0x1a5/0xf30 [e1000]"]);
    expect([check.look(), check.look()]).toEqual([[], []]);
    // Unmapped and mapped again: now it needs one.
    state.mappings = "";
    check.look();
    state.mappings = text("e1000");
    check.look();
    expect(check.look()).toHaveLength(1);

    const left = new MappingCheck([e1000Range], {
      mappings: () => parseVmallocinfo(text("e1000")),
      living: () => [e1000Decoy],
      leftOut: () => [],
    });
    expect(left.early).toEqual([]);
  });

  test("an early mapping doesn't use up the decoy of a later one", () => {
    const { state, check } = machine([e1000Range], text("e1000"));
    state.mappings = text("e1000") + lines.e1000.replaceAll("0xffffb8f9c0", "0xffffb8f9d0");
    state.living = [e1000Decoy];
    check.look();
    expect(check.look()).toEqual([]);
  });

  test("with `all` every mapping counts, except what was left out on purpose", () => {
    const { state, check } = machine("all", text("acpi"));
    state.mappings = text("acpi", "msix", "e1000");
    state.leftOut = [{ first: 0x4000008000n, last: 0x4000008fffn }];
    check.look();
    expect(check.look().map((mapping) => mapping.first)).toEqual([0xfebc0000n]);
  });
});

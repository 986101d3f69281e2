// tier: quick
// Places of registers out of a configuration space's bytes: PCI Local Bus Specification 3.0, chapter 6; VIRTIO 1.2, section 4.1.4.
import { describe, expect, test } from "vitest";
import type { Layout } from "./database.js";
import { layoutFromConfig, layoutOfConfig, mergeLayouts } from "./pci-config.js";
import { virtioVariant } from "./pci-ids.js";

/** Makes a configuration space of pieces of hexadecimal digits by their offsets. */
function configOf(pieces: Record<number, string>, length = 256): Uint8Array {
  const config = new Uint8Array(length);
  for (const [at, digits] of Object.entries(pieces))
    config.set(Buffer.from(digits.replaceAll(" ", ""), "hex"), Number(at));
  return config;
}

const hexOf = (value: number) => value.toString(16);
/** `BAR: DOMAIN start-end`, a line a segment. */
const linesOf = (layout: Layout) =>
  [...layout].flatMap(([bar, segments]) =>
    segments.map(
      ({ domain, start, end }) => `${bar}: ${domain} ${hexOf(start)}${end === undefined ? "" : `-${hexOf(end)}`}`,
    ),
  );
const all = () => true;

const hasList = { 6: "1000" };
// id, next, length, type, BAR, …, offset, length
const common = "0950 1001 04 000000 00000000 38000000";
const device = "0900 1004 04 000000 00200000 00100000";
// id, next, 3 vectors; the table at BAR 1 + 0, the pending bits at BAR 1 + 0x800
const msix = "1100 0280 01000000 01080000";

describe("virtio's structures", () => {
  const config = configOf({ ...hasList, 52: "40", 64: common, 80: `0960${device.slice(4)}`, 96: msix });

  test("lie in the BARs at their offsets, in the order of their starts, beside MSI-X's tables", () => {
    expect(linesOf(layoutFromConfig(config, true, all))).toEqual([
      ...["4: VIRTIO_COMMON 0-38", "4: VIRTIO_DEVICE 2000-3000", "1: MSIX 0-30", "1: MSIX_PBA 800-808"],
    ]);
    const reversed = configOf({ ...hasList, 52: "50", 80: `0940${device.slice(4)}`, 64: `0900${common.slice(4)}` });
    expect(linesOf(layoutFromConfig(reversed, true, all))).toEqual([
      ...["4: VIRTIO_COMMON 0-38", "4: VIRTIO_DEVICE 2000-3000"],
    ]);
  });

  test("are only virtio's, and only those that the database has", () => {
    expect(linesOf(layoutFromConfig(config, false, all))).toEqual(["1: MSIX 0-30", "1: MSIX_PBA 800-808"]);
    expect(linesOf(layoutFromConfig(config, true, (domain) => domain === "MSIX"))).toEqual(["1: MSIX 0-30"]);
  });

  test.each([
    ["01", ["4: VIRTIO_COMMON 0-38"]],
    ["02", ["4: VIRTIO_NOTIFY 0-38"]],
    ["03", ["4: VIRTIO_ISR 0-38"]],
    ["04", ["4: VIRTIO_DEVICE 0-38"]],
    // access through the configuration space itself
    ["05", []],
    ["00", []],
  ])("of type %s", (type, lines) => {
    const one = configOf({ ...hasList, 52: "40", 64: common.replace("0950 1001", `0900 10${type}`) });
    expect(linesOf(layoutFromConfig(one, true, all))).toEqual(lines);
  });

  test.each([
    ["BAR 5", "05 000000 00000000 38000000", ["5: VIRTIO_COMMON 0-38"]],
    ["BAR 6", "06 000000 00000000 38000000", []],
    ["no length", "04 000000 00000000 00000000", []],
    ["all bits of an offset", "00 000000 00000080 00010000", ["0: VIRTIO_COMMON 80000000-80000100"]],
  ])("in %s", (_name, rest, lines) => {
    const one = configOf({ ...hasList, 52: "40", 64: `0900 1001 ${rest}` });
    expect(linesOf(layoutFromConfig(one, true, all))).toEqual(lines);
  });
});

describe("MSI-X's tables", () => {
  test.each([
    ["one vector", "1100 0080 00000000 00100000", ["0: MSIX 0-10", "0: MSIX_PBA 1000-1008"]],
    ["64 vectors", "1100 3f80 02000000 03100000", ["2: MSIX 0-400", "3: MSIX_PBA 1000-1008"]],
    ["65 vectors", "1100 4080 00200000 03100000", ["0: MSIX 2000-2410", "3: MSIX_PBA 1000-1010"]],
    // the bits above the number of vectors enable and mask all
    ["2048 vectors", "1100 ffff 00200000 03000080", ["0: MSIX 2000-a000", "3: MSIX_PBA 80000000-80000100"]],
  ])("of %s", (_name, capability, lines) => {
    const config = configOf({ ...hasList, 52: "40", 64: capability });
    expect(linesOf(layoutFromConfig(config, false, all))).toEqual(lines);
  });
});

describe("the list of capabilities", () => {
  const domainsOf = (config: Uint8Array) => linesOf(layoutOfConfig(config, 7)).slice(1);

  test("of a function that says that it has one", () => {
    expect(linesOf(layoutOfConfig(configOf({ 6: "ef00", 52: "40", 64: "0100" }), 7))).toEqual(["7: PCI_CONFIG 0-40"]);
    expect(linesOf(layoutOfConfig(configOf({ ...hasList, 52: "40", 64: "0100" }), 7))).toEqual([
      ...["7: PCI_CONFIG 0-40", "7: PM 40-100"],
    ]);
    expect(layoutFromConfig(configOf({ ...hasList, 52: "00" }), true, all).size).toBe(0);
  });

  test("gives each one's domain, up to the next one, in any order", () => {
    const config = configOf({
      ...hasList,
      ...{ 52: "70", 112: "0560 0000", 96: "0350", 80: "1080", 128: "1190", 144: "13a0", 160: "0940", 64: "0100" },
    });
    expect(domainsOf(config)).toEqual([
      ...["7: PM 40-50", "7: EXP 50-60", "7: VPD 60-70", "7: MSI 70-80", "7: MSIX 80-90", "7: AF 90-a0"],
    ]);
  });

  test.each([
    ["0500 8000", "MSI_64"],
    ["0500 7f00", "MSI"],
    ["0500 0080", "MSI"],
  ])("MSI with the flags of %s has the registers of %s", (capability, domain) => {
    expect(domainsOf(configOf({ ...hasList, 52: "40", 64: capability }))).toEqual([`7: ${domain} 40-100`]);
  });

  test.each([
    ["the lowest bits of a place don't count", { 52: "43", 64: "0153", 80: "1003" }, ["PM 40-50", "EXP 50-100"]],
    ["it may begin right behind the header", { 52: "40", 64: "0100" }, ["PM 40-100"]],
    ["it can't begin in the header", { 52: "3c", 60: "0100" }, []],
    ["it may end in the last bytes", { 52: "fc", 252: "0100" }, ["PM fc-100"]],
    ["a circle ends", { 52: "40", 64: "0150", 80: "1040" }, ["PM 40-50", "EXP 50-100"]],
  ])("%s", (_name, pieces, domains) => {
    expect(domainsOf(configOf({ ...hasList, ...pieces }))).toEqual(domains.map((line) => `7: ${line}`));
  });

  test("ends where the bytes end", () => {
    const pieces = { ...hasList, 52: "40", 64: "0150" };
    expect(domainsOf(configOf({ ...pieces, 80: "1000" }, 0x52))).toEqual(["7: PM 40-50", "7: EXP 50-100"]);
    expect(domainsOf(configOf(pieces, 0x51))).toEqual(["7: PM 40-100"]);
    expect(linesOf(layoutOfConfig(new Uint8Array(), 7))).toEqual(["7: PCI_CONFIG 0-40"]);
  });

  test("has at most 48 places", () => {
    const pieces: Record<number, string> = { ...hasList, 52: "40" };
    // 48 is the number of places of four bytes: all of them
    for (let at = 0x40; at < 0x100; at += 4) pieces[at] = `01${((at + 4) & 0xff).toString(16).padStart(2, "0")}`;
    expect(domainsOf(configOf(pieces))).toHaveLength(48);
  });

  test.each([
    ["00", "PCI_CONFIG"],
    ["80", "PCI_CONFIG"],
    ["01", "PCI_BRIDGE"],
    ["81", "PCI_BRIDGE"],
    ["02", "PCI_CONFIG"],
  ])("of a header of type %s: %s", (type, domain) => {
    expect(linesOf(layoutOfConfig(configOf({ 14: type }), 7))).toEqual([`7: ${domain} 0-40`]);
  });
});

test("of two layouts, the second one's domains win, wherever the first has them", () => {
  const layout: Layout = new Map([
    [
      0,
      [
        { domain: "A", start: 0 },
        { domain: "B", start: 0x10 },
      ],
    ],
    [1, [{ domain: "C", start: 0 }]],
    [2, [{ domain: "D", start: 4 }]],
  ]);
  const more: Layout = new Map([
    [
      2,
      [
        { domain: "B", start: 0 },
        { domain: "C", start: 8 },
      ],
    ],
    [3, [{ domain: "E", start: 0 }]],
  ]);
  expect(linesOf(mergeLayouts(layout, more))).toEqual(["0: A 0", "2: B 0", "2: D 4", "2: C 8", "3: E 0"]);
});

test.each([
  [0x1000, "1"],
  [0x1001, "2"],
  [0x1002, "5"],
  [0x1003, "3"],
  [0x1004, "8"],
  [0x1005, "4"],
  [0x1009, "9"],
  [0x1041, "1"],
  [0x1050, "16"],
  [0x105a, "26"],
  [0x1040, undefined],
  [0x1046, undefined],
  [0x107f, undefined],
  [0x1006, undefined],
])("virtio's device 0x%i is of type %s", (device, type) => {
  expect(virtioVariant(device)).toEqual(type === undefined ? undefined : ["virtio-device", type]);
});

// tier: quick
// The lines before an mmiotrace log's first event. `PCIDEV BBDD VVVVDDDD IRQ`, 7 starts with their flags, 7 lengths, the driver.
import { describe, expect, test } from "vitest";
import type { PciFunction } from "./header.js";
import { mmiotraceHead, pciFunctionOfLine, pciLine } from "./mmiotrace-head.js";

// as the kernel prints a card that stood at 01:00.0: bus 1, devfn 0, a 32-bit, a 64-bit prefetchable and a port BAR, a ROM
const line =
  "PCIDEV 0100 10de1d81 1d f6000000 e000000c 0 f000000c 0 e001 f7000002 1000000 10000000 0 2000000 0 80 80000 nouveau";
const card: PciFunction = {
  ...{ address: "0000:01:00.0", vendor: "0x10de", device: "0x1d81" },
  ...{ subsystemVendor: "0x0", subsystemDevice: "0x0", class: "0x0", revision: "0x0" },
  ...{ irq: 29, driver: "nouveau" },
  bars: [
    { index: 0, start: "0xf6000000", length_bytes: "0x1000000", flags: "0x200" },
    { index: 1, start: "0xe0000000", length_bytes: "0x10000000", flags: "0x20c" },
    { index: 3, start: "0xf0000000", length_bytes: "0x2000000", flags: "0x20c" },
    { index: 5, start: "0xe000", length_bytes: "0x80", flags: "0x101" },
    { index: 6, start: "0xf7000000", length_bytes: "0x80000", flags: "0x202" },
  ],
};

test("a line becomes a function, and the same line again", () => {
  expect(pciFunctionOfLine(line)).toEqual(card);
  expect(pciLine(card)).toBe(line);
});

test("bus, device and function share four digits", () => {
  const at = (address: string) => pciLine({ ...card, address, bars: [], driver: null });
  const rest = " 10de1d81 1d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ";
  expect(at("0000:c2:1f.7")).toBe(`PCIDEV c2ff${rest}`);
  expect(at("0001:0a:03.2")).toBe(`PCIDEV 0a1a${rest}`);
  // a device of a log that has no address in the machine
  expect(at("nic")).toBe(`PCIDEV 0000${rest}`);
  expect(pciFunctionOfLine(`PCIDEV c2ff${rest}`)).toEqual({ ...card, address: "0000:c2:1f.7", bars: [], driver: null });
});

test("ids have four digits each", () => {
  const made = pciLine({ ...card, vendor: "0x8", device: "0xe" });
  expect(made.startsWith("PCIDEV 0100 0008000e 1d ")).toBe(true);
  expect(pciFunctionOfLine(made)).toMatchObject({ vendor: "0x8", device: "0xe" });
});

test("a BAR of which either start or length is 0 is one", () => {
  const found = pciFunctionOfLine("PCIDEV 0100 10de1d81 1d f6000000 0 0 0 0 0 0 0 1000 0 0 0 0 0 \n");
  expect(found!.bars).toEqual([
    { index: 0, start: "0xf6000000", length_bytes: "0x0", flags: "0x200" },
    { index: 1, start: "0x0", length_bytes: "0x1000", flags: "0x200" },
  ]);
  expect(found!.driver).toBeNull();
});

test("the greatest numbers that a machine can have", () => {
  expect(pciFunctionOfLine(`PCIDEV ffff ffffffff ffffffff ${"ffffffffffffffff ".repeat(14)}x`)).toMatchObject({
    address: "0000:ff:1f.7",
    vendor: "0xffff",
    device: "0xffff",
    irq: 0xffff_ffff,
    driver: "x",
  });
});

describe("no line of a function's", () => {
  const numbers = "0 0 0 0 0 0 0 0 0 0 0 0 0";
  test.each([
    ["another word", `PCIDEVS 0100 10de1d81 1d 0 ${numbers}`],
    ["13 numbers instead of 14", `PCIDEV 0100 10de1d81 1d ${numbers}`],
    ["a word among the numbers", `PCIDEV 0100 10de1d81 1d x ${numbers} nouveau`],
    ["two blanks", `PCIDEV 0100  10de1d81 1d 0 ${numbers} nouveau`],
    ["a number of 17 digits", `PCIDEV 0100 10de1d81 1d 12345678901234567 ${numbers} nouveau`],
    ["a number with 0x", `PCIDEV 0100 10de1d81 1d 0x1 ${numbers} nouveau`],
    ["a place of 17 bits", `PCIDEV 10000 10de1d81 1d 0 ${numbers} nouveau`],
    ["ids of 33 bits", `PCIDEV 0100 100000000 1d 0 ${numbers} nouveau`],
    ["an interrupt of 33 bits", `PCIDEV 0100 10de1d81 100000000 0 ${numbers} nouveau`],
  ])("%s", (_name, text) => {
    expect(pciFunctionOfLine(text)).toBeUndefined();
  });

  test("14 numbers are one", () => {
    expect(pciFunctionOfLine(`PCIDEV 0100 10de1d81 1d 0 ${numbers}`)).toMatchObject({ driver: null });
  });
});

test("the head is the version, and a line a function", () => {
  expect(mmiotraceHead([])).toBe("VERSION 20070824\n");
  expect(mmiotraceHead([card])).toBe(`VERSION 20070824\n${line}\n`);
});

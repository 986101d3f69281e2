// tier: quick
// Reads of configuration spaces: real ones of QEMU's devices, and damaged or circular lists.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { QtestMachine, whyNoQemu } from "../../dev/test-support/qemu-registers.js";
import { layoutFromConfig } from "../registers/pci-config.js";
import { readPciConfig } from "./pci-config.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function read(config: Uint8Array): Uint8Array | undefined {
  const path = join(folder, "config");
  writeFileSync(path, config);
  return readPciConfig(path);
}

/** Makes a header with capabilities, and bytes from 0x40 on; all others are 0xee, so that reading them is noticed. */
function made(first: number, bytes: Record<number, number[]>, length = 256): Uint8Array {
  const config = new Uint8Array(Math.max(length, 256)).fill(0xee);
  config.fill(0, 0, 64);
  config[0x06] = 0x10;
  config[0x34] = first;
  for (const [at, given] of Object.entries(bytes)) config.set(given, Number(at));
  return config.subarray(0, length);
}

const msix = (next: number) => [0x11, next, 0x03, 0x00, 0x04, 0x20, 0, 0, 0x04, 0x30, 0, 0];
const vendor = (next: number) => [0x09, next, 0x10, 1, 4, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x08, 0, 0];

describe("the part that is read", () => {
  test("is the header, MSI-X and vendor capabilities; nothing of other ones, and nothing between", () => {
    const config = made(0x40, { 64: msix(0x60), 96: [0x10, 0x82], 128: vendor(0) });
    const found = read(made(0x40, { 64: msix(0x60), 96: [0x10, 0x80], 128: vendor(0) }));
    const wanted = new Uint8Array(0x90);
    wanted.set(config.subarray(0, 64));
    wanted.set(msix(0x60), 0x40);
    wanted.set([0x10, 0x80], 0x60);
    wanted.set(vendor(0), 0x80);
    expect(found).toEqual(wanted);
    expect(layoutFromConfig(found!, true, () => true)).toEqual(
      new Map([
        [
          4,
          [
            { domain: "VIRTIO_COMMON", start: 0x1000, end: 0x1800 },
            { domain: "MSIX", start: 0x2000, end: 0x2040 },
            { domain: "MSIX_PBA", start: 0x3000, end: 0x3008 },
          ],
        ],
      ]),
    );
  });

  test("is nothing of PCI Express' extended space, and no more than 256 bytes", () => {
    const config = made(0xf0, { 240: [0x09, 0x40, 0xff, 1], 64: msix(0) }, 4096);
    const found = read(config)!;
    expect(found.length).toBe(256);
    expect([...found.subarray(0x40, 0x4c)]).toEqual(msix(0));
  });

  test.each<[string, Uint8Array, [from: number, end: number][]]>([
    [
      "a list in a circle",
      made(0x40, { 64: msix(0x50), 80: [0x01, 0x40] }),
      [
        [0x40, 0x4c],
        [0x50, 0x52],
      ],
    ],
    ["a list into the header", made(0x40, { 64: msix(0x04) }), [[0x40, 0x4c]]],
    ["a user who isn't root", made(0x40, { 64: msix(0) }, 64), []],
    ["a capability cut short", made(0x40, { 64: msix(0) }, 0x44), [[0x40, 0x44]]],
    ["no capabilities", made(0x40, { 6: [0], 64: msix(0) }), []],
    ["a CardBus bridge", made(0x40, { 14: [0x82], 64: msix(0) }), []],
    ["a function that is gone", new Uint8Array(256).fill(0xff), []],
  ])("ends with %s", (_, config, behindHeader) => {
    const wanted = new Uint8Array(Math.max(64, ...behindHeader.map(([, end]) => end)));
    for (const [from, end] of [[0, 64] as const, ...behindHeader]) wanted.set(config.subarray(from, end), from);
    expect(read(config)).toEqual(wanted);
  });

  test("is nothing where there is no such file, or hardly any of it", () => {
    expect(readPciConfig(join(folder, "none"))).toBeUndefined();
    expect(readPciConfig(folder)).toBeUndefined();
    expect(read(new Uint8Array(63))).toBeUndefined();
  });
});

const whyNot = whyNoQemu();

describe.skipIf(whyNot !== undefined)(`QEMU's devices${whyNot === undefined ? "" : ` (${whyNot})`}`, () => {
  test("tell in what is read all that they tell in the whole", async () => {
    const devices = ["nvme,serial=s", "virtio-net-pci,disable-legacy=on", "e1000e", "qemu-xhci", "virtio-rng-pci"];
    const machine = new QtestMachine(devices);
    let placed = 0;
    try {
      for (const [index, device] of devices.entries()) {
        const whole = await machine.configSpace(4 + index);
        const part = read(whole)!;
        const layout = layoutFromConfig(whole, device.startsWith("virtio"), () => true);
        expect(layoutFromConfig(part, device.startsWith("virtio"), () => true)).toEqual(layout);
        placed += [...layout.values()].flat().length;
        // The bytes read are the real ones.
        for (const [at, byte] of part.entries()) if (byte !== 0) expect(byte).toBe(whole[at]);
      }
    } finally {
      await machine.close();
    }
    expect(placed).toBeGreaterThanOrEqual(16);
  });
});

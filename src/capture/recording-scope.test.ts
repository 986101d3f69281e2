// tier: quick
// A user's request becomes the right addresses: on copies of two real kernels' sysfs trees.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatRange } from "../base/address-range.js";
import { InvalidValueError, UserError } from "../base/errors.js";
import { fullPciAddress, parseResource, readPciFunction } from "../machine/pci.js";
import { aliasMatches } from "./driver-devices.js";
import { parseRange, resolveScope, type ScopeRequest } from "./recording-scope.js";
import { ScopeError } from "./scope-errors.js";

let sysfs: string;
let modulesFolder: string;

/** `resource` of QEMU's e1000 (Debian 6.1, pc machine): memory, ports, and its ROM. */
const e1000Resource = [
  "0x00000000febc0000 0x00000000febdffff 0x0000000000040200",
  "0x000000000000c040 0x000000000000c07f 0x0000000000040101",
  ...Array<string>(4).fill("0x0000000000000000 0x0000000000000000 0x0000000000000000"),
  "0x00000000feb80000 0x00000000febbffff 0x0000000000046200",
  ...Array<string>(6).fill("0x0000000000000000 0x0000000000000000 0x0000000000000000"),
  "",
].join("\n");
/** `resource` of a USB controller. */
const usbResource = (number: number) =>
  `0x00000000fe00${number * 4}000 0x00000000fe00${number * 4 + 3}fff 0x0000000000140204\n`;
/** A graphics card whose ROM is the shadow copy in RAM, as the boot display's is. */
const vgaResource = [
  "0x00000000fd000000 0x00000000fdffffff 0x0000000000042208",
  "0x0000000000000000 0x0000000000000000 0x0000000000000000",
  "0x00000000febd0000 0x00000000febd0fff 0x0000000000040200",
  ...Array<string>(3).fill("0x0000000000000000 0x0000000000000000 0x0000000000000000"),
  "0x00000000000c0000 0x00000000000dffff 0x0000000000000212",
  "",
].join("\n");

const modulesAlias = `# Aliases extracted from modules themselves.
alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000
alias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci
alias pci:v*d*sv*sd*bc0Csc03i20* ehci_pci
alias usb:v*p*d*dc*dsc*dp*ic03isc*ip*in* usbhid
`;
const modulesDep = `kernel/drivers/net/ethernet/intel/e1000/e1000.ko:
kernel/drivers/usb/core/usbcore.ko: kernel/drivers/usb/common/usb-common.ko
kernel/drivers/usb/host/xhci-hcd.ko: kernel/drivers/usb/core/usbcore.ko kernel/drivers/usb/common/usb-common.ko
kernel/drivers/usb/host/xhci-pci.ko.xz: kernel/drivers/usb/host/xhci-hcd.ko kernel/drivers/usb/core/usbcore.ko
kernel/drivers/usb/host/ehci-pci.ko: kernel/drivers/usb/core/usbcore.ko kernel/drivers/usb/common/usb-common.ko
`;
const xhciModalias = "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30\n";
const ehciModalias = "pci:v00008086d0000293Asv00001AF4sd00001100bc0Csc03i20\n";

function addFunction(address: string, files: Record<string, string>, driver?: string): void {
  const folder = join(sysfs, "bus/pci/devices", address);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  if (driver === undefined) return;
  mkdirSync(join(sysfs, "bus/pci/drivers", driver), { recursive: true });
  symlinkSync(`../../../../bus/pci/drivers/${driver}`, join(folder, "driver"));
}

beforeAll(() => {
  sysfs = mkdtempSync(join(tmpdir(), "mmiostrider-sysfs-"));
  modulesFolder = join(sysfs, "modules");
  mkdirSync(modulesFolder);
  writeFileSync(join(modulesFolder, "modules.alias"), modulesAlias);
  writeFileSync(join(modulesFolder, "modules.dep"), modulesDep);
  const identity = { vendor: "0x8086\n", device: "0x100e\n", class: "0x020000\n", revision: "0x03\n", irq: "11\n" };
  addFunction("0000:00:04.0", { ...identity, resource: e1000Resource, modalias: "pci:v00008086d0000100E\n" }, "e1000");
  addFunction("0000:00:05.0", { ...identity, resource: vgaResource });
  addFunction("0000:00:1f.3", { ...identity, resource: "0x000000000000c000 0x000000000000c03f 0x0000000000040101\n" });
});

afterAll(() => rmSync(sysfs, { recursive: true, force: true }));

function resolve(request: Partial<ScopeRequest>) {
  const nothing = { devices: [], drivers: [], ranges: [], all: false, excludes: [], excludeMemory: false };
  return resolveScope({ ...nothing, ...request }, sysfs, modulesFolder);
}

describe("resolveScope", () => {
  test("a device: its memory BARs and its ROM, not its ports", async () => {
    const scope = await resolve({ devices: ["00:04.0"] });
    expect(scope.ranges.map(formatRange)).toEqual(["0xfeb80000-0xfebdffff"]);
    expect(scope.functions[0]).toMatchObject({ address: "0000:00:04.0", vendor: "0x8086", driver: "e1000", irq: 11 });
    expect(scope.asked).toEqual(["device 00:04.0"]);
  });

  test("the driver's modules, and those that they use: of the bound driver, else of those that fit", async () => {
    const none = { builtIn: false, drivers: [], libraries: [] };
    expect((await resolve({ all: true })).modules).toEqual(none);
    expect((await resolve({ ranges: ["fee00000-fee00fff"] })).modules).toEqual(none);
    // its driver has no module, until it has
    const known = { devices: ["00:04.0"] };
    expect((await resolve(known)).modules).toEqual({ builtIn: true, drivers: [], libraries: [] });
    symlinkSync("../../../../module/e1000", join(sysfs, "bus/pci/drivers/e1000/module"));
    expect((await resolve(known)).modules).toEqual({ builtIn: false, drivers: ["e1000"], libraries: [] });
    const usb = { vendor: "0x1b36\n", device: "0x000d\n", resource: usbResource(0), modalias: xhciModalias };
    addFunction("0000:00:06.0", usb);
    try {
      const { modules } = await resolve({ devices: ["00:06.0"] });
      expect(modules.drivers).toEqual(["xhci_pci"]);
      expect(modules.libraries).toContain("xhci_hcd");
    } finally {
      rmSync(join(sysfs, "bus/pci/devices/0000:00:06.0"), { recursive: true });
    }
  });

  test("a device with ports only: they are recorded, and their limit is told", async () => {
    const scope = await resolve({ devices: ["00:1f.3"] });
    expect(scope.ranges).toEqual([]);
    expect(scope.ports.map(formatRange)).toEqual(["0xc000-0xc03f"]);
    expect(scope.remarks).toEqual([
      "0000:00:1f.3 has only I/O ports: accesses through ioport_map() or pci_iomap() are recorded, direct in and out by engine instrument alone",
    ]);
  });

  test("a ROM that lies in RAM is left out", async () => {
    const scope = await resolve({ devices: ["0000:00:05.0"] });
    expect(scope.ranges.map(formatRange)).toEqual(["0xfd000000-0xfdffffff", "0xfebd0000-0xfebd0fff"]);
  });

  test("a driver that has a device", async () => {
    const scope = await resolve({ drivers: ["e1000"], ranges: ["fee00000-fee00fff"] });
    expect(scope.ranges.map(formatRange)).toEqual(["0xfeb80000-0xfebdffff", "0xfee00000-0xfee00fff"]);
  });

  test("a driver by its module's name, and by that of a module that the driver's module uses", async () => {
    const usb = { vendor: "0x1b36\n", device: "0x000d\n", resource: usbResource(0), modalias: xhciModalias };
    addFunction("0000:00:06.0", usb);
    try {
      // nothing is loaded: modules.dep says which module uses xhci-hcd
      const free = await resolve({ drivers: ["xhci_hcd"] });
      expect(free.functions.map(({ address }) => address)).toEqual(["0000:00:06.0"]);
      expect(free.remarks).toEqual([
        "xhci_hcd has no PCI driver of its own; recording the devices of xhci_pci, which uses it",
      ]);
      expect((await resolve({ drivers: ["usbcore"] })).ranges.map(formatRange)).toEqual(["0xfe000000-0xfe003fff"]);
      // loaded: module xhci_pci has the driver xhci_hcd
      addFunction("0000:00:06.0", {}, "xhci_hcd");
      mkdirSync(join(sysfs, "module/xhci_pci/drivers"), { recursive: true });
      symlinkSync("../../../bus/pci/drivers/xhci_hcd", join(sysfs, "module/xhci_pci/drivers/pci:xhci_hcd"));
      for (const name of ["xhci_pci", "xhci-pci", "xhci_hcd"]) {
        const bound = await resolve({ drivers: [name] });
        expect(bound.functions, name).toMatchObject([{ address: "0000:00:06.0", driver: "xhci_hcd" }]);
        expect(bound.remarks, name).toEqual([]);
      }
      // a second controller: two modules use usbcore
      addFunction("0000:00:07.0", { ...usb, resource: usbResource(1), modalias: ehciModalias });
      await expect(resolve({ drivers: ["usbcore"] })).rejects.toThrow(
        "usbcore isn't a PCI driver, and several modules with one use it: ehci_pci, xhci_pci",
      );
    } finally {
      rmSync(join(sysfs, "bus/pci/devices/0000:00:06.0"), { recursive: true });
      rmSync(join(sysfs, "bus/pci/devices/0000:00:07.0"), { recursive: true, force: true });
    }
  });

  test("a name that nothing has: the names that there are, and the one that was probably meant", async () => {
    const failure: UserError = await resolve({ drivers: ["e100"] }).catch((error) => error);
    expect(failure.message).toBe('there is no PCI driver or module "e100" on this machine');
    expect(failure.advice).toBe("perhaps e1000 is meant; the drivers for this machine's PCI devices are: e1000");
  });

  test("a driver of another bus: the PCI device that carries it is named", async () => {
    const carrier = join(sysfs, "bus/pci/devices/0000:00:04.0/virtio0");
    const folder = join(sysfs, "bus/virtio");
    mkdirSync(carrier);
    for (const part of ["devices", "drivers/virtio_net"]) {
      mkdirSync(join(folder, part), { recursive: true });
      symlinkSync(carrier, join(folder, part, "virtio0"));
    }
    mkdirSync(join(sysfs, "module/virtio_net/drivers"), { recursive: true });
    symlinkSync(join(folder, "drivers/virtio_net"), join(sysfs, "module/virtio_net/drivers/virtio:virtio_net"));
    const failure: UserError = await resolve({ drivers: ["virtio_net"] }).catch((error) => error);
    rmSync(carrier, { recursive: true });
    expect(failure.message).toBe("virtio_net isn't a PCI driver: it drives devices on the bus virtio");
    expect(failure.advice).toMatch(/^its devices lie on the PCI device 0000:00:04.0 \(driver e1000\): /);
  });

  test("what is left out: ranges, and BARs that are prefetchable and large", async () => {
    const scope = await resolve({ devices: ["00:05.0"], excludes: ["fee00000-fee00fff"], excludeMemory: true });
    expect(scope.leftOut.map(formatRange)).toEqual(["0xfd000000-0xfdffffff", "0xfee00000-0xfee00fff"]);
    expect(scope.asked).toEqual(["device 00:05.0", "exclude fee00000-fee00fff", "exclude-memory"]);
    expect(scope.remarks).toEqual(["left out as memory: 0000:00:05.0 BAR 0, 0xfd000000-0xfdffffff"]);
    const everywhere = await resolve({ all: true, excludeMemory: true });
    expect(everywhere.leftOut.map(formatRange)).toEqual(["0xfd000000-0xfdffffff"]);
    // e1000's ROM is prefetchable, but small
    const none = await resolve({ devices: ["00:04.0"], excludeMemory: true });
    expect(none.leftOut).toEqual([]);
    expect(none.remarks).toEqual(["no BAR is left out as memory: none is prefetchable and 8 MB or more"]);
    await expect(resolve({ all: true, excludes: ["1-0"] })).rejects.toThrow(InvalidValueError);
  });

  test("an impossible request is wrong usage; a missing device fails", async () => {
    await expect(resolve({})).rejects.toThrow(ScopeError);
    await expect(resolve({ all: true, devices: ["00:04.0"] })).rejects.toThrow(ScopeError);
    await expect(resolve({ devices: ["eth0"] })).rejects.toThrow(InvalidValueError);
    await expect(resolve({ drivers: ["../../etc"] })).rejects.toThrow(InvalidValueError);
    const absent = resolve({ devices: ["00:19.0"] });
    await expect(absent).rejects.toThrow("there is no PCI device 0000:00:19.0");
    await expect(absent).rejects.not.toThrow(InvalidValueError);
    await expect(resolve({ drivers: ["no_such_driver"] })).rejects.toThrow(UserError);
  });

  test("more ranges than the core takes are refused, those that touch are joined first", async () => {
    const apart = Array.from(
      { length: 65 },
      (_, index) => `${(index * 0x2000).toString(16)}-${(index * 0x2000 + 0xfff).toString(16)}`,
    );
    await expect(resolve({ ranges: apart })).rejects.toThrow(/65 separate address ranges; at most 64/);
    const touching = Array.from(
      { length: 65 },
      (_, index) => `${(index * 0x1000).toString(16)}-${(index * 0x1000 + 0xfff).toString(16)}`,
    );
    expect((await resolve({ ranges: touching })).ranges.map(formatRange)).toEqual(["0x0-0x40fff"]);
  });
});

describe("ranges", () => {
  test.each([
    ["febc0000-febdffff", "0xfebc0000-0xfebdffff"],
    ["0xFEBC0000-0xfebc0000", "0xfebc0000-0xfebc0000"],
    ["0-fffffffffffff", "0x0-0xfffffffffffff"],
  ])("%s", (text, expected) => expect(formatRange(parseRange(text))).toBe(expected));

  test.each(["", "1", "1-", "-1", "2-1", "1-2-3", "g-h", "0-10000000000000", "1 - 2", "0x-0x1", "-0x1-2"])(
    "refuses %j",
    (text) => expect(() => parseRange(text)).toThrow(InvalidValueError),
  );
});

describe("PCI", () => {
  test("addresses", () => {
    expect(fullPciAddress("00:1F.3")).toBe("0000:00:1f.3");
    expect(fullPciAddress("10000:e1:00.0")).toBe("10000:e1:00.0");
    for (const wrong of ["", "0:4.0", "00:20.0", "00:04.8", "00:04", "000:00:04.0", "00:04.0 "]) {
      expect(fullPciAddress(wrong)).toBeUndefined();
    }
  });

  test("BARs carry index, extent and flags", () => {
    expect(parseResource(e1000Resource)).toEqual([
      { index: 0, start: "0xfebc0000", length_bytes: "0x20000", flags: "0x40200" },
      { index: 1, start: "0xc040", length_bytes: "0x40", flags: "0x40101" },
      { index: 6, start: "0xfeb80000", length_bytes: "0x40000", flags: "0x46200" },
    ]);
    expect(readPciFunction("0000:00:11.0", sysfs)).toBeUndefined();
  });

  // Aliases of Debian's e1000, nvme and xhci-pci modules; modaliases of QEMU's devices.
  test.each([
    ["pci:v00008086d0000100Esv*sd*bc*sc*i*", "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00", true],
    ["pci:v00008086d0000100Fsv*sd*bc*sc*i*", "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00", false],
    ["pci:v*d*sv*sd*bc01sc08i02*", "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02", true],
    ["pci:v*d*sv*sd*bc0Csc03i30*", "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02", false],
    ["pci:v0000106Bd0000200[13]sv*", "pci:v0000106Bd00002003sv00000000", true],
  ])("alias %s, device %s: %s", (alias, modalias, expected) => {
    expect(aliasMatches(alias, modalias)).toBe(expected);
  });
});

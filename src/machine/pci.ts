// Reads sysfs's facts about PCI functions: identity, BARs, driver. Only reads.
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { hex } from "../base/hex.js";
import { type Bar, type Hex, type PciFunction, romIndex } from "../trace/header.js";
import { readKernelFile } from "./kernel-files.js";
import { readPciConfig } from "./pci-config.js";

/** `resource` has six BARs, then the expansion ROM; the rest (SR-IOV, bridge windows) isn't the function's own. */
const barsMax = romIndex + 1;

/** The root of sysfs; tests read a copy. */
export type SysfsRoot = string;
export const defaultSysfs: SysfsRoot = "/sys";

function devicesFolder(sysfs: SysfsRoot): string {
  return join(sysfs, "bus/pci/devices");
}

/** Lists the addresses of all PCI functions, sorted; none without a PCI bus. */
export function listPciFunctions(sysfs: SysfsRoot = defaultSysfs): string[] {
  const folder = devicesFolder(sysfs);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** Converts a number of sysfs (`0x8086`, `11`) to lower-case hexadecimal; 0x0 for a missing file. */
function hexOf(text: string | undefined): Hex {
  const trimmed = text?.trim() ?? "";
  return `0x${BigInt(/^(?:0x[0-9a-f]+|\d+)$/i.test(trimmed) ? trimmed : "0").toString(16)}`;
}

/** Returns the driver that a function is bound to, or null. */
export function boundDriver(address: string, sysfs: SysfsRoot = defaultSysfs): string | null {
  try {
    return basename(readlinkSync(join(devicesFolder(sysfs), address, "driver")));
  } catch {
    return null;
  }
}

/** Returns the text that the kernel compares with drivers' aliases: `pci:v00008086d0000100E…`; undefined for a missing function. */
export function modaliasOf(address: string, sysfs: SysfsRoot = defaultSysfs): string | undefined {
  return readKernelFile(join(devicesFolder(sysfs), address, "modalias"))?.trim();
}

/**
 * Reads a function for the trace's header; undefined if there is none at this address. If `known` is the same device, its configuration
 * space isn't read again: the parts that are kept don't change, and reading them is an access to the device.
 */
export function readPciFunction(
  address: string,
  sysfs: SysfsRoot = defaultSysfs,
  known?: PciFunction,
): PciFunction | undefined {
  const folder = join(devicesFolder(sysfs), address);
  const read = (file: string) => readKernelFile(join(folder, file));
  const resource = read("resource");
  if (resource === undefined) return undefined;
  const identity = {
    vendor: hexOf(read("vendor")),
    device: hexOf(read("device")),
    subsystemVendor: hexOf(read("subsystem_vendor")),
    subsystemDevice: hexOf(read("subsystem_device")),
    class: hexOf(read("class")),
    revision: hexOf(read("revision")),
  };
  const isKnown = Object.entries(identity).every(([name, value]) => known?.[name as keyof typeof identity] === value);
  const config = (isKnown ? known?.config : undefined) ?? configOf(folder);
  return {
    address,
    ...identity,
    irq: Number(read("irq")?.trim() ?? 0),
    driver: boundDriver(address, sysfs),
    bars: parseResource(resource),
    ...(config === undefined ? {} : { config }),
  };
}

/** Reads the parts of a function's configuration space that are kept; undefined if they can't be read. */
function configOf(folder: string): string | undefined {
  // Reading a sleeping function's configuration space would wake it.
  if (readKernelFile(join(folder, "power/runtime_status"))?.trim() === "suspended") return undefined;
  const config = readPciConfig(join(folder, "config"));
  return config === undefined ? undefined : Buffer.from(config).toString("hex");
}

/** Parses the BARs in sysfs's `resource`: a line `FIRST LAST FLAGS` each, all zero if unused. */
export function parseResource(text: string): Bar[] {
  const bars: Bar[] = [];
  for (const [index, line] of text.split("\n").slice(0, barsMax).entries()) {
    const match = /^0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+)$/i.exec(line.trim());
    if (match === null) continue;
    const [start, last, flags] = [BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`), BigInt(`0x${match[3]}`)];
    if (start === 0n && last === 0n) continue;
    const length = last - start + 1n;
    bars.push({ index, start: hex(start), length_bytes: hex(length), flags: hex(flags) });
  }
  return bars;
}

/** Reads all functions, in the order of their addresses. */
export function readPciFunctions(sysfs: SysfsRoot = defaultSysfs): PciFunction[] {
  return listPciFunctions(sysfs)
    .map((address) => readPciFunction(address, sysfs))
    .filter((found) => found !== undefined);
}

/** Converts `00:04.0` or `0000:00:04.0` to the full form, in lower case; undefined for other texts. */
export function fullPciAddress(text: string): string | undefined {
  const match = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[01][0-9a-f]\.[0-7])$/.exec(text.toLowerCase());
  return match === null ? undefined : `${match[1] ?? "0000"}:${match[2]}`;
}

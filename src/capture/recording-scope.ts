// Turns the user's request (devices, drivers, ranges, everything) into physical address ranges. Only reads.
import { type AddressRange, formatRange, joinRanges } from "../base/address-range.js";
import { InvalidValueError, UserError } from "../base/errors.js";
import {
  defaultSysfs,
  fullPciAddress,
  listPciFunctions,
  readPciFunction,
  readPciFunctions,
  type SysfsRoot,
} from "../machine/pci.js";
import { type Bar, barRange, type PciFunction, portRanges, resourceFlag, romIndex } from "../trace/header.js";
import { devicesOfDriver, runningModulesFolder } from "./driver-devices.js";
import { type DriverModules, modulesOfDevices } from "./driver-modules.js";
import { ScopeError } from "./scope-errors.js";

/** Most ranges that the core takes (docs/control-device.md). */
export const rangesMax = 64;
/** x86-64 has at most 52 physical address bits (Intel SDM vol. 3A, 4.1.4). */
const physicalBits = 52n;

export interface ScopeRequest {
  devices: string[];
  drivers: string[];
  ranges: string[];
  all: boolean;
  /** Ranges to leave out. */
  excludes: string[];
  /** Leave out the BARs that are memory. */
  excludeMemory: boolean;
}

/** The part of the machine that a recording covers. */
export interface RecordingScope {
  all: boolean;
  /** Sorted, not overlapping; empty with `all`. */
  ranges: AddressRange[];
  /** The requested PCI functions, by device or by driver; empty with `all`, or if only ranges were given. */
  functions: PciFunction[];
  /** The functions' I/O ports; empty with `all`, which means all of them. */
  ports: AddressRange[];
  /** Those of the functions' drivers. */
  modules: DriverModules;
  /** Mappings that touch these aren't recorded. */
  leftOut: AddressRange[];
  /** The request in words, an option each, for the trace's header. */
  asked: string[];
  /** Remarks for the user that aren't errors. */
  remarks: string[];
}

/** Finds what the request means on this machine. Throws ScopeError and InvalidValueError for what can't be meant, UserError for what isn't here. */
export async function resolveScope(
  request: ScopeRequest,
  sysfs: SysfsRoot = defaultSysfs,
  modulesFolder: string = runningModulesFolder(),
): Promise<RecordingScope> {
  const wanted = await resolveWanted(request, sysfs, modulesFolder);
  const left = leftOutOf(request, () => (wanted.all ? readPciFunctions(sysfs) : wanted.functions));
  if (left.ranges.length > rangesMax) {
    const message = `that leaves out ${left.ranges.length} separate address ranges; at most ${rangesMax} are possible`;
    throw new InvalidValueError(left.asked.join(", "), message, { advice: "leave out fewer" });
  }
  return {
    ...wanted,
    leftOut: left.ranges,
    asked: [...wanted.asked, ...left.asked],
    remarks: [...wanted.remarks, ...left.remarks],
  };
}

async function resolveWanted(
  request: ScopeRequest,
  sysfs: SysfsRoot,
  modulesFolder: string,
): Promise<Omit<RecordingScope, "leftOut">> {
  const asked = [
    ...request.devices.map((device) => `device ${device}`),
    ...request.drivers.map((driver) => `driver ${driver}`),
    ...request.ranges.map((range) => `range ${range}`),
    ...(request.all ? ["all"] : []),
  ];
  if (asked.length === 0) {
    throw new ScopeError("nothing");
  }
  if (request.all) {
    if (asked.length > 1) throw new ScopeError("all and more");
    return {
      all: true,
      ranges: [],
      functions: [],
      ports: [],
      modules: { builtIn: false, drivers: [], libraries: [] },
      asked,
      remarks: [],
    };
  }
  const ranges = request.ranges.map(parseRange);
  const remarks: string[] = [];
  const addresses = request.devices.map((device) => knownDevice(device, sysfs));
  for (const driver of request.drivers) {
    const found = await devicesOfDriver(driver, { sysfs, modulesFolder });
    addresses.push(...found.addresses);
    remarks.push(...found.remarks);
  }
  const functions: PciFunction[] = [];
  for (const address of [...new Set(addresses)].sort()) {
    const found = readPciFunction(address, sysfs);
    if (found === undefined) throw new UserError(`the PCI device ${address} has just gone`);
    const own = memoryRanges(found);
    const ports = portRanges(found);
    if (own.length === 0 && ports.length === 0) {
      throw new UserError(`the PCI device ${address} has no BAR: it has no memory and no ports that could be recorded`);
    }
    if (own.length === 0) {
      remarks.push(
        `${address} has only I/O ports: accesses through ioport_map() or pci_iomap() are recorded, direct in and out by engine instrument alone`,
      );
    }
    functions.push(found);
    ranges.push(...own);
  }
  const joined = joinRanges(ranges);
  if (joined.length > rangesMax) {
    const message = `that makes ${joined.length} separate address ranges; at most ${rangesMax} can be recorded`;
    throw new InvalidValueError(asked.join(", "), message, { advice: "name fewer devices, or record all" });
  }
  return {
    ...{ all: false, ranges: joined, functions, asked, remarks },
    ports: joinRanges(functions.flatMap(portRanges)).slice(0, rangesMax),
    modules: modulesOfDevices(functions, { sysfs, modulesFolder }),
  };
}

/** Least size of a BAR that counts as memory, if it is prefetchable, too: doorbells and message queues are smaller. */
const memoryMin_bytes = 8n * 1024n ** 2n;

/** Finds the ranges to leave out, and says which BARs are among them. */
function leftOutOf(
  { excludes, excludeMemory }: ScopeRequest,
  functions: () => readonly PciFunction[],
): { ranges: AddressRange[]; asked: string[]; remarks: string[] } {
  const ranges = excludes.map(parseRange);
  const asked = excludes.map((range) => `exclude ${range}`);
  if (!excludeMemory) return { ranges: joinRanges(ranges), asked, remarks: [] };
  const remarks: string[] = [];
  for (const { address, bars } of functions()) {
    for (const bar of bars) {
      const range = barRange(bar);
      if (!isMemoryBar(bar) || range.first === 0n) continue;
      ranges.push(range);
      remarks.push(`left out as memory: ${address} BAR ${bar.index}, ${formatRange(range)}`);
    }
  }
  if (remarks.length === 0) remarks.push("no BAR is left out as memory: none is prefetchable and 8 MB or more");
  return { ranges: joinRanges(ranges), asked: [...asked, "exclude-memory"], remarks };
}

/** True for a BAR that is taken for memory, such as a framebuffer. */
export function isMemoryBar({ flags, length_bytes }: Pick<Bar, "flags" | "length_bytes">): boolean {
  const both = resourceFlag.memory | resourceFlag.prefetch;
  return (BigInt(flags) & both) === both && BigInt(length_bytes) >= memoryMin_bytes;
}

/** `FIRST-LAST`, hexadecimal with or without 0x, both included. Throws InvalidValueError. */
export function parseRange(text: string): AddressRange {
  const match = /^(?:0x)?([0-9a-f]{1,16})-(?:0x)?([0-9a-f]{1,16})$/i.exec(text);
  if (match === null) {
    throw new InvalidValueError(text, `"${text}" isn't a range of addresses`, {
      advice: "write it as FIRST-LAST in hexadecimal, both included: 0xfebc0000-0xfebdffff",
    });
  }
  const range = { first: BigInt(`0x${match[1]}`), last: BigInt(`0x${match[2]}`) };
  if (range.last < range.first) throw new InvalidValueError(text, `the range ${text} ends before it begins`);
  if (range.last >> physicalBits !== 0n) {
    throw new InvalidValueError(text, `the range ${text} goes beyond what x86-64 has of physical addresses (52 bits)`);
  }
  return range;
}

/** Returns the physical ranges of a function's memory BARs and expansion ROM, except a ROM that is a copy in RAM. */
export function memoryRanges(pciFunction: PciFunction): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const bar of pciFunction.bars) {
    const flags = BigInt(bar.flags);
    const range = barRange(bar);
    const shadow = bar.index === romIndex && (flags & resourceFlag.romShadow) !== 0n;
    if ((flags & resourceFlag.memory) === 0n || shadow || range.first === 0n) continue;
    ranges.push(range);
  }
  return ranges;
}

function knownDevice(text: string, sysfs: SysfsRoot): string {
  const address = fullPciAddress(text);
  if (address === undefined) {
    throw new InvalidValueError(text, `"${text}" isn't the address of a PCI device`, {
      advice: "write it as lspci does: 0000:00:04.0, or 00:04.0",
    });
  }
  if (!listPciFunctions(sysfs).includes(address)) {
    throw new UserError(`there is no PCI device ${address}`, { advice: "`lspci -D` lists those that there are" });
  }
  return address;
}

// Finds mappings of the recorded device memory that were made before recording began, in other ways than ioremap(): those of
// processes, and the kernel's own whose addresses it doesn't tell. mapping-check.ts has those by ioremap().
import { readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { type AddressRange, formatRange, rangesOverlap } from "../base/address-range.js";
import { hex } from "../base/hex.js";
import { readKernelFile } from "../machine/kernel-files.js";
import { canonicalModuleName } from "../machine/kernel-modules.js";
import { defaultSysfs, type SysfsRoot } from "../machine/pci.js";
import { openFilesOf, type ProcessMapping, readProcessMappings, vfioFile } from "../machine/process-mappings.js";
import { parseAddressless } from "../machine/vmallocinfo.js";
import type { PciFunction } from "../trace/header.js";
import { memoryRanges } from "./recording-scope.js";

const page_bytes = 4096n;
/** VFIO's offsets have the region's number above so many bits; regions 0 to 6 are the BARs and the ROM. */
const vfioRegionBits = 40n;

/** The part of memory that a recording is about. */
export interface WantedMemory {
  ranges: readonly AddressRange[] | "all";
  leftOut: readonly AddressRange[];
  excludeWriteCombining: boolean;
}

/** The places where the kernel tells about itself; tests have their own. */
export interface EarlySources {
  proc: string;
  sysfs: SysfsRoot;
}

const running: EarlySources = { proc: "/proc", sysfs: defaultSysfs };

/** The memory behind a process's mapping. Without `range` it is only known to be of these functions. */
interface Behind {
  range: AddressRange | undefined;
  functions: readonly PciFunction[];
}

/**
 * Returns a sentence's beginning for each such mapping: "the mapping … was made before recording began". `functions`: all of the
 * machine.
 */
export function findEarlyMappings(
  wanted: WantedMemory,
  functions: readonly PciFunction[],
  sources: EarlySources = running,
): string[] {
  const selected = functions.filter((found) => memoryRanges(found).some((range) => isWanted(range, wanted)));
  return [...ofProcesses(wanted, functions, selected, sources), ...ofKernel(selected, sources)];
}

function isWanted(range: AddressRange, { ranges, leftOut }: WantedMemory): boolean {
  if (leftOut.some((left) => rangesOverlap(left, range))) return false;
  return ranges === "all" || ranges.some((one) => rangesOverlap(one, range));
}

function ofProcesses(
  wanted: WantedMemory,
  functions: readonly PciFunction[],
  selected: readonly PciFunction[],
  sources: EarlySources,
): string[] {
  const told = new Set<string>();
  for (const mapping of readProcessMappings(sources.proc)) {
    const behind = behindMapping(mapping, functions, sources);
    const by = `${mapping.path} by process ${mapping.pid} (${mapping.program})`;
    if (behind?.range !== undefined) {
      if (wanted.excludeWriteCombining && mapping.path.endsWith("_wc")) continue;
      if (isWanted(behind.range, wanted)) told.add(`the mapping ${formatRange(behind.range)} of ${by} was made`);
      continue;
    }
    const touched = behind?.functions.filter(({ address }) => selected.some((one) => one.address === address)) ?? [];
    for (const { address } of touched) told.add(`a mapping of ${by}, which may be of ${address}'s memory, was made`);
  }
  return [...told].map((text) => `${text} before recording began`);
}

function behindMapping(
  mapping: ProcessMapping,
  functions: readonly PciFunction[],
  sources: EarlySources,
): Behind | undefined {
  const { path, offset, length_bytes, characterDevice } = mapping;
  const bar = /\/([0-9a-f:]+\.[0-7])\/resource([0-6])(?:_wc)?$/.exec(path);
  if (bar !== null) {
    const found = functions.filter(({ address }) => address === bar[1]);
    return { range: partOfBar(found[0], Number(bar[2]), offset, length_bytes), functions: found };
  }
  if (path === vfioFile) return behindVfio(mapping, functions, sources);
  if (path === "/dev/mem") return { range: { first: offset, last: offset + length_bytes - 1n }, functions: [] };
  if (characterDevice === undefined) return undefined;
  return behindDevice(characterDevice, mapping, functions, sources);
}

/** The kernel's list has an offset in the BAR, or the address itself: sysfs and, up to 6.9, VFIO put that in its place. */
function partOfBar(
  found: PciFunction | undefined,
  index: number,
  offset: bigint,
  length_bytes: bigint,
): AddressRange | undefined {
  const bar = found?.bars.find((one) => one.index === index);
  if (bar === undefined) return undefined;
  const start = BigInt(bar.start);
  const first = offset >= start && offset < start + BigInt(bar.length_bytes) ? offset : start + offset;
  return { first, last: first + length_bytes - 1n };
}

/** A process has the devices of all groups that it has open; a mapping doesn't tell of which one it is. */
function behindVfio(mapping: ProcessMapping, functions: readonly PciFunction[], sources: EarlySources): Behind {
  const addresses = openFilesOf(mapping.pid, sources.proc).flatMap((file) => {
    const group = /^\/dev\/vfio\/(\d+)$/.exec(file)?.[1];
    if (group !== undefined) return namesIn(join(sources.sysfs, "kernel/iommu_groups", group, "devices"));
    const device = /^\/dev\/vfio\/devices\/(vfio\d+)$/.exec(file)?.[1];
    return device === undefined ? [] : pathParts(join(sources.sysfs, "class/vfio-dev", device));
  });
  const owned = functions.filter(({ address }) => addresses.includes(address));
  const ranges = owned.flatMap((found) => behindVfioOffset(found, mapping) ?? []);
  return { range: ranges.length === 1 ? ranges[0] : undefined, functions: owned };
}

function behindVfioOffset(found: PciFunction, { offset, length_bytes }: ProcessMapping): AddressRange | undefined {
  const absolute = found.bars.find(
    ({ start, length_bytes: length }) => offset >= BigInt(start) && offset < BigInt(start) + BigInt(length),
  );
  if (absolute !== undefined) return { first: offset, last: offset + length_bytes - 1n };
  return partOfBar(
    found,
    Number(offset >> vfioRegionBits),
    BigInt.asUintN(Number(vfioRegionBits), offset),
    length_bytes,
  );
}

/** A node in /dev: sysfs knows the device that it is of, and of UIO's also the addresses. */
function behindDevice(
  numbers: string,
  { offset, length_bytes }: ProcessMapping,
  functions: readonly PciFunction[],
  { sysfs }: EarlySources,
): Behind {
  const node = join(sysfs, "dev/char", numbers);
  const parts = pathParts(node);
  const owners = functions.filter(({ address }) => parts.includes(address));
  const uio = readKernelFile(join(node, "maps", `map${offset / page_bytes}`, "addr"))?.trim();
  if (uio === undefined || !/^0x[0-9a-f]+$/i.test(uio)) return { range: undefined, functions: owners };
  return { range: { first: BigInt(uio), last: BigInt(uio) + length_bytes - 1n }, functions: owners };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Returns the names in a link's real path: a device's has all the devices above it. */
function pathParts(link: string): string[] {
  try {
    return realpathSync(link).split("/");
  } catch {
    return [];
  }
}

/** Mappings by vmap_pfn(): the kernel's list has their callers, but no addresses. Those of the recorded devices' drivers count. */
function ofKernel(selected: readonly PciFunction[], { proc }: EarlySources): string[] {
  const drivers = new Set(selected.flatMap(({ driver }) => (driver === null ? [] : [canonicalModuleName(driver)])));
  return parseAddressless(readKernelFile(join(proc, "vmallocinfo")) ?? "")
    .filter(({ caller }) => drivers.has(canonicalModuleName(/\[([^\]]+)\]$/.exec(caller)?.[1] ?? "")))
    .map(
      ({ caller, length_bytes }) =>
        `a mapping of ${hex(length_bytes)} bytes by ${caller}, whose addresses the kernel doesn't tell, was made before recording began`,
    );
}

// Collects a trace's accesses, to compare traces: place, direction, value, in order. An immediately repeated read is one entry,
// since the number of a driver's polls is chance. sequence-pairs.ts decides how the accesses of two traces are compared.

import type { TimeDigits } from "../../base/units.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { isLacking, type PciFunction, resourceFlag, timeDigitsOf } from "../../trace/header.js";
import type { TraceState } from "../../trace/state.js";
import type { AccessRegisters } from "../view/access-registers.js";
import type { Selection } from "../view/range.js";
import { selectedViews } from "../view/selection.js";

/** A range that was mapped; mappings that overlap are one area. */
export interface MappedArea {
  /** Physical address. */
  readonly address: bigint;
  readonly length_bytes: bigint;
}

/** An access's place in a device. */
export interface BarPlace {
  /** PCI address of its function. */
  readonly device: string;
  readonly bar: number;
  /** In bytes from the BAR's start. */
  readonly offset: bigint;
}

/** An access, or a read that was repeated at once, with everything that it may be compared by. */
export interface CollectedAccess {
  readonly kind: "read" | "write";
  readonly width_bytes: number;
  /** Physical address. */
  readonly address: bigint;
  /** Undefined where the trace knows no device there. */
  readonly place: BarPlace | undefined;
  /** The mapped area that covers it, at whatever time it was mapped; undefined where the trace knows none. */
  area: MappedArea | undefined;
  /** The register's name in a database. */
  readonly name: string | undefined;
  /** The site's symbol or address, or "". */
  readonly site: string;
  /** Number of its event in the trace, or of its first event. */
  readonly event: number;
  /** Seconds since recording began; null where a log of another format has no time. */
  readonly time_s: number | null;
  /** The value; for a repeated read, the last one. */
  value: bigint;
  /** Number of reads in this entry. */
  count: number;
}

/** A PCI function that a trace knows. */
export interface KnownDevice {
  /** PCI address. */
  readonly device: string;
  driver: string | null;
  readonly vendor: string;
  readonly deviceId: string;
  /** Numbers of its memory BARs. */
  readonly bars: readonly number[];
}

/** A trace's accesses, and the devices and mappings that it knows. */
export interface CollectedAccesses {
  /** The trace's name in messages. */
  readonly name: string;
  readonly accesses: readonly CollectedAccess[];
  /** By PCI address, those with accesses first, in the order of first access. */
  readonly devices: ReadonlyMap<string, KnownDevice>;
  /** PCI addresses of the functions with accesses. */
  readonly accessed: ReadonlySet<string>;
  /** In the order of their mapping, as far as that is known. */
  readonly areas: readonly MappedArea[];
  /** The physical addresses have no meaning: the trace comes from a log without them. */
  readonly madeUpAddresses: boolean;
  /** Digits behind the point of its times in seconds. */
  readonly timeDigits: TimeDigits;
}

/** Collects all selected accesses. Throws FormatError. */
export async function collectDiffAccesses(
  reader: TraceReader,
  registers: AccessRegisters,
  selection: Selection,
  progress: (events: number) => void = () => {},
): Promise<CollectedAccesses> {
  const accesses: CollectedAccess[] = [];
  const devices = new Map<string, KnownDevice>();
  const areas = new Areas();
  for await (const { block, state, views } of selectedViews(reader, registers, selection)) {
    areas.learn(state);
    for (const view of views) {
      const { access, place } = view;
      if (access === undefined) continue;
      const { kind, width_bytes, address, value } = access;
      if (place !== undefined) learnDevice(devices, place.function);
      if (!areas.hasHeardOf(access.mapping)) areas.learn(state);
      const last = accesses.at(-1);
      if (kind === "read" && last?.kind === "read" && last.address === address && last.width_bytes === width_bytes) {
        last.count += 1;
        last.value = value;
        continue;
      }
      accesses.push({
        kind,
        width_bytes,
        address,
        place: place && { device: place.function.address, bar: place.bar, offset: place.offset },
        area: undefined,
        name: view.register?.name,
        site: view.siteAndCaller,
        event: access.number,
        time_s: access.tsc === 0n ? null : view.time_s,
        value,
        count: 1,
      });
    }
    areas.learn(state);
    progress(block.firstEvent + block.events);
  }
  const accessed = new Set(devices.keys());
  const updates = reader.updates.flatMap(({ update }) => update.pciFunctions ?? []);
  for (const found of [...reader.header.pciFunctions, ...updates]) learnDevice(devices, found);
  const known = areas.joined();
  for (const access of accesses) access.area = areaOf(known, access.address);
  const madeUpAddresses = isLacking(reader.header, "address");
  const timeDigits = timeDigitsOf(reader.header);
  return { name: reader.source.name, accesses, devices, accessed, areas: known.inOrder, madeUpAddresses, timeDigits };
}

function learnDevice(devices: Map<string, KnownDevice>, found: PciFunction): void {
  const known = devices.get(found.address);
  if (known !== undefined) {
    known.driver ??= found.driver;
    return;
  }
  const isMemory = (bar: PciFunction["bars"][number]) =>
    (BigInt(bar.flags) & resourceFlag.memory) !== 0n && BigInt(bar.length_bytes) > 0n;
  devices.set(found.address, {
    device: found.address,
    driver: found.driver,
    vendor: found.vendor,
    deviceId: found.device,
    bars: found.bars.filter(isMemory).map(({ index }) => index),
  });
}

interface KnownAreas {
  /** In the order of their mapping. */
  inOrder: MappedArea[];
  byAddress: MappedArea[];
}

/** Collects the ranges of mappings. */
class Areas {
  private readonly heard = new Set<number>();
  private readonly ranges = new Map<string, MappedArea>();

  hasHeardOf(mapping: number): boolean {
    return this.heard.has(mapping);
  }

  /** Takes the ranges of all living mappings, accessed or not: their order is compared. */
  learn(state: TraceState): void {
    for (const { id, address, length_bytes } of state.mappings.values()) {
      this.heard.add(id);
      if (length_bytes > 0n) this.ranges.set(`${address} ${length_bytes}`, { address, length_bytes });
    }
  }

  /** Joins ranges that overlap. */
  joined(): KnownAreas {
    const places = new Map([...this.ranges.values()].map((range, place) => [range, place]));
    const sorted = [...places.keys()].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    const found: { area: MappedArea; place: number }[] = [];
    for (const range of sorted) {
      const last = found.at(-1);
      const place = places.get(range)!;
      if (last === undefined || endOf(last.area) <= range.address) {
        found.push({ area: range, place });
        continue;
      }
      last.place = Math.min(last.place, place);
      if (endOf(range) <= endOf(last.area)) continue;
      const { address } = last.area;
      last.area = { address, length_bytes: endOf(range) - address };
    }
    const byAddress = found.map(({ area }) => area);
    const inOrder = found.sort((a, b) => a.place - b.place).map(({ area }) => area);
    return { inOrder, byAddress };
  }
}

function endOf({ address, length_bytes }: MappedArea): bigint {
  return address + length_bytes;
}

function areaOf({ byAddress }: KnownAreas, address: bigint): MappedArea | undefined {
  let low = 0;
  let high = byAddress.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(byAddress[middle]!) <= address) low = middle + 1;
    else high = middle;
  }
  const found = byAddress[low];
  return found !== undefined && found.address <= address ? found : undefined;
}

// The state at one point of a trace: the living mappings, the sites' symbols, the PCI functions. Takes the trace's events
// and updates in order; finds the meaning of an address or a site.
import type { AddressRange } from "../base/address-range.js";
import { assertUnreachable } from "../base/assert.js";
import { ByTarget } from "./by-target.js";
import { DmaBuffers, type DmaPlace } from "./dma.js";
import type { AccessEvent, TraceEvent } from "./events.js";
import {
  type Bar,
  barRange,
  configurationIndex,
  type PciFunction,
  resourceFlag,
  type TraceHeader,
  type TraceUpdate,
} from "./header.js";
import type { MemoryType } from "./record.js";
import { type AddressSpace, configuration_bytes, configurationOf, inSpace } from "./space.js";

export interface LivingMapping {
  id: number;
  /** As in a record: space.ts. */
  address: bigint;
  length_bytes: bigint;
  decoy: bigint;
  memoryType: MemoryType;
  site: bigint;
}

/** The place of an address in a device. */
export interface DevicePlace {
  function: PciFunction;
  /** 0 to 5; 6 for the expansion ROM, 7 for the configuration space. */
  bar: number;
  offset: bigint;
}

interface BarRange {
  first: bigint;
  last: bigint;
  bar: number;
  function: PciFunction;
}

/** Returns the space that a BAR's addresses are in; undefined if its flags don't tell. */
function barSpace({ flags }: Bar): AddressSpace | undefined {
  if ((BigInt(flags) & resourceFlag.memory) !== 0n) return "memory";
  return (BigInt(flags) & resourceFlag.port) === 0n ? undefined : "ports";
}

function rangeInRecords(bar: Bar): AddressRange {
  const { first, last } = barRange(bar);
  const space = barSpace(bar) ?? "memory";
  return { first: inSpace(space, first), last: inSpace(space, last) };
}

/** Returns the function's configuration space; nothing where a log's device has no address in the machine. */
function configurationRange(found: PciFunction): BarRange[] {
  const first = configurationOf(found.address);
  if (first === undefined) return [];
  return [{ first, last: first + configuration_bytes - 1n, bar: configurationIndex, function: found }];
}

export class TraceState {
  readonly mappings = new Map<number, LivingMapping>();
  readonly dma = new DmaBuffers();
  private readonly symbols = new Map<bigint, string>();
  private functions: PciFunction[] = [];
  private ranges: BarRange[] = [];
  private lastRange: BarRange | undefined;
  /** Places by the target of accesses; null for targets in no BAR. */
  private readonly places = new ByTarget<DevicePlace | null>();
  private renamed = 0;
  private namelessAsked = false;

  constructor(header?: TraceHeader) {
    if (header !== undefined) this.update({ pciFunctions: header.pciFunctions });
  }

  /** Returns the PCI function at this address: `0000:00:04.0`; undefined if it isn't known. */
  functionAt(address: string): PciFunction | undefined {
    return this.functions.find((found) => found.address === address);
  }

  get pciFunctions(): readonly PciFunction[] {
    return this.functions;
  }

  /** Takes an update: its functions replace those of the same address; others stay. */
  update(update: TraceUpdate): void {
    if (update.pciFunctions === undefined) return;
    const byAddress = new Map(this.functions.map((found) => [found.address, found]));
    for (const found of update.pciFunctions) byAddress.set(found.address, found);
    this.functions = [...byAddress.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    this.ranges = this.functions.flatMap((found) => [
      ...found.bars
        .filter((bar) => barSpace(bar) !== undefined)
        .map((bar) => ({ ...rangeInRecords(bar), bar: bar.index, function: found })),
      ...configurationRange(found),
    ]);
    this.lastRange = undefined;
    this.places.clear();
  }

  /** Takes an event's changes. Accesses change nothing. */
  apply(event: TraceEvent): void {
    switch (event.kind) {
      case "map":
        this.mappings.set(event.mapping, {
          id: event.mapping,
          address: event.address,
          length_bytes: event.length_bytes,
          decoy: event.decoy,
          memoryType: event.memoryType,
          site: event.site,
        });
        break;
      case "unmap":
        this.mappings.delete(event.mapping);
        break;
      case "dma-map":
        this.dma.map(event);
        break;
      case "dma-unmap":
        this.dma.unmap(event);
        break;
      case "symbol":
        this.nameSite(event.site, event.text);
        break;
      case "read":
      case "write":
      case "mark":
      case "lost":
      case "escape":
      case "module":
      case "unrecorded":
      case "interrupt":
      case "unknown":
        break;
      default:
        assertUnreachable(event);
    }
  }

  /** Sets a site's symbol from here on. */
  nameSite(site: bigint, text: string): void {
    const before = this.symbols.get(site);
    if (before === text) return;
    // A change matters only if somebody has asked for the site before.
    if (before !== undefined || this.namelessAsked) this.renamed += 1;
    this.symbols.set(site, text);
  }

  /** Returns the kernel's symbol for `site` at this point: `function+0x12/0x3f0 [module]`; undefined if unknown. */
  symbolOf(site: bigint): string | undefined {
    const text = this.symbols.get(site);
    if (text === undefined) this.namelessAsked = true;
    return text;
  }

  /** Changes when an answer of symbolOf() may have changed: results made from older answers may be wrong then. */
  get symbolsVersion(): number {
    return this.renamed;
  }

  /** Does the same as placeOf() for the access's address. */
  placeOfAccess({ address, target }: AccessEvent): DevicePlace | undefined {
    let place = this.places.get(target);
    if (place === undefined) {
      place = this.placeOf(address) ?? null;
      this.places.set(target, place);
    }
    return place ?? undefined;
  }

  /** Returns the living DMA buffer of the accessed function that the value is an address in, as far as numbers tell; or undefined. */
  dmaPlaceOf(event: AccessEvent): DmaPlace | undefined {
    if (this.dma.size === 0) return undefined;
    const place = this.placeOfAccess(event);
    return place && this.dma.placeOf(place.function.address, event.value, event.width_bytes);
  }

  /** Returns the PCI function, BAR and offset of an address as records have it (space.ts); undefined if it is in no BAR. */
  placeOf(address: bigint): DevicePlace | undefined {
    let range = this.lastRange;
    if (range === undefined || address < range.first || address > range.last) {
      range = this.ranges.find((candidate) => candidate.first <= address && address <= candidate.last);
      if (range === undefined) return undefined;
      this.lastRange = range;
    }
    return { function: range.function, bar: range.bar, offset: address - range.first };
  }
}

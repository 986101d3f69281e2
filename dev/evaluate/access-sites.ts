// A trace's accesses to memory, counted by the place in the code that made them: who makes them, the driver's own module, a library
// module, or a function of the kernel's.
import { isMemoryBar } from "../../src/capture/recording-scope.js";
import type { AccessEvent } from "../../src/trace/events.js";
import type { TraceReader } from "../../src/trace/file/reader.js";
import { RecordFlag } from "../../src/trace/record.js";
import { spaceOf } from "../../src/trace/space.js";
import type { TraceState } from "../../src/trace/state.js";
import { symbolPlace } from "../../src/trace/symbol-place.js";

/** `registers`: all BARs but large prefetchable ones, which `--exclude-memory` would leave out, too. */
export type Target = "registers" | "video memory";

/** All accesses by one instruction that are alike. */
export interface SiteCount {
  /** `ioread8+0x31/0x40`, `e1000_intr+0x12/0x200 [e1000]`; undefined if none was recorded. */
  symbol: string | undefined;
  /** The instruction's address in that machine; 0 for none. */
  address: bigint;
  kind: AccessEvent["kind"];
  width_bytes: number;
  isString: boolean;
  target: Target;
  accesses: number;
}

export interface CountedTrace {
  sites: SiteCount[];
  /** Accesses to ports and to configuration space, which no instruction with an operand in memory makes. */
  elsewhere: number;
}

/** Counts a trace's accesses. */
export async function countSites(reader: TraceReader): Promise<CountedTrace> {
  const counts = new Map<string, SiteCount>();
  let elsewhere = 0;
  for await (const { events, state } of reader.batches()) {
    // a block's accesses with the same target are alike in all that is counted here; until a symbol changes
    let known = new Map<number, SiteCount | "elsewhere">();
    let version = state.symbolsVersion;
    for (const event of events) {
      if (event.kind !== "read" && event.kind !== "write") continue;
      if (state.symbolsVersion !== version) {
        known = new Map();
        version = state.symbolsVersion;
      }
      const count = (event.target < 0 ? undefined : known.get(event.target)) ?? countOf(event, state, counts);
      if (event.target >= 0) known.set(event.target, count);
      if (count === "elsewhere") elsewhere += 1;
      else count.accesses += 1;
    }
  }
  return { sites: [...counts.values()], elsewhere };
}

function countOf(event: AccessEvent, state: TraceState, counts: Map<string, SiteCount>): SiteCount | "elsewhere" {
  if (spaceOf(event.address) !== "memory") return "elsewhere";
  const { site, kind, width_bytes } = event;
  const symbol = site === 0n ? undefined : state.symbolOf(site);
  const isString = (event.flags & RecordFlag.string) !== 0;
  const place = state.placeOfAccess(event);
  const bar = place?.function.bars.find(({ index }) => index === place.bar);
  const target: Target = bar !== undefined && isMemoryBar(bar) ? "video memory" : "registers";
  const key = [site, symbol, kind, width_bytes, isString, target].join(" ");
  const found = counts.get(key) ?? { symbol, address: site, kind, width_bytes, isString, target, accesses: 0 };
  counts.set(key, found);
  return found;
}

/** A driver's accesses to memory by the code that made them. */
export interface Makers {
  accesses: number;
  /** By the driver's own module. */
  driver: number;
  /** By other modules, by their names. */
  libraries: Record<string, number>;
  /** By the kernel's own functions, by their names. */
  kernel: Record<string, number>;
  /** Without a symbol. */
  unknown: number;
}

/** Sorts the accesses to one target by their makers. `driver`: the driver's own module, as the kernel names it. */
export function makersOf(sites: readonly SiteCount[], driver: string, target: Target): Makers {
  const makers: Makers = { accesses: 0, driver: 0, libraries: {}, kernel: {}, unknown: 0 };
  const add = (to: Record<string, number>, name: string, accesses: number) => {
    to[name] = (to[name] ?? 0) + accesses;
  };
  for (const { symbol, accesses, target: other } of sites) {
    if (other !== target) continue;
    makers.accesses += accesses;
    const place = symbolPlace(symbol);
    if (place === undefined) makers.unknown += accesses;
    else if (place.module === driver) makers.driver += accesses;
    else if (place.module !== undefined) add(makers.libraries, place.module, accesses);
    else add(makers.kernel, place.name, accesses);
  }
  return makers;
}

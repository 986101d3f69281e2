// Places that an import made up, because the log has none: addresses of VFIO's devices, and of rwmmio's sites. Each log numbers its own from
// the first on, so that the same number means different things in two logs. In a merged trace each device, and each site's name, has one.
import { UserError } from "../../base/errors.js";
import { hex } from "../../base/hex.js";
import type { TraceEvent } from "../../trace/events.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { isLacking, type PciFunction, rwmmioProducer } from "../../trace/header.js";
import { madeUpAddress, madeUpDevice, madeUpDevicesMax } from "../../trace/made-up-addresses.js";
import { callerAddress } from "../../trace/record.js";
import type { TraceState } from "../../trace/state.js";

/** Returns true for a trace with made-up addresses of devices. */
export function hasMadeUpDevices({ header }: TraceReader): boolean {
  return header.engine === "import" && isLacking(header, "address");
}

/** The devices of all traces whose addresses are made up. */
export class MadeUpDevices {
  /** By PCI address, in the order of their numbers. */
  private readonly known = new Map<string, PciFunction>();

  /** Takes a trace's devices as they are at its end. Returns their numbers in the new trace by those in their own. Throws UserError. */
  take(functions: readonly PciFunction[]): ReadonlyMap<number, number> {
    const numbers = new Map<number, number>();
    for (const found of functions) {
      const before = this.known.get(found.address);
      const number = before === undefined ? this.known.size : [...this.known.keys()].indexOf(found.address);
      if (number >= madeUpDevicesMax) throw new UserError(`merging failed: more than ${madeUpDevicesMax} devices`);
      for (const { start } of found.bars) numbers.set(madeUpDevice(BigInt(start))!, number);
      this.known.set(found.address, joined(before, found, number));
    }
    return numbers;
  }

  get functions(): PciFunction[] {
    return [...this.known.values()];
  }
}

/** Joins two logs' facts of one device: the ids of one that has them, and the greatest lengths. */
function joined(before: PciFunction | undefined, found: PciFunction, number: number): PciFunction {
  const ids = before !== undefined && BigInt(before.vendor) !== 0n ? before : found;
  const bars = new Map(before?.bars.map((bar) => [bar.index, bar]));
  for (const bar of found.bars) {
    const other = bars.get(bar.index);
    const isLonger = other === undefined || BigInt(other.length_bytes) < BigInt(bar.length_bytes);
    const start = hex(madeUpAddress(number, BigInt(bar.start)));
    bars.set(bar.index, { ...bar, start, length_bytes: isLonger ? bar.length_bytes : other.length_bytes });
  }
  return { ...found, vendor: ids.vendor, device: ids.device, bars: [...bars.values()] };
}

/** Returns the event with its address in the new trace; `numbers`: see MadeUpDevices. */
export function renumberedDevice<T extends TraceEvent>(event: T, numbers: ReadonlyMap<number, number>): T {
  if (!("address" in event)) return event;
  const own = madeUpDevice(event.address);
  const number = own === undefined ? undefined : numbers.get(own);
  return number === undefined ? event : { ...event, address: madeUpAddress(number, event.address) };
}

/** Returns true for a trace with made-up addresses of sites. */
export function hasMadeUpSites({ header }: TraceReader): boolean {
  return header.producer.includes(rwmmioProducer);
}

/** The sites of all traces whose sites are made up. */
export class MadeUpSites {
  private readonly sites = new Map<string, bigint>();
  private readonly texts = new Map<bigint, string>();

  /** Returns the event with its sites in the new trace; `state`: its own trace's. */
  renumbered<T extends TraceEvent>(event: T, state: TraceState): T {
    if (event.kind !== "read" && event.kind !== "write") return event;
    return { ...event, site: this.siteOf(event.site, state), caller: this.siteOf(event.caller, state) };
  }

  private siteOf(own: bigint, state: TraceState): bigint {
    const text = own === 0n ? undefined : state.symbolOf(own);
    if (text === undefined) return own;
    let site = this.sites.get(text);
    if (site === undefined) {
      site = callerAddress(this.sites.size + 1);
      this.sites.set(text, site);
      this.texts.set(site, text);
    }
    return site;
  }

  symbolOf(site: bigint): string | undefined {
    return this.texts.get(site);
  }
}

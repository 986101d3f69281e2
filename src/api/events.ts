// The library's events: plain frozen, self-contained objects, which stay unchanged when the next event comes. Made of the rooms' own
// events and of the trace's state at each.
import type { RegisterAccess } from "../analysis/view/access-registers.js";
import type { EventView } from "../analysis/view/event-view.js";
import { assertUnreachable } from "../base/assert.js";
import type { FieldValue } from "../registers/field-values.js";
import type { DmaDirection, DmaWay } from "../trace/dma-kinds.js";
import type { AccessEvent as RoomAccess } from "../trace/events.js";
import { type Context, type FlagName, flagNamesOf } from "../trace/flags.js";
import { barName } from "../trace/header.js";
import type { MemoryType } from "../trace/record.js";
import { type AddressSpace, spaceOf, withinSpace } from "../trace/space.js";
import type { DevicePlace } from "../trace/state.js";
import type { UnrecordedWay } from "../trace/unrecorded.js";

/** The place of a physical address among the PCI functions' memory BARs. */
export interface Place {
  /** PCI address: `0000:00:04.0` */
  readonly device: string;
  /** The driver that is bound there, or null. */
  readonly driver: string | null;
  /** 0 to 5, or 6 for the expansion ROM. */
  readonly bar: number;
  /** In bytes from the BAR's start. */
  readonly offset: bigint;
}

/** An instruction that made an access, or called ioremap(). */
export interface Site {
  readonly address: bigint;
  /** `e1000_reset_hw+0x12 [e1000]`, or null where it isn't known. */
  readonly symbol: string | null;
  /** `e1000_reset_hw`, or null. */
  readonly function: string | null;
  /** `e1000`, or `kernel` for the kernel's own text; null where there is no symbol. */
  readonly module: string | null;
}

/** Fields of all events. */
export interface EventBase {
  /** Place among the trace's events, counted from 0. Symbols are counted, too, but left out, so numbers have gaps. */
  readonly number: number;
  /**
   * Seconds since recording began, in mmiotrace's and rwmmio logs since boot; null if a log of another format has no time for the
   * event.
   */
  readonly time_s: number | null;
  /** The CPU's time stamp counter; `header.clock` ties it to the wall clock. 0 if `time_s` is null. */
  readonly tsc: bigint;
  /** Null, as `pid` and `context`, if the log has none (`header.lacks`), and where losses are of many CPUs and processes. */
  readonly cpu: number | null;
  /** The process that ran on the CPU. */
  readonly pid: number | null;
  readonly context: Context | null;
  readonly flags: readonly FlagName[];
}

/** A load or a store that reached the device. */
export interface AccessEvent extends EventBase {
  readonly kind: "read" | "write";
  /** Physical, a port's number, or a place in configuration space: see `space`. */
  readonly address: bigint;
  readonly space: AddressSpace;
  readonly width_bytes: number;
  /** Unsigned, `width_bytes` long. */
  readonly value: bigint;
  /** Null where the address lies in no memory BAR. */
  readonly place: Place | null;
  /** `STATUS`, several joined by commas where the access covers several; null where no register database knows one. */
  readonly register: string | null;
  /** The value in words, `FD | LU | SPEED=1000MB_S`; null where there is nothing to add to the number. */
  readonly meaning: string | null;
  /** The register's fields with their values, the lowest first. Only where they were asked for (`Selection.fields`). */
  readonly fields?: readonly FieldValue[];
  /** Null where none was recorded. */
  readonly site: Site | null;
  /** The place in the driver from which the site was called, if that lies outside of the driver, as ioread32() does; else null. */
  readonly caller: Site | null;
  /** The mapping's number, as in its `map` event. */
  readonly mapping: number;
  /** The place in a living DMA buffer of the device that the value is the address of, as far as numbers tell; else null. */
  readonly dma: DmaPlace | null;
}

/** A driver mapped device memory. */
export interface MapEvent extends EventBase {
  readonly kind: "map";
  readonly mapping: number;
  /** As an access's. */
  readonly address: bigint;
  readonly space: AddressSpace;
  readonly length_bytes: bigint;
  /** The address that the driver got instead of the real one. */
  readonly decoy: bigint;
  readonly memoryType: MemoryType;
  readonly place: Place | null;
  readonly site: Site | null;
}

/** A driver unmapped device memory. */
export interface UnmapEvent extends EventBase {
  readonly kind: "unmap";
  readonly mapping: number;
  readonly address: bigint;
  readonly length_bytes: bigint;
  readonly decoy: bigint;
  readonly place: Place | null;
}

/** A marker that somebody set. */
export interface MarkEvent extends EventBase {
  readonly kind: "mark";
  /** Bytes that aren't UTF-8 are U+FFFD. */
  readonly text: string;
}

/** Records were lost here; with the flag `gone`, in a damaged part of the trace. */
export interface LostEvent extends EventBase {
  readonly kind: "lost";
  /** Records that were dropped; 0 if a log doesn't say how many. */
  readonly count: number;
}

/** An instruction accessed the device without emulation: its accesses are not in the trace. */
export interface EscapeEvent extends EventBase {
  readonly kind: "escape";
  /** As an access's. */
  readonly address: bigint;
  readonly space: AddressSpace;
  readonly mapping: number;
  readonly place: Place | null;
  readonly site: Site | null;
  /** As an access's. */
  readonly caller: Site | null;
  /** The instruction's first bytes, 15 at most, as hexadecimal digits: `62f1fe48` */
  readonly instruction: string;
}

/** A kernel module came or went. */
export interface ModuleEvent extends EventBase {
  readonly kind: "module";
  readonly name: string;
  readonly textAddress: bigint;
  readonly text_bytes: number;
  /** It went. */
  readonly gone: boolean;
}

/**
 * Device memory was mapped without a decoy, in the kernel or for a process: accesses through the mapping are not in the trace. One
 * event may stand for several mappings by the same caller.
 */
export interface UnrecordedEvent extends EventBase {
  readonly kind: "unrecorded";
  /** Physical; with several calls the first of all. */
  readonly address: bigint;
  /** With several calls up to the end of the last, with gaps. */
  readonly length_bytes: bigint;
  /** The kernel's function. */
  readonly way: UnrecordedWay;
  /** Mappings that the event stands for. */
  readonly calls: number;
  readonly place: Place | null;
  /** The caller of that function. */
  readonly site: Site | null;
}

/** A handler of a PCI function's interrupt begins, or has returned. With the flag `thread` it is the one in the interrupt's thread. */
export interface InterruptEvent extends EventBase {
  readonly kind: "interrupt";
  readonly phase: "entry" | "exit";
  /** The PCI function's address: `0000:00:04.0` */
  readonly device: string;
  /** Linux's number of the interrupt. */
  readonly irq: number;
  /** The CPU's vector; null if the interrupt has none. */
  readonly vector: number | null;
  /** At the exit: the handler says that its device had raised the interrupt. False at the entry. */
  readonly handled: boolean;
  /** At the exit: the handler's thread is to go on. False at the entry. */
  readonly wakesThread: boolean;
  /** The handler. */
  readonly site: Site | null;
}

/** Fields of both DMA events. */
export interface DmaEventBase extends EventBase {
  /** The PCI function's address: `0000:00:04.0` */
  readonly device: string;
  /** The address on the bus, which the device uses. */
  readonly bus: bigint;
  readonly length_bytes: bigint;
  readonly way: DmaWay;
  readonly direction: DmaDirection;
  /** The caller of the kernel's function. */
  readonly site: Site | null;
  /** As an access's. */
  readonly caller: Site | null;
}

/** A PCI function was given memory for direct access. */
export interface DmaMapEvent extends DmaEventBase {
  readonly kind: "dma-map";
  /** The buffer's number in the trace, from 1 on: `dma#1` in `report`. */
  readonly buffer: number;
  /** Null if it isn't known. */
  readonly physical: bigint | null;
}

/** Memory is about to be taken back from a PCI function. */
export interface DmaUnmapEvent extends DmaEventBase {
  readonly kind: "dma-unmap";
  /** The numbers of the buffers that end; none for memory that was given before the recording. */
  readonly buffers: readonly number[];
}

/** A place in a DMA buffer that is alive at an event. */
export interface DmaPlace {
  /** The buffer's number: `dma-map` events have it. */
  readonly buffer: number;
  /** In bytes. */
  readonly offset: number;
}

/** A record of a kind that this version doesn't know. */
export interface UnknownEvent extends EventBase {
  readonly kind: "unknown";
  readonly recordKind: number;
  /** Its 64 bytes, as hexadecimal digits. */
  readonly record: string;
}

/** Any event in a trace. `kind` tells its type. */
export type TraceEvent =
  | AccessEvent
  | MapEvent
  | UnmapEvent
  | MarkEvent
  | LostEvent
  | EscapeEvent
  | ModuleEvent
  | UnrecordedEvent
  | InterruptEvent
  | DmaMapEvent
  | DmaUnmapEvent
  | UnknownEvent;

/** Formats `0000:00:04.0 e1000 BAR0+0x8`, as in `report`. */
export function placeName({ device, driver, bar, offset }: Place): string {
  return `${device} ${driver === null ? "" : `${driver} `}${barName(bar)}+0x${offset.toString(16)}`;
}

/** Makes the library's place. */
export function placeOf({ function: found, bar, offset }: DevicePlace): Place {
  return Object.freeze({ device: found.address, driver: found.driver, bar, offset });
}

/** Makes the events of one walk through a trace. Frozen parts that many of them share are made once. */
export class EventMaker {
  private readonly withFields: boolean;
  private readonly places = new WeakMap<DevicePlace, Place>();
  private readonly sites = new Map<bigint, Site>();
  private readonly flags = new Map<number, readonly FlagName[]>();

  constructor({ fields = false }: { fields?: boolean | undefined }) {
    this.withFields = fields;
  }

  /** Makes the view's event; the view may then go on to the next one. */
  make(view: EventView): TraceEvent {
    return Object.freeze(this.plain(view));
  }

  private plain(view: EventView): TraceEvent {
    const { event } = view;
    switch (event.kind) {
      case "read":
      case "write":
        return this.access(view, event);
      case "map": {
        const { kind, mapping, length_bytes, decoy, memoryType } = event;
        const where = { place: this.place(view), site: this.site(view) };
        return { ...this.base(view), kind, mapping, ...inItsSpace(event), length_bytes, decoy, memoryType, ...where };
      }
      case "unmap": {
        const { kind, mapping, length_bytes, decoy } = event;
        return {
          ...this.base(view),
          kind,
          mapping,
          ...inItsSpace(event),
          length_bytes,
          decoy,
          place: this.place(view),
        };
      }
      case "mark":
        return { ...this.base(view), kind: "mark", text: event.text };
      case "lost":
        return { ...this.base(view), kind: "lost", count: Number(event.count) };
      case "escape": {
        const { kind, mapping } = event;
        const where = { place: this.place(view), site: this.site(view), caller: this.caller(view) };
        return {
          ...this.base(view),
          kind,
          ...inItsSpace(event),
          mapping,
          ...where,
          instruction: digitsOf(event.instruction),
        };
      }
      case "module": {
        const { kind, name, textAddress, text_bytes, gone } = event;
        return { ...this.base(view), kind, name, textAddress, text_bytes, gone };
      }
      case "unrecorded": {
        const { kind, address, length_bytes, way } = event;
        const where = { place: this.place(view), site: this.site(view) };
        return { ...this.base(view), kind, address, length_bytes, way, calls: Number(event.calls), ...where };
      }
      case "interrupt": {
        const { kind, phase, device, irq, handled, wakesThread } = event;
        const vector = event.vector === 0 ? null : event.vector;
        return {
          ...this.base(view),
          ...{ kind, phase, device, irq, vector, handled, wakesThread, site: this.site(view) },
        };
      }
      case "dma-map": {
        const { kind, buffer, device, bus, length_bytes, way, direction } = event;
        const physical = event.physical === 0n ? null : event.physical;
        const code = { site: this.site(view), caller: this.caller(view) };
        return { ...this.base(view), kind, buffer, device, bus, physical, length_bytes, way, direction, ...code };
      }
      case "dma-unmap": {
        const { kind, device, bus, length_bytes, way, direction } = event;
        const buffers = Object.freeze([...event.buffers]);
        const code = { site: this.site(view), caller: this.caller(view) };
        return { ...this.base(view), kind, buffers, device, bus, length_bytes, way, direction, ...code };
      }
      case "unknown": {
        const { kind, recordKind, record } = event;
        return { ...this.base(view), kind, recordKind, record: digitsOf(record) };
      }
      case "symbol":
        throw new Error("assertion failed: symbols aren't handed out");
      default:
        return assertUnreachable(event);
    }
  }

  /** One literal: an object that is spread from others takes ten times as long, and most events are accesses. */
  private access(view: EventView, event: RoomAccess): AccessEvent {
    const access: AccessEvent = {
      kind: event.kind,
      number: event.number,
      time_s: timeOf(view),
      tsc: event.tsc,
      cpu: view.cpu,
      pid: view.pid,
      context: view.context,
      flags: this.flagNames(event.flags),
      address: withinSpace(event.address),
      space: spaceOf(event.address),
      width_bytes: event.width_bytes,
      value: event.value,
      place: this.place(view),
      register: view.register?.name ?? null,
      meaning: view.meaning ?? null,
      site: this.site(view),
      caller: this.caller(view),
      mapping: event.mapping,
      dma: dmaOf(view),
    };
    return this.withFields ? { ...access, fields: fieldsOf(view.register, event.value) } : access;
  }

  private base(view: EventView): EventBase {
    const { number, tsc, flags } = view.event;
    const { cpu, pid, context } = view;
    return { number, time_s: timeOf(view), tsc, cpu, pid, context, flags: this.flagNames(flags) };
  }

  private flagNames(flags: number): readonly FlagName[] {
    let names = this.flags.get(flags);
    if (names === undefined) {
      names = Object.freeze(flagNamesOf(flags));
      this.flags.set(flags, names);
    }
    return names;
  }

  private place({ place }: EventView): Place | null {
    if (place === undefined) return null;
    let made = this.places.get(place);
    if (made === undefined) {
      made = placeOf(place);
      this.places.set(place, made);
    }
    return made;
  }

  private site(view: EventView): Site | null {
    const { site = 0n, symbol, siteNames, module } = view;
    return this.siteAt(site, symbol, siteNames[0], module);
  }

  private caller(view: EventView): Site | null {
    const { caller, callerSymbol, callerNames, callerModule } = view;
    return this.siteAt(caller, callerSymbol, callerNames[0], callerModule);
  }

  private siteAt(
    address: bigint,
    symbol: string | null = null,
    name: string | null = null,
    module: string | null = null,
  ): Site | null {
    if (address === 0n) return null;
    let site = this.sites.get(address);
    // Another module may have taken the addresses of an earlier one.
    if (site === undefined || site.symbol !== symbol) {
      site = Object.freeze({ address, symbol, function: name, module });
      this.sites.set(address, site);
    }
    return site;
  }
}

function inItsSpace({ address }: { address: bigint }): { address: bigint; space: AddressSpace } {
  return { address: withinSpace(address), space: spaceOf(address) };
}

function dmaOf({ dmaPlace }: EventView): DmaPlace | null {
  if (dmaPlace === undefined) return null;
  return Object.freeze({ buffer: dmaPlace.buffer.number, offset: dmaPlace.offset });
}

function timeOf(view: EventView): number | null {
  return view.event.tsc === 0n ? null : view.time_s;
}

function fieldsOf(register: RegisterAccess | undefined, value: bigint): readonly FieldValue[] {
  return Object.freeze((register?.fieldsOf(value) ?? []).map((field) => Object.freeze(field)));
}

function digitsOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

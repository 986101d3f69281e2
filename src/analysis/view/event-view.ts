// One event of a trace with everything known about it, computed on demand. One object walks through a whole trace: its
// answers are valid until it gets the next event.

import { hex } from "../../base/hex.js";
import type { DmaPlace } from "../../trace/dma.js";
import { EventTasks } from "../../trace/event-task.js";
import type { AccessEvent, TraceEvent } from "../../trace/events.js";
import type { Context } from "../../trace/flags.js";
import type { PciFunction, TraceHeader } from "../../trace/header.js";
import { type AddressSpace, spaceOf, withinSpace } from "../../trace/space.js";
import type { DevicePlace, TraceState } from "../../trace/state.js";
import { shortSymbol, withCaller } from "../../trace/text.js";
import type { AccessRegisters, RegisterAccess } from "./access-registers.js";

interface SymbolParts {
  short: string;
  module: string;
  names: readonly string[];
}

function symbolPartsOf(text: string): SymbolParts {
  const short = shortSymbol(text);
  const bare = short.replace(/ \[[^\]]*\]$/, "");
  const module = /\[([^\]]+)\]$/.exec(text)?.[1] ?? "kernel";
  return { short, module, names: [bare.replace(/\+0x[0-9a-f]+$/, ""), bare, short] };
}

export class EventView {
  event!: TraceEvent;
  state!: TraceState;
  /** An access's register; undefined for other events, and if there is no database for the device. */
  register: RegisterAccess | undefined;
  private readonly registers: AccessRegisters;
  private readonly start: bigint;
  private readonly tscFrequency_hz: number;
  private readonly tasks: EventTasks;
  private knownPlace: DevicePlace | undefined;
  private placeKnown = false;
  /** Symbols by site, until a site's symbol changes. */
  private readonly symbols = new Map<string, SymbolParts>();

  constructor(header: TraceHeader, registers: AccessRegisters) {
    this.registers = registers;
    this.tasks = new EventTasks(header);
    this.start = BigInt(header.clock.tsc);
    this.tscFrequency_hz = header.clock.tscFrequency_hz;
  }

  /** Goes on to the next event. Must be called for every access, in order. */
  show(event: TraceEvent, state: TraceState): void {
    this.event = event;
    this.state = state;
    this.placeKnown = false;
    this.register = undefined;
    if (event.kind !== "read" && event.kind !== "write") return;
    const { place } = this;
    if (place !== undefined) this.register = this.registers.see(event, place);
  }

  /** The meaning of an access's value in its register, if the database has something to add to the number. */
  get meaning(): string | undefined {
    const { access } = this;
    return access && this.register?.meaningOf(access.value);
  }

  /** The event if it is an access. */
  get access(): AccessEvent | undefined {
    return this.event.kind === "read" || this.event.kind === "write" ? this.event : undefined;
  }

  /** Seconds since recording began; NaN where a log of another format has no time: its time stamp is 0. */
  get time_s(): number {
    if (this.event.tsc === 0n) return Number.NaN;
    return Number(this.event.tsc - this.start) / this.tscFrequency_hz;
  }

  /** Null, as with the next two, where it isn't known. */
  get cpu(): number | null {
    return this.tasks.cpuOf(this.event);
  }

  get pid(): number | null {
    return this.tasks.pidOf(this.event);
  }

  get context(): Context | null {
    return this.tasks.contextOf(this.event);
  }

  /** Address of an access, a mapping, an escape or a DMA buffer in its space: physical, or a port's number. */
  get address(): bigint | undefined {
    if (this.event.kind === "dma-map") return this.event.physical === 0n ? undefined : this.event.physical;
    return "address" in this.event ? withinSpace(this.event.address) : undefined;
  }

  /** The space of the address; undefined for events without one. */
  get space(): AddressSpace | undefined {
    return "address" in this.event ? spaceOf(this.event.address) : undefined;
  }

  /** The address's place; undefined if it is in no memory BAR, or there is no address. */
  get place(): DevicePlace | undefined {
    if (!this.placeKnown) {
      const { access, event, state } = this;
      if (access !== undefined) this.knownPlace = state.placeOfAccess(access);
      else this.knownPlace = "address" in event ? state.placeOf(event.address) : undefined;
      this.placeKnown = true;
    }
    return this.knownPlace;
  }

  /** The PCI function that the event is about: the accessed one, that of an interrupt, or of a DMA buffer; undefined if unknown. */
  get function(): PciFunction | undefined {
    const { event } = this;
    return "device" in event ? this.state.functionAt(event.device) : this.place?.function;
  }

  /** The place in a living DMA buffer that an access's value is the address of; undefined for others. */
  get dmaPlace(): DmaPlace | undefined {
    const { access } = this;
    return access && this.state.dmaPlaceOf(access);
  }

  /** The site; 0 if none was recorded; undefined for events without one. */
  get site(): bigint | undefined {
    return "site" in this.event ? this.event.site : undefined;
  }

  /** `e1000_reset_hw+0x12 [e1000]`, or undefined if the site has no known symbol. */
  get symbol(): string | undefined {
    return this.symbolParts?.short;
  }

  /** The site's module: `e1000`, or `kernel` for the kernel's own text; undefined without a symbol. */
  get module(): string | undefined {
    return this.event.kind === "module" ? this.event.name : this.symbolParts?.module;
  }

  /** All names of the site: function, function and offset, both with the module; none without a symbol. */
  get siteNames(): readonly string[] {
    return this.symbolParts?.names ?? [];
  }

  /** The place in the driver from which the site was called, if that lies outside of the driver; 0 if not, or not known. */
  get caller(): bigint {
    return "caller" in this.event ? this.event.caller : 0n;
  }

  /** As `siteNames`, of the caller. */
  get callerNames(): readonly string[] {
    return this.partsOf(this.caller)?.names ?? [];
  }

  /** As `symbol`, of the caller. */
  get callerSymbol(): string | undefined {
    return this.partsOf(this.caller)?.short;
  }

  /** As `module`, of the caller. */
  get callerModule(): string | undefined {
    return this.partsOf(this.caller)?.module;
  }

  /** `ioread8+0x1c from e100_exec_cmd+0x40 [e100]`: symbols, or else addresses; empty without a site. */
  get siteAndCaller(): string {
    const { site, caller } = this;
    if (site === undefined || site === 0n) return "";
    return withCaller(this.symbol ?? hex(site), caller === 0n ? undefined : (this.callerSymbol ?? hex(caller)));
  }

  private get symbolParts(): SymbolParts | undefined {
    return this.partsOf(this.site);
  }

  private partsOf(site: bigint | undefined): SymbolParts | undefined {
    const text = site === undefined || site === 0n ? undefined : this.state.symbolOf(site);
    if (text === undefined) return undefined;
    let parts = this.symbols.get(text);
    if (parts === undefined) {
      parts = symbolPartsOf(text);
      this.symbols.set(text, parts);
    }
    return parts;
  }
}

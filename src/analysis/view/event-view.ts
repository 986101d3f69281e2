// One event of a trace with everything that can be said about it, worked out when asked for. One object walks through
// a whole trace: what it answers holds until the next event is shown to it.
import type { AccessEvent, TraceEvent } from "../../trace/events.js";
import type { TraceHeader } from "../../trace/header.js";
import type { DevicePlace, TraceState } from "../../trace/state.js";
import { shortSymbol } from "../../trace/text.js";
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
  /** The register that an access touches; undefined for other events and where no database is for the device. */
  register: RegisterAccess | undefined;
  private readonly registers: AccessRegisters;
  private readonly start: bigint;
  private readonly tscFrequency_hz: number;
  private knownPlace: DevicePlace | undefined;
  private placeKnown = false;
  /** By site, for as long as its symbol stays the same. */
  private readonly symbols = new Map<string, SymbolParts>();

  constructor(header: TraceHeader, registers: AccessRegisters) {
    this.registers = registers;
    this.start = BigInt(header.clock.tsc);
    this.tscFrequency_hz = header.clock.tscFrequency_hz;
  }

  /** Goes on to the next event. Every access must be shown, in order. */
  show(event: TraceEvent, state: TraceState): void {
    this.event = event;
    this.state = state;
    this.placeKnown = false;
    this.register = undefined;
    if (event.kind !== "read" && event.kind !== "write") return;
    const { place } = this;
    if (place !== undefined) this.register = this.registers.see(event, place);
  }

  /** What an access's value means in its register, where the database has something to add to the number. */
  get meaning(): string | undefined {
    const { access } = this;
    return access && this.register?.meaningOf(access.value);
  }

  /** The event where it is an access. */
  get access(): AccessEvent | undefined {
    return this.event.kind === "read" || this.event.kind === "write" ? this.event : undefined;
  }

  /** Seconds since recording began. */
  get time_s(): number {
    return Number(this.event.tsc - this.start) / this.tscFrequency_hz;
  }

  /** Physical; of an access, a mapping or an escape. */
  get address(): bigint | undefined {
    return "address" in this.event ? this.event.address : undefined;
  }

  /** Where the address lies, or undefined where it lies in no memory BAR or there is none. */
  get place(): DevicePlace | undefined {
    if (!this.placeKnown) {
      const { access, address, state } = this;
      if (access !== undefined) this.knownPlace = state.placeOfAccess(access);
      else this.knownPlace = address === undefined ? undefined : state.placeOf(address);
      this.placeKnown = true;
    }
    return this.knownPlace;
  }

  /** 0 where none was recorded; undefined for events without one. */
  get site(): bigint | undefined {
    return "site" in this.event ? this.event.site : undefined;
  }

  /** `e1000_reset_hw+0x12 [e1000]`, or undefined where the site has no known symbol. */
  get symbol(): string | undefined {
    return this.symbolParts?.short;
  }

  /** The site's module: `e1000`, or `kernel` for the kernel's own text; undefined where there is no symbol. */
  get module(): string | undefined {
    return this.event.kind === "module" ? this.event.name : this.symbolParts?.module;
  }

  /** What the site may be called: function, function and offset, those with the module; nothing without a symbol. */
  get siteNames(): readonly string[] {
    return this.symbolParts?.names ?? [];
  }

  private get symbolParts(): SymbolParts | undefined {
    const { site } = this;
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

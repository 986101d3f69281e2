// An event as a row of a table: the one definition of the columns of JSON Lines, CSV, Parquet and Chrome's trace.
// row-text.ts and parquet.ts write them; docs/convert.md describes them.
import { assertUnreachable } from "../../base/assert.js";
import { secondsText } from "../../base/units.js";
import { dmaName, dmaPlaceText } from "../dma.js";
import { EventTasks } from "../event-task.js";
import { resultWords } from "../event-words.js";
import type { DmaMapEvent, DmaUnmapEvent, TraceEvent } from "../events.js";
import { flagNamesOf } from "../flags.js";
import { isLacking, rwmmioProducer, type TraceHeader } from "../header.js";
import { type AddressSpace, spaceOf, withinSpace } from "../space.js";
import type { DevicePlace, TraceState } from "../state.js";
import { shortSymbol, type TellRegister } from "../text.js";

/** A row's cells; undefined for facts that an event doesn't have. */
export interface EventRow {
  /** The trace's name, the same in all of its rows. */
  trace: string;
  event: bigint;
  /** Time since recording began. Not a column. */
  time_ns: bigint | undefined;
  time_s: number | undefined;
  /** The wall clock: microseconds since 1970, UTC. */
  wall: bigint | undefined;
  cpu: number | undefined;
  pid: number | undefined;
  context: string | undefined;
  op: TraceEvent["kind"];
  /** `0000:00:04.0` */
  device: string | undefined;
  /** `8086:100e` */
  pci_id: string | undefined;
  driver: string | undefined;
  bar: number | undefined;
  offset: bigint | undefined;
  address: bigint | undefined;
  /** `ports`; undefined for memory. */
  space: AddressSpace | undefined;
  width_bytes: number | undefined;
  value: bigint | undefined;
  register: string | undefined;
  meaning: string | undefined;
  /** Symbol, or else the address. */
  site: string | undefined;
  site_address: bigint | undefined;
  /** The site's module, or the one that came or went. */
  module: string | undefined;
  /** As `site`: the place in the driver from which the site was called, if that lies outside of the driver. */
  caller: string | undefined;
  caller_address: bigint | undefined;
  mapping: number | undefined;
  length_bytes: bigint | undefined;
  /** Number of lost records, or of unrecorded mappings. */
  count: bigint | undefined;
  text: string | undefined;
  flags: string | undefined;
  /** Linux's number of the interrupt. */
  irq: number | undefined;
  /** The CPU's vector. */
  vector: number | undefined;
  /** A DMA buffer's address on the bus. */
  bus: bigint | undefined;
  /** `dma#3`: the buffer that begins or ends; `dma#3+0x40`: the place in a living one that an access's value is an address of. */
  dma: string | undefined;
}

export type ColumnName = Exclude<keyof EventRow, "time_ns">;

/**
 * `int`: up to 32 bits, a number in a row. `long`: up to 64 bits, a bigint. `bits`: the same, but hexadecimal in texts. `time`: a
 * bigint, in microseconds.
 */
export type ColumnKind = "text" | "int" | "long" | "bits" | "double" | "time";

/** The columns in their order. */
export const columns: readonly { name: ColumnName; kind: ColumnKind }[] = [
  { name: "trace", kind: "text" },
  { name: "event", kind: "long" },
  { name: "time_s", kind: "double" },
  { name: "wall", kind: "time" },
  { name: "cpu", kind: "int" },
  { name: "pid", kind: "int" },
  { name: "context", kind: "text" },
  { name: "op", kind: "text" },
  { name: "device", kind: "text" },
  { name: "pci_id", kind: "text" },
  { name: "driver", kind: "text" },
  { name: "bar", kind: "int" },
  { name: "offset", kind: "long" },
  { name: "address", kind: "bits" },
  { name: "space", kind: "text" },
  { name: "width_bytes", kind: "int" },
  { name: "value", kind: "bits" },
  { name: "register", kind: "text" },
  { name: "meaning", kind: "text" },
  { name: "site", kind: "text" },
  { name: "site_address", kind: "bits" },
  { name: "module", kind: "text" },
  { name: "caller", kind: "text" },
  { name: "caller_address", kind: "bits" },
  { name: "mapping", kind: "int" },
  { name: "length_bytes", kind: "bits" },
  { name: "count", kind: "long" },
  { name: "text", kind: "text" },
  { name: "flags", kind: "text" },
  { name: "irq", kind: "int" },
  { name: "vector", kind: "int" },
  { name: "bus", kind: "bits" },
  { name: "dma", kind: "text" },
];

/**
 * Returns a marker's or a module's text, an escaped instruction's bytes, an unrecorded mapping's way, an interrupt's phase, or a DMA
 * buffer's way and direction.
 */
function textOf(event: TraceEvent): string | undefined {
  switch (event.kind) {
    case "mark":
    case "symbol":
      return event.text;
    case "module":
      return event.gone ? `${event.name} went` : event.name;
    case "unrecorded":
      return event.way;
    case "escape":
      return [...event.instruction].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    case "interrupt":
      return event.phase === "entry" ? "entry" : `exit: ${resultWords(event)}`;
    case "dma-map":
    case "dma-unmap":
      return `${event.way} ${event.direction}`;
    case "read":
    case "write":
    case "map":
    case "unmap":
    case "lost":
    case "unknown":
      return undefined;
    default:
      return assertUnreachable(event);
  }
}

/** Returns the name of the trace in the file `path` for its rows: the file's name without the format's ending. */
export function traceName(path: string): string {
  return path
    .replace(/^.*\//, "")
    .replace(/\.gz$/, "")
    .replace(/\.(mmt|txt|log|mmiotrace)$/, "");
}

interface SymbolNames {
  symbol: string;
  module: string;
}

interface PlaceNames {
  device: string;
  pci_id: string | undefined;
  driver: string | undefined;
}

/** Makes rows of a trace's events, which it must get in order. */
export class EventRows {
  private readonly trace: string;
  private readonly tellRegister: TellRegister;
  private readonly start: bigint;
  private readonly tscFrequency_hz: number;
  private readonly wall_ns: bigint;
  /** The addresses of sites and callers stand for names. */
  private readonly hasMadeUpSites: boolean;
  private readonly tasks: EventTasks;
  private readonly has: Record<"mapping" | "address", boolean>;
  private readonly places = new WeakMap<DevicePlace["function"], PlaceNames>();
  private readonly symbols = new Map<string, SymbolNames>();

  /** `trace`: the trace's name in the rows. */
  constructor(header: TraceHeader, trace: string, tellRegister: TellRegister = () => undefined) {
    this.trace = trace;
    this.tellRegister = tellRegister;
    this.start = BigInt(header.clock.tsc);
    this.tscFrequency_hz = header.clock.tscFrequency_hz;
    this.wall_ns = BigInt(header.clock.wall_ns);
    this.hasMadeUpSites = header.producer.includes(rwmmioProducer);
    this.tasks = new EventTasks(header);
    this.has = { mapping: !isLacking(header, "mapping"), address: !isLacking(header, "address") };
  }

  /** Makes the event's row, a new object; undefined for events that only help to read the others. */
  row(event: TraceEvent, state: TraceState): EventRow | undefined {
    if (event.kind === "symbol") return undefined;
    // In an imported log without times, time stamps are 0.
    const time_s = event.tsc === 0n ? undefined : Number(event.tsc - this.start) / this.tscFrequency_hz;
    // To the same nanosecond as in `report`.
    const time_ns = time_s === undefined ? undefined : BigInt(Math.round(time_s * 1e9));
    const { tasks } = this;
    const row: EventRow = {
      trace: this.trace,
      event: BigInt(event.number),
      time_ns,
      time_s: time_s === undefined ? undefined : Number(secondsText(time_s)),
      wall: time_ns === undefined || this.wall_ns === 0n ? undefined : (this.wall_ns + time_ns) / 1000n,
      cpu: tasks.cpuOf(event) ?? undefined,
      pid: tasks.pidOf(event) ?? undefined,
      context: tasks.contextOf(event) ?? undefined,
      op: event.kind,
      device: undefined,
      pci_id: undefined,
      driver: undefined,
      bar: undefined,
      offset: undefined,
      address: undefined,
      space: undefined,
      width_bytes: undefined,
      value: undefined,
      register: undefined,
      meaning: undefined,
      site: undefined,
      site_address: undefined,
      module: undefined,
      caller: undefined,
      caller_address: undefined,
      mapping: undefined,
      length_bytes: undefined,
      count: undefined,
      text: textOf(event),
      flags: flagNamesOf(event.flags).join(" ") || undefined,
      irq: undefined,
      vector: undefined,
      bus: undefined,
      dma: undefined,
    };
    this.fill(row, event, state);
    return row;
  }

  private fill(row: EventRow, event: Exclude<TraceEvent, { kind: "symbol" }>, state: TraceState): void {
    switch (event.kind) {
      case "read":
      case "write": {
        row.width_bytes = event.width_bytes;
        row.value = event.value;
        row.mapping = this.has.mapping ? event.mapping : undefined;
        const place = this.place(row, event.address, state.placeOfAccess(event));
        this.site(row, event.site, state);
        this.caller(row, event.caller, state);
        const register = place && this.tellRegister(event, place);
        row.register = register?.name;
        row.meaning = register?.meaningOf(event.value);
        const buffer = state.dmaPlaceOf(event);
        row.dma = buffer && dmaPlaceText(buffer);
        break;
      }
      case "map":
        row.mapping = event.mapping;
        row.length_bytes = event.length_bytes;
        this.place(row, event.address, state.placeOf(event.address));
        this.site(row, event.site, state);
        break;
      case "unmap":
        row.mapping = event.mapping;
        row.length_bytes = event.length_bytes;
        this.place(row, event.address, state.placeOf(event.address));
        break;
      case "escape":
        row.mapping = event.mapping;
        this.place(row, event.address, state.placeOf(event.address));
        this.site(row, event.site, state);
        this.caller(row, event.caller, state);
        break;
      case "unrecorded":
        row.length_bytes = event.length_bytes;
        row.count = event.calls;
        this.place(row, event.address, state.placeOf(event.address));
        this.site(row, event.site, state);
        break;
      case "interrupt":
        row.irq = event.irq;
        row.vector = event.vector === 0 ? undefined : event.vector;
        this.device(row, event.device, state);
        this.site(row, event.site, state);
        break;
      case "dma-map":
      case "dma-unmap":
        this.fillDma(row, event, state);
        break;
      case "lost":
        row.count = event.count === 0n ? undefined : event.count;
        break;
      case "module":
        row.module = event.name;
        row.address = event.textAddress;
        row.length_bytes = BigInt(event.text_bytes);
        break;
      case "mark":
      case "unknown":
        break;
      default:
        assertUnreachable(event);
    }
  }

  private fillDma(row: EventRow, event: DmaMapEvent | DmaUnmapEvent, state: TraceState): void {
    row.bus = event.bus;
    row.length_bytes = event.length_bytes;
    if (event.kind === "dma-map" && event.physical !== 0n) row.address = event.physical;
    row.dma = (event.kind === "dma-map" ? [event.buffer] : event.buffers).map(dmaName).join(" ") || undefined;
    this.device(row, event.device, state);
    this.site(row, event.site, state);
    this.caller(row, event.caller, state);
  }

  private place(row: EventRow, address: bigint, place: DevicePlace | undefined): DevicePlace | undefined {
    row.address = this.has.address ? withinSpace(address) : undefined;
    const space = spaceOf(address);
    if (space !== "memory") row.space = space;
    if (place === undefined) return undefined;
    const names = this.namesOf(place.function);
    row.device = names.device;
    row.pci_id = names.pci_id;
    row.driver = names.driver;
    row.bar = place.bar;
    row.offset = place.offset;
    return place;
  }

  private device(row: EventRow, address: string, state: TraceState): void {
    const found = state.functionAt(address);
    row.device = address;
    if (found === undefined) return;
    const names = this.namesOf(found);
    row.pci_id = names.pci_id;
    row.driver = names.driver;
  }

  private namesOf(found: DevicePlace["function"]): PlaceNames {
    let names = this.places.get(found);
    if (names === undefined) {
      const id = (text: string) => text.slice(2).padStart(4, "0");
      const pci_id = BigInt(found.vendor) === 0n ? undefined : `${id(found.vendor)}:${id(found.device)}`;
      names = { device: found.address, pci_id, driver: found.driver ?? undefined };
      this.places.set(found, names);
    }
    return names;
  }

  private site(row: EventRow, site: bigint, state: TraceState): void {
    if (site === 0n) return;
    const names = this.symbolNames(site, state);
    row.site = names?.symbol ?? `0x${site.toString(16)}`;
    row.site_address = this.hasMadeUpSites ? undefined : site;
    row.module = names?.module;
  }

  private caller(row: EventRow, caller: bigint, state: TraceState): void {
    if (caller === 0n) return;
    row.caller = this.symbolNames(caller, state)?.symbol ?? `0x${caller.toString(16)}`;
    row.caller_address = this.hasMadeUpSites ? undefined : caller;
  }

  private symbolNames(site: bigint, state: TraceState): SymbolNames | undefined {
    const text = state.symbolOf(site);
    if (text === undefined) return undefined;
    let names = this.symbols.get(text);
    if (names === undefined) {
      const symbol = shortSymbol(text);
      names = { symbol, module: /\[([^\]]+)\]$/.exec(symbol)?.[1] ?? "kernel" };
      this.symbols.set(text, names);
    }
    return names;
  }
}

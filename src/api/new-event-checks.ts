// Checks the events that users want to write: each field's type and limit. An event that passes reads back as it was written.
import { assertUnreachable } from "../base/assert.js";
import { InvalidValueError } from "../base/errors.js";
import { dmaDirections, dmaWays } from "../trace/dma-kinds.js";
import { type FlagName, flagNames } from "../trace/flags.js";
import { isPciAddress, kernelText, memoryTypes } from "../trace/record.js";
import { type AddressSpace, addressSpaces } from "../trace/space.js";
import { unrecordedWays } from "../trace/unrecorded.js";
import type { NewEvent, NewSite } from "./new-events.js";

const widths_bytes: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** All but `unknown`, whose records can't be made of their fields. */
const kinds: readonly string[] = [
  "read",
  "write",
  "map",
  "unmap",
  "mark",
  "lost",
  "escape",
  "module",
  "unrecorded",
  "interrupt",
  "dma-map",
  "dma-unmap",
];
const contexts: readonly string[] = ["task", "softirq", "hardirq", "nmi"];
const cpuMax = 2 ** 16 - 1;
const uint32Max = 2 ** 32 - 1;
/** Physical addresses are below 2^52. */
const physicalMax = (1n << 52n) - 1n;
const addressMax = { memory: physicalMax, ports: 0xffffn, configuration: (1n << 49n) - 1n };
/** A record keeps so much of a DMA buffer's length. */
const dmaLengthMax = (1n << 48n) - 1n;
const vectorMax = 255;
const uint64Max = (1n << 64n) - 1n;
/** A text's records must all fit into one block. */
const textMax_bytes = 16 << 10;
/** Length of a value's part in a message. */
const shownMax_chars = 60;

const encoder = new TextEncoder();

/** Throws InvalidValueError for the first field that can't be in a trace; `number` is the event's place in the trace. */
export function checkNewEvent(event: NewEvent, number: number): void {
  new Check(number).event(event);
}

class Check {
  private readonly number: number;

  constructor(number: number) {
    this.number = number;
  }

  event(event: NewEvent): void {
    if (typeof event !== "object" || event === null) this.refuse("the event", event, "an object");
    this.oneOf("kind", event.kind, kinds);
    this.times(event);
    const { cpu, pid, context, flags } = event;
    if (cpu !== undefined && cpu !== null) this.integer("cpu", cpu, 0, cpuMax);
    if (pid !== undefined && pid !== null) this.integer("pid", pid, 0, uint32Max);
    if (context !== undefined && context !== null) this.oneOf("context", context, contexts);
    if (flags !== undefined) this.flags(flags);
    switch (event.kind) {
      case "read":
      case "write":
        this.address(event);
        this.oneOf("width_bytes", event.width_bytes, widths_bytes);
        this.bigint("value", event.value, 0n, (1n << BigInt(8 * event.width_bytes)) - 1n);
        this.mapping(event.mapping);
        this.site(event.site);
        this.caller(event.caller);
        return;
      case "map":
        this.map(event);
        return;
      case "unmap":
        this.integer("mapping", event.mapping, 0, uint32Max);
        this.address(event);
        this.bigint("length_bytes", event.length_bytes, 0n, uint64Max);
        this.decoy(event.decoy);
        return;
      case "mark":
        this.text("text", event.text);
        return;
      case "lost":
        this.integer("count", event.count, 0, Number.MAX_SAFE_INTEGER);
        return;
      case "escape":
        this.address(event);
        this.mapping(event.mapping);
        this.site(event.site);
        this.caller(event.caller);
        if (typeof event.instruction !== "string" || !/^([0-9a-f]{2}){0,15}$/.test(event.instruction)) {
          this.refuse("instruction", event.instruction, "at most 15 bytes as pairs of lower-case hexadecimal digits");
        }
        return;
      case "module":
        this.text("name", event.name);
        this.bigint("textAddress", event.textAddress, 0n, uint64Max);
        this.integer("text_bytes", event.text_bytes, 0, uint32Max);
        if (typeof event.gone !== "boolean") this.refuse("gone", event.gone, "true or false");
        return;
      case "unrecorded":
        this.unrecorded(event);
        return;
      case "interrupt":
        this.interrupt(event);
        return;
      case "dma-map":
      case "dma-unmap":
        this.dma(event);
        return;
      case "unknown":
        return;
      default:
        assertUnreachable(event);
    }
  }

  /** `time_s` counts, and is checked, only without `tsc`: recorded events may be from before the recording's beginning. */
  private times({ tsc, time_s }: NewEvent): void {
    if (tsc !== undefined) this.bigint("tsc", tsc, 0n, uint64Max);
    else if (time_s !== undefined && time_s !== null && !(Number.isFinite(time_s) && time_s >= 0)) {
      this.refuse("time_s", time_s, "a number of seconds from 0 on, or null");
    }
  }

  private flags(flags: readonly FlagName[]): void {
    if (!Array.isArray(flags)) this.refuse("flags", flags, "an array");
    for (const name of flags) this.oneOf("flags", name, flagNames);
  }

  private address({ address, space = "memory" }: { address: bigint; space?: AddressSpace | undefined }): void {
    this.oneOf("space", space, addressSpaces);
    this.bigint("address", address, 0n, addressMax[space]);
  }

  private map(event: NewEvent & { kind: "map" }): void {
    this.integer("mapping", event.mapping, 1, uint32Max);
    this.address(event);
    this.bigint("length_bytes", event.length_bytes, 1n, uint64Max);
    this.decoy(event.decoy);
    if (event.memoryType !== undefined) this.oneOf("memoryType", event.memoryType, memoryTypes);
    this.site(event.site);
  }

  private unrecorded(event: NewEvent & { kind: "unrecorded" }): void {
    this.bigint("address", event.address, 0n, physicalMax);
    this.bigint("length_bytes", event.length_bytes, 0n, uint64Max);
    this.oneOf("way", event.way, unrecordedWays);
    if (event.calls !== undefined) this.integer("calls", event.calls, 1, Number.MAX_SAFE_INTEGER);
    this.site(event.site);
  }

  private interrupt(event: NewEvent & { kind: "interrupt" }): void {
    this.oneOf("phase", event.phase, ["entry", "exit"]);
    this.device(event.device);
    this.integer("irq", event.irq, 0, uint32Max);
    if (event.vector !== undefined && event.vector !== null) this.integer("vector", event.vector, 0, vectorMax);
    this.flag("handled", event.handled);
    this.flag("wakesThread", event.wakesThread);
    this.site(event.site);
  }

  private dma(event: NewEvent & { kind: "dma-map" | "dma-unmap" }): void {
    this.device(event.device);
    this.bigint("bus", event.bus, 0n, uint64Max);
    this.bigint("length_bytes", event.length_bytes, 0n, dmaLengthMax);
    this.oneOf("way", event.way, dmaWays);
    this.oneOf("direction", event.direction, dmaDirections);
    if (event.kind === "dma-map" && event.physical !== undefined && event.physical !== null) {
      this.bigint("physical", event.physical, 0n, physicalMax);
    }
    this.site(event.site);
    this.caller(event.caller);
  }

  private device(device: string): void {
    if (typeof device !== "string" || !isPciAddress(device)) {
      this.refuse("device", device, "a PCI function's address such as 0000:00:04.0");
    }
  }

  private flag(field: string, value: boolean | undefined): void {
    if (value !== undefined && typeof value !== "boolean") this.refuse(field, value, "true or false");
  }

  private mapping(mapping: number | undefined): void {
    if (mapping !== undefined) this.integer("mapping", mapping, 0, uint32Max);
  }

  private decoy(decoy: bigint | undefined): void {
    if (decoy !== undefined) this.bigint("decoy", decoy, 0n, uint64Max);
  }

  private site(site: NewSite | null | undefined, field = "site", least = 0n): void {
    if (site === undefined || site === null) return;
    if (typeof site !== "object") this.refuse(field, site, "an object with an address, or null");
    if (site.address !== 0n) this.bigint(`${field}.address`, site.address, least, uint64Max);
    if (site.symbol !== undefined && site.symbol !== null) this.text(`${field}.symbol`, site.symbol);
  }

  private caller(caller: NewSite | null | undefined): void {
    this.site(caller, "caller", kernelText + 1n);
  }

  private integer(field: string, value: number, least: number, greatest: number): void {
    if (Number.isInteger(value) && value >= least && value <= greatest) return;
    this.refuse(field, value, `an integer from ${least} to ${greatest}`);
  }

  private bigint(field: string, value: bigint, least: bigint, greatest: bigint): void {
    if (typeof value === "bigint" && value >= least && value <= greatest) return;
    this.refuse(field, value, `a bigint from ${least} to 0x${greatest.toString(16)}`);
  }

  private oneOf<T extends string | number>(field: string, value: T, allowed: readonly T[]): void {
    if (!allowed.includes(value)) this.refuse(field, value, `one of ${allowed.join(", ")}`);
  }

  private text(field: string, value: string): void {
    if (typeof value === "string" && encoder.encode(value).length <= textMax_bytes) return;
    this.refuse(field, value, `a text of at most ${textMax_bytes} bytes`);
  }

  private refuse(field: string, value: unknown, expected: string): never {
    const shown = shownValue(value);
    throw new InvalidValueError(
      shown,
      `writing event ${this.number} failed: ${field} is ${shown} (${typeof value}), but must be ${expected}`,
    );
  }
}

function shownValue(value: unknown): string {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return shown.length <= shownMax_chars ? shown : `${shown.slice(0, shownMax_chars)}…`;
}

// Exports a trace's events as the text of the kernel's mmiotrace, version 20070824 (kernel/trace/trace_mmiotrace.c), line for
// line as the kernel prints it, so that every tool made for mmiotrace can read it.
//
// Facts that have no place in its lines are left out (CPU, process, symbols, modules) or written as mmiotrace would: an access
// of more than eight bytes becomes one line for every eight, an escape becomes UNKNOWN, lost records become its
// "Lost N events." mark.
import { assertUnreachable } from "../../base/assert.js";
import { concatBytes, latin1Bytes, utf8Bytes } from "../../base/bytes.js";
import { hex } from "../../base/hex.js";
import { countOf } from "../../base/units.js";
import { EventTasks } from "../event-task.js";
import type { TraceEvent } from "../events.js";
import { isLacking, type PciFunction, rwmmioProducer, type TraceHeader } from "../header.js";
import { mmiotraceHead, mmiotraceProducer } from "../mmiotrace-head.js";
import { RecordFlag } from "../record.js";
import { spaceOf } from "../space.js";
import { TraceState } from "../state.js";

const lineWidths_bytes = [8, 4, 2, 1];
const newline = 0x0a;
const carriageReturn = 0x0d;

export class MmiotraceWriter {
  private readonly tscFrequency_hz: bigint;
  /** The first lines of the mmiotrace log that the trace was made from, if any. */
  private readonly importedHead: string | undefined;
  /** Its lines ended in carriage return and line feed. */
  private readonly endsInReturns: boolean;

  /** Sites are addresses of instructions. */
  private readonly hasSites: boolean;
  /** Events without a line. */
  private modules = 0;
  private ports = 0;
  private configuration = 0;
  private interrupts = 0;
  private dma = 0;
  /** Facts of events that have no place in their lines. */
  private readonly leftOut = new Set<string>();
  private nameless = 0;
  private madeUp = 0;
  private readonly lacksAddresses: boolean;
  private readonly tasks: EventTasks;

  constructor(header: TraceHeader) {
    this.tasks = new EventTasks(header);
    this.lacksAddresses = isLacking(header, "address");
    this.hasSites = !header.producer.includes(rwmmioProducer);
    if (BigInt(header.clock.wall_ns) !== 0n) this.leftOut.add("the wall clock");
    this.tscFrequency_hz = BigInt(Math.round(header.clock.tscFrequency_hz));
    this.importedHead =
      header.producer === mmiotraceProducer
        ? (header.importedHead ?? mmiotraceHead(new TraceState(header).pciFunctions))
        : undefined;
    this.endsInReturns = this.importedHead !== undefined && header.importedLineEnd === "\r\n";
  }

  /** Makes the lines before the first event: the version, and one line for each PCI function; or those of the imported log. */
  head(functions: readonly PciFunction[]): string | Uint8Array {
    this.madeUp = this.lacksAddresses ? functions.reduce((sum, { bars }) => sum + bars.length, 0) : 0;
    this.nameless = functions.filter(({ vendor }) => BigInt(vendor) === 0n).length;
    // an imported head has a character for each byte
    return this.importedHead === undefined ? mmiotraceHead(functions) : latin1Bytes(this.importedHead);
  }

  /**
   * An event's lines, each with its line end; empty for what mmiotrace has no line for. Bytes where they are no UTF-8: those of
   * a mark stay as they are.
   */
  lines(event: TraceEvent): string | Uint8Array {
    this.count(event);
    if (event.kind !== "mark" || event.raw === undefined) {
      const text = this.textLines(event);
      return this.endsInReturns ? text.replaceAll("\n", "\r\n") : text;
    }
    const isLine = (event.flags & RecordFlag.verbatim) !== 0;
    const text = event.raw.filter((byte) => byte !== newline);
    const end = this.endsInReturns ? [carriageReturn, newline] : [newline];
    return concatBytes([utf8Bytes(isLine ? "" : `MARK ${this.time(event.tsc)} `), text, Uint8Array.from(end)]);
  }

  private textLines(event: TraceEvent): string {
    if ("address" in event && spaceOf(event.address) !== "memory") return "";
    switch (event.kind) {
      case "read":
      case "write": {
        const letter = event.kind === "read" ? "R" : "W";
        const time = this.time(event.tsc);
        let lines = "";
        for (const part of partsOf(event.width_bytes)) {
          // Some kernels log more than the access's own bytes: a value is masked only if it is split.
          const value = BigInt.asUintN(64, event.value >> BigInt(8 * part.offset));
          const address = event.address + BigInt(part.offset);
          lines += `${letter} ${part.width_bytes} ${time} ${event.mapping | 0} ${hex(address)} ${hex(value)} ${hex(this.siteOf(event))} 0\n`;
        }
        return lines;
      }
      case "map": {
        const { mapping, address, decoy, length_bytes } = event;
        return `MAP ${this.time(event.tsc)} ${mapping | 0} ${hex(address)} ${hex(decoy)} ${hex(length_bytes)} 0x0 0\n`;
      }
      case "unmap":
        return `UNMAP ${this.time(event.tsc)} ${event.mapping | 0} 0x0 0\n`;
      case "mark":
        if ((event.flags & RecordFlag.verbatim) !== 0) return `${event.text}\n`;
        return `MARK ${this.time(event.tsc)} ${event.text.replace(/\n+$/, "").replaceAll("\n", " ")}\n`;
      case "lost":
        if (this.importedHead !== undefined && (event.flags & RecordFlag.verbatim) !== 0) return "";
        if (event.count === 0n) return `CPU:${event.cpu} [LOST EVENTS]\n`;
        return `MARK 0.000000 Lost ${event.count} events.\n`;
      case "escape": {
        const bytes = Array.from({ length: 3 }, (_, index) =>
          (event.instruction[index] ?? 0).toString(16).padStart(2, "0"),
        );
        return `UNKNOWN ${this.time(event.tsc)} ${event.mapping | 0} ${hex(event.address)} ${bytes.join(",")} ${hex(this.siteOf(event))} 0\n`;
      }
      case "unrecorded": {
        const { address, length_bytes, way } = event;
        return `MARK ${this.time(event.tsc)} Unrecorded mapping of ${hex(length_bytes)} bytes at ${hex(address)} (${way})\n`;
      }
      case "symbol":
      case "module":
      case "interrupt":
      case "dma-map":
      case "dma-unmap":
      case "unknown":
        return "";
      default:
        return assertUnreachable(event);
    }
  }

  /** Returns an access's PC; 0, as for the kernel, where the trace's addresses of sites are made up. */
  private siteOf({ site }: { site: bigint }): bigint {
    return this.hasSites ? site : 0n;
  }

  private count(event: TraceEvent): void {
    const { leftOut } = this;
    const space = "address" in event ? spaceOf(event.address) : "memory";
    if (space === "ports") this.ports += 1;
    else if (space === "configuration") this.configuration += 1;
    if (event.kind === "interrupt") this.interrupts += 1;
    if (event.kind === "dma-map" || event.kind === "dma-unmap") this.dma += 1;
    if (event.kind === "module") this.modules += 1;
    else if (event.kind === "symbol") leftOut.add("symbols of sites");
    const { tasks } = this;
    const comesBack = event.kind === "lost" && (event.count === 0n || (event.flags & RecordFlag.verbatim) !== 0);
    if (!comesBack && (tasks.cpuOf(event) ?? 0) !== 0) leftOut.add("CPUs");
    if ((tasks.pidOf(event) ?? 0) !== 0) leftOut.add("processes");
    if ((tasks.contextOf(event) ?? "task") !== "task") leftOut.add("contexts");
    if ("caller" in event && event.caller !== 0n) leftOut.add("callers");
  }

  /** Describes what of the trace isn't in the text, one sentence a kind; known after the last event. */
  notes(): string[] {
    const notes: string[] = [];
    if (this.ports > 0)
      notes.push(`${countOf(this.ports, "event")} of I/O ports left out: mmiotrace has no lines for them`);
    if (this.configuration > 0) {
      const accesses = countOf(this.configuration, "access", "accesses");
      notes.push(`${accesses} to configuration space left out: mmiotrace has no lines for them`);
    }
    if (this.interrupts > 0)
      notes.push(`${countOf(this.interrupts, "event")} of interrupts left out: mmiotrace has no lines for them`);
    if (this.dma > 0) notes.push(`${countOf(this.dma, "event")} of DMA left out: mmiotrace has no lines for them`);
    if (this.modules > 0)
      notes.push(`${countOf(this.modules, "event")} of modules left out: mmiotrace has no lines for them`);
    if (this.leftOut.size > 0)
      notes.push(`left out, because mmiotrace's lines have no place for them: ${[...this.leftOut].sort().join(", ")}`);
    if (this.madeUp > 0) {
      notes.push(
        `the places and lengths of ${countOf(this.madeUp, "BAR")} in PCIDEV lines are made up: the log has none`,
      );
    }
    if (this.nameless > 0) {
      notes.push(`${countOf(this.nameless, "device")} of unknown vendor: 0000:0000 in PCIDEV stands for none`);
    }
    return notes;
  }

  /** Formats the seconds since the TSC was 0, about the boot, with six decimals, as the kernel does. */
  private time(tsc: bigint): string {
    const time_us = (tsc * 1_000_000n) / this.tscFrequency_hz;
    return `${time_us / 1_000_000n}.${(time_us % 1_000_000n).toString().padStart(6, "0")}`;
  }
}

/** Splits a width into pieces of eight, four, two bytes and one: those that a line can have. */
function partsOf(width_bytes: number): { offset: number; width_bytes: number }[] {
  if (width_bytes === 0) return [{ offset: 0, width_bytes }];
  const parts = [];
  for (let offset = 0; offset < width_bytes; ) {
    const left_bytes = width_bytes - offset;
    const part_bytes = lineWidths_bytes.find((width) => width <= left_bytes)!;
    parts.push({ offset, width_bytes: part_bytes });
    offset += part_bytes;
  }
  return parts;
}

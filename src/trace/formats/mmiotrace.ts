// The text of the kernel's mmiotrace, version 20070824 (kernel/trace/trace_mmiotrace.c), written from a trace's events
// line for line as the kernel prints it, so that every tool made for mmiotrace reads it.
//
// What its lines can't say is left out (CPU, process, symbols, modules), or said as it would: an access of more than
// eight bytes becomes one line for every eight, an escape becomes UNKNOWN, lost records become its "Lost N events." mark.
import type { TraceEvent } from "../events.js";
import type { PciFunction } from "../header.js";

const version = "VERSION 20070824";
/** The resource flags that the kernel prints along with a BAR's start. */
const barFlagsShown = 0xfn;
const resources = 7;
const lineValueMax_bytes = 8;

export class MmiotraceWriter {
  private readonly tscFrequency_hz: bigint;

  constructor(tscFrequency_hz: number) {
    this.tscFrequency_hz = BigInt(Math.round(tscFrequency_hz));
  }

  /** The lines before the first event: the version, and one line a PCI function. */
  head(functions: readonly PciFunction[]): string {
    return [version, ...functions.map(pciLine)].map((line) => `${line}\n`).join("");
  }

  /** An event's lines, each with its line end; empty for what mmiotrace has no line for. */
  lines(event: TraceEvent): string {
    switch (event.kind) {
      case "read":
      case "write": {
        const letter = event.kind === "read" ? "R" : "W";
        const time = this.time(event.tsc);
        let lines = "";
        for (const part of partsOf(event.width_bytes)) {
          const value = (event.value >> BigInt(8 * part.offset)) & ((1n << BigInt(8 * part.width_bytes)) - 1n);
          const address = event.address + BigInt(part.offset);
          lines += `${letter} ${part.width_bytes} ${time} ${event.mapping} ${hex(address)} ${hex(value)} ${hex(event.site)} 0\n`;
        }
        return lines;
      }
      case "map": {
        const { mapping, address, decoy, length_bytes } = event;
        return `MAP ${this.time(event.tsc)} ${mapping} ${hex(address)} ${hex(decoy)} ${hex(length_bytes)} 0x0 0\n`;
      }
      case "unmap":
        return `UNMAP ${this.time(event.tsc)} ${event.mapping | 0} 0x0 0\n`;
      case "mark":
        return `MARK ${this.time(event.tsc)} ${event.text.replace(/\n+$/, "").replaceAll("\n", " ")}\n`;
      case "lost":
        return `MARK 0.000000 Lost ${event.count} events.\n`;
      case "escape": {
        const bytes = Array.from({ length: 3 }, (_, index) =>
          (event.instruction[index] ?? 0).toString(16).padStart(2, "0"),
        );
        return `UNKNOWN ${this.time(event.tsc)} ${event.mapping} ${hex(event.address)} ${bytes.join(",")} ${hex(event.site)} 0\n`;
      }
      default:
        return "";
    }
  }

  /** Seconds with six decimals, since the TSC was 0: about since boot, as in the kernel. */
  private time(tsc: bigint): string {
    const time_us = (tsc * 1_000_000n) / this.tscFrequency_hz;
    return `${time_us / 1_000_000n}.${(time_us % 1_000_000n).toString().padStart(6, "0")}`;
  }
}

const hex = (value: bigint) => `0x${value.toString(16)}`;
const bare = (text: string) => BigInt(text).toString(16);

/** Pieces of at most eight bytes, each a width that a line can have. */
function partsOf(width_bytes: number): { offset: number; width_bytes: number }[] {
  if (width_bytes <= lineValueMax_bytes) return [{ offset: 0, width_bytes }];
  const parts = [];
  for (let offset = 0; offset < width_bytes; offset += lineValueMax_bytes) {
    parts.push({ offset, width_bytes: Math.min(lineValueMax_bytes, width_bytes - offset) });
  }
  return parts;
}

/** `PCIDEV BBDD VVVVDDDD IRQ b0 … b6 l0 … l6 DRIVER`, all hexadecimal without 0x. The PCI domain isn't shown. */
function pciLine(found: PciFunction): string {
  const place = /([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i.exec(found.address);
  const bus = place === null ? 0 : Number.parseInt(place[1]!, 16);
  const devfn = place === null ? 0 : (Number.parseInt(place[2]!, 16) << 3) | Number(place[3]);
  const byte = (value: number) => value.toString(16).padStart(2, "0");
  const half = (text: string) => bare(text).padStart(4, "0");
  const bars = Array.from({ length: resources }, (_, index) => found.bars.find((bar) => bar.index === index));
  const starts = bars.map((bar) =>
    bar === undefined ? "0" : (BigInt(bar.start) | (BigInt(bar.flags) & barFlagsShown)).toString(16),
  );
  const lengths = bars.map((bar) => (bar === undefined ? "0" : bare(bar.length_bytes)));
  const ids = `${half(found.vendor)}${half(found.device)}`;
  return `PCIDEV ${byte(bus)}${byte(devfn)} ${ids} ${found.irq.toString(16)} ${[...starts, ...lengths].join(" ")} ${found.driver ?? ""}`;
}

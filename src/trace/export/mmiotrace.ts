// Exports a trace's events as the text of the kernel's mmiotrace, version 20070824 (kernel/trace/trace_mmiotrace.c), line for
// line as the kernel prints it, so that every tool made for mmiotrace can read it.
//
// Facts that have no place in its lines are left out (CPU, process, symbols, modules) or written as mmiotrace would: an access
// of more than eight bytes becomes one line for every eight, an escape becomes UNKNOWN, lost records become its
// "Lost N events." mark.
import { assertUnreachable } from "../../base/assert.js";
import { concatBytes, latin1Bytes, utf8Bytes } from "../../base/bytes.js";
import { hex } from "../../base/hex.js";
import type { TraceEvent } from "../events.js";
import type { PciFunction, TraceHeader } from "../header.js";
import { mmiotraceHead, mmiotraceProducer } from "../mmiotrace-head.js";
import { RecordFlag } from "../record.js";
import { TraceState } from "../state.js";

const lineValueMax_bytes = 8;
const newline = 0x0a;
const carriageReturn = 0x0d;

export class MmiotraceWriter {
  private readonly tscFrequency_hz: bigint;
  /** The first lines of the mmiotrace log that the trace was made from, if any. */
  private readonly importedHead: string | undefined;
  /** Its lines ended in carriage return and line feed. */
  private readonly endsInReturns: boolean;

  constructor(header: TraceHeader) {
    this.tscFrequency_hz = BigInt(Math.round(header.clock.tscFrequency_hz));
    this.importedHead =
      header.producer === mmiotraceProducer
        ? (header.importedHead ?? mmiotraceHead(new TraceState(header).pciFunctions))
        : undefined;
    this.endsInReturns = this.importedHead !== undefined && header.importedLineEnd === "\r\n";
  }

  /** Makes the lines before the first event: the version, and one line for each PCI function; or those of the imported log. */
  head(functions: readonly PciFunction[]): string | Uint8Array {
    // an imported head has a character for each byte
    return this.importedHead === undefined ? mmiotraceHead(functions) : latin1Bytes(this.importedHead);
  }

  /**
   * An event's lines, each with its line end; empty for what mmiotrace has no line for. Bytes where they are no UTF-8: those of
   * a mark stay as they are.
   */
  lines(event: TraceEvent): string | Uint8Array {
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
          lines += `${letter} ${part.width_bytes} ${time} ${event.mapping | 0} ${hex(address)} ${hex(value)} ${hex(event.site)} 0\n`;
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
        return `MARK 0.000000 Lost ${event.count} events.\n`;
      case "escape": {
        const bytes = Array.from({ length: 3 }, (_, index) =>
          (event.instruction[index] ?? 0).toString(16).padStart(2, "0"),
        );
        return `UNKNOWN ${this.time(event.tsc)} ${event.mapping | 0} ${hex(event.address)} ${bytes.join(",")} ${hex(event.site)} 0\n`;
      }
      case "unrecorded": {
        const { address, length_bytes, way } = event;
        return `MARK ${this.time(event.tsc)} Unrecorded mapping of ${hex(length_bytes)} bytes at ${hex(address)} (${way})\n`;
      }
      case "symbol":
      case "module":
      case "unknown":
        return "";
      default:
        return assertUnreachable(event);
    }
  }

  /** Formats the seconds since the TSC was 0, about the boot, with six decimals, as the kernel does. */
  private time(tsc: bigint): string {
    const time_us = (tsc * 1_000_000n) / this.tscFrequency_hz;
    return `${time_us / 1_000_000n}.${(time_us % 1_000_000n).toString().padStart(6, "0")}`;
  }
}

/** Splits a width into pieces of at most eight bytes, each a width that a line can have. */
function partsOf(width_bytes: number): { offset: number; width_bytes: number }[] {
  if (width_bytes <= lineValueMax_bytes) return [{ offset: 0, width_bytes }];
  const parts = [];
  for (let offset = 0; offset < width_bytes; offset += lineValueMax_bytes) {
    parts.push({ offset, width_bytes: Math.min(lineValueMax_bytes, width_bytes - offset) });
  }
  return parts;
}

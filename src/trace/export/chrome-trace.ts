// Exports a trace for Perfetto's and Chrome's trace viewers: their JSON format ("Trace Event Format"). A track for each CPU and
// for each device's BAR with an instant for each access, a slice for each mapping's and each DMA buffer's life and for each run of an
// interrupt's handler, counters of accesses a millisecond.

import { assertUnreachable } from "../../base/assert.js";
import { countOf } from "../../base/units.js";
import { dmaName } from "../dma.js";
import type { AccessEvent, InterruptEvent, TraceEvent } from "../events.js";
import { barName, isLacking, type TraceHeader } from "../header.js";
import { RecordFlag } from "../record.js";
import type { TraceState } from "../state.js";
import type { TellRegister } from "../text.js";
import { type EventRow, EventRows } from "./event-rows.js";
import type { TextExport } from "./text-export.js";

/** The format's processes are groups of tracks: these are ours. */
const cpuGroup = 1;
const deviceGroup = 2;
const counterEvery_ns = 1_000_000n;
const devicesMax = 4_096;
/** Events without a time before the first one with a time that are shown: a log's head reports few losses. */
const earlyMax = 4_096;
/** The track of accesses outside all BARs. */
const elsewhere = "other addresses";

export class ChromeTrace implements TextExport {
  private readonly rows: EventRows;
  private readonly name: string;
  private readonly hasCpus: boolean;
  private readonly cpus = new Set<number>();
  private readonly devices = new Map<string, { track: number; reads: number; writes: number }>();
  private readonly mappings = new Map<number, EventRow>();
  private readonly buffers = new Map<number, EventRow>();
  /** The handlers that run on each CPU, the innermost last. */
  private readonly running = new Map<number, string[]>();
  private counterAt_ns: bigint | undefined;
  /** Undefined before the first event with a time. */
  private last_ns: bigint | undefined;
  /** Events without a time before it. */
  private readonly early: { event: TraceEvent; row: EventRow }[] = [];
  private first = true;

  constructor(header: TraceHeader, name: string, tellRegister?: TellRegister) {
    this.rows = new EventRows(header, name, tellRegister);
    this.name = name;
    this.hasCpus = !isLacking(header, "cpu");
  }

  head(): string {
    return `{"displayTimeUnit":"ns","otherData":${JSON.stringify({ trace: this.name })},"traceEvents":[\n${this.names(cpuGroup, "CPUs")}${this.names(deviceGroup, "devices")}`;
  }

  event(event: TraceEvent, state: TraceState): string {
    const row = this.rows.row(event, state);
    if (row === undefined) return "";
    // An event without a time (mmiotrace's mark of lost events) is shown at the time of the event before it, or of the first one.
    const time_ns = row.time_ns ?? this.last_ns;
    if (time_ns === undefined) {
      if (this.early.length < earlyMax) this.early.push({ event, row });
      return "";
    }
    this.last_ns = time_ns;
    const early = this.early.splice(0).map((one) => this.at(one.event, one.row, time_ns));
    return early.join("") + this.at(event, row, time_ns);
  }

  private at(event: TraceEvent, row: EventRow, time_ns: bigint): string {
    switch (event.kind) {
      case "read":
      case "write":
        return this.counters(time_ns) + this.access(event, row, time_ns);
      case "map":
        this.mappings.set(event.mapping, row);
        return this.mapping("b", row, time_ns);
      case "unmap":
        if (!this.mappings.delete(event.mapping)) return "";
        return this.mapping("e", row, time_ns);
      case "lost":
        return this.instant("g", lostLabel(row), cpuGroup, row.cpu ?? 0, time_ns, row);
      case "interrupt":
        return this.interrupt(event, row, time_ns);
      case "dma-map":
        this.buffers.set(event.buffer, row);
        return this.buffer("b", event.buffer, row, time_ns);
      case "dma-unmap": {
        const ended = event.buffers.filter((number) => this.buffers.delete(number));
        return ended.map((number) => this.buffer("e", number, row, time_ns)).join("");
      }
      case "mark":
      case "escape":
      case "module":
      case "unrecorded":
      case "symbol":
      case "unknown":
        return this.instant("g", label(row), cpuGroup, row.cpu ?? 0, time_ns, row);
      default:
        return assertUnreachable(event);
    }
  }

  end(): string {
    let text = "";
    for (const row of this.mappings.values()) text += this.mapping("e", row, this.last_ns ?? 0n);
    for (const [number, row] of this.buffers) text += this.buffer("e", number, row, this.last_ns ?? 0n);
    if (this.counterAt_ns !== undefined) text += this.counterLines(this.counterAt_ns);
    return `${text}\n]}\n`;
  }

  /** A handler's run is a slice on its CPU's track; one in a thread, which may change CPUs, among the devices. */
  private interrupt(event: InterruptEvent, row: EventRow, time_ns: bigint): string {
    const name = JSON.stringify(`interrupt ${event.irq}: ${row.site ?? row.device}`);
    const isEntry = event.phase === "entry";
    const args = isEntry ? `,"args":${JSON.stringify(argsOf(row))}` : "";
    const common = `"cat":"interrupt","name":${name},"ts":${microseconds(time_ns)}${args}`;
    const key = `${event.irq} ${event.site}`;
    if ((event.flags & RecordFlag.thread) !== 0) {
      return this.line(
        `{"ph":"${isEntry ? "b" : "e"}","id":"thread ${event.irq} ${event.pid}","pid":${deviceGroup},"tid":0,${common}}`,
      );
    }
    const running = this.running.get(event.cpu) ?? [];
    this.running.set(event.cpu, running);
    if (isEntry) running.push(key);
    // an end without its beginning would end another handler's slice
    else if (running.pop() !== key) return "";
    return (
      this.cpuTrack(event.cpu) +
      this.line(`{"ph":"${isEntry ? "B" : "E"}","pid":${cpuGroup},"tid":${event.cpu},${common}}`)
    );
  }

  private buffer(phase: "b" | "e", number: number, row: EventRow, time_ns: bigint): string {
    const name = JSON.stringify(`${dmaName(number)}: ${row.device}`);
    const args = phase === "b" ? `,"args":${JSON.stringify(argsOf(row))}` : "";
    return this.line(
      `{"ph":"${phase}","cat":"dma","id":${number},"name":${name},"pid":${deviceGroup},"tid":0,"ts":${microseconds(time_ns)}${args}}`,
    );
  }

  /** Names the CPU's track before its first event. */
  private cpuTrack(cpu: number): string {
    if (this.cpus.has(cpu)) return "";
    this.cpus.add(cpu);
    return this.threadName(cpuGroup, cpu, this.hasCpus ? `CPU ${cpu}` : "CPU not known");
  }

  private access(event: AccessEvent, row: EventRow, time_ns: bigint): string {
    let deviceName =
      row.device === undefined
        ? elsewhere
        : [row.device, row.driver ?? row.pci_id, barName(row.bar!)].filter((word) => word !== undefined).join(" ");
    // A hostile trace may have any number of devices.
    if (!this.devices.has(deviceName) && this.devices.size >= devicesMax) deviceName = elsewhere;
    let text = this.cpuTrack(event.cpu);
    let device = this.devices.get(deviceName);
    if (device === undefined) {
      device = { track: this.devices.size + 1, reads: 0, writes: 0 };
      this.devices.set(deviceName, device);
      text += this.threadName(deviceGroup, device.track, deviceName);
    }
    if (event.kind === "read") device.reads += 1;
    else device.writes += 1;
    const name = label(row);
    text += this.instant("t", name, cpuGroup, event.cpu, time_ns, row);
    text += this.instant("t", name, deviceGroup, device.track, time_ns, row);
    return text;
  }

  private instant(
    scope: "t" | "g",
    name: string,
    group: number,
    track: number,
    time_ns: bigint,
    row: EventRow,
  ): string {
    const args = JSON.stringify(argsOf(row));
    return this.line(
      `{"ph":"i","s":"${scope}","name":${JSON.stringify(name)},"cat":"${row.op}","pid":${group},"tid":${track},"ts":${microseconds(time_ns)},"args":${args}}`,
    );
  }

  private mapping(phase: "b" | "e", row: EventRow, time_ns: bigint): string {
    const begun = phase === "b" ? row : (this.mappings.get(row.mapping!) ?? row);
    const where =
      begun.device === undefined ? `0x${begun.address?.toString(16)}` : `${begun.device} ${barName(begun.bar!)}`;
    const args = phase === "b" ? `,"args":${JSON.stringify(argsOf(row))}` : "";
    return this.line(
      `{"ph":"${phase}","cat":"mapping","id":${row.mapping},"name":${JSON.stringify(`mapping ${row.mapping}: ${where}`)},"pid":${deviceGroup},"tid":0,"ts":${microseconds(time_ns)}${args}}`,
    );
  }

  /** Writes the counters of a millisecond that is over. */
  private counters(time_ns: bigint): string {
    const now = time_ns / counterEvery_ns;
    const before = this.counterAt_ns;
    if (before !== undefined && now === before) return "";
    this.counterAt_ns = now;
    return before === undefined
      ? ""
      : this.counterLines(before) + (now > before + 1n ? this.zeroLines(before + 1n) : "");
  }

  private counterLines(at: bigint): string {
    let text = "";
    for (const [name, device] of this.devices) {
      text += this.counterLine(name, at, device.reads, device.writes);
      device.reads = device.writes = 0;
    }
    return text;
  }

  private zeroLines(at: bigint): string {
    return [...this.devices.keys()].map((name) => this.counterLine(name, at, 0, 0)).join("");
  }

  private counterLine(device: string, at: bigint, reads: number, writes: number): string {
    const name = JSON.stringify(`accesses/ms ${device}`);
    return this.line(
      `{"ph":"C","name":${name},"pid":${deviceGroup},"ts":${microseconds(at * counterEvery_ns)},"args":{"reads":${reads},"writes":${writes}}}`,
    );
  }

  private names(group: number, name: string): string {
    return this.line(`{"ph":"M","name":"process_name","pid":${group},"args":{"name":"${name}"}}`);
  }

  private threadName(group: number, track: number, name: string): string {
    return this.line(
      `{"ph":"M","name":"thread_name","pid":${group},"tid":${track},"args":{"name":${JSON.stringify(name)}}}`,
    );
  }

  private line(text: string): string {
    const comma = this.first ? "" : ",\n";
    this.first = false;
    return comma + text;
  }
}

const lostLabel = ({ count, time_ns }: EventRow) =>
  `LOST: ${count === undefined ? "an unknown number of records" : countOf(count, "record")}${time_ns === undefined ? ", at an unknown time" : ""}`;

/** Makes an event's label: `R CTRL = 0x40240`, `W +0xd8 = 0xffffffff`, a mark's text, … */
function label(row: EventRow): string {
  if (row.op !== "read" && row.op !== "write") return row.text === undefined ? row.op : `${row.op}: ${row.text}`;
  const letter = row.op === "read" ? "R" : "W";
  const where =
    row.register ?? (row.offset === undefined ? `0x${row.address!.toString(16)}` : `+0x${row.offset.toString(16)}`);
  return `${letter} ${where} = 0x${row.value!.toString(16)}`;
}

/** Returns the details that a click on an event shows. */
function argsOf(row: EventRow): Record<string, string | number> {
  const args: Record<string, string | number> = {};
  const take = (name: string, value: string | number | bigint | undefined) => {
    if (value !== undefined) args[name] = typeof value === "bigint" ? `0x${value.toString(16)}` : value;
  };
  take("event", Number(row.event));
  take("pid", row.pid);
  take("context", row.context);
  take("flags", row.flags);
  take("width_bytes", row.width_bytes);
  take("address", row.address);
  take("offset", row.offset);
  take("value", row.value);
  take("meaning", row.meaning);
  take("site", row.site);
  take("caller", row.caller);
  take("mapping", row.mapping);
  take("vector", row.vector);
  take("bus", row.bus);
  take("length_bytes", row.length_bytes);
  take("dma", row.dma);
  return args;
}

/** Formats a time in the format's unit, with three decimals. */
function microseconds(time_ns: bigint): string {
  const sign = time_ns < 0n ? "-" : "";
  const size = time_ns < 0n ? -time_ns : time_ns;
  return `${sign}${size / 1000n}.${(size % 1000n).toString().padStart(3, "0")}`;
}

// Counts a trace's interrupts, by handler and CPU, and its DMA buffers, by function, way and direction.
import type { DmaDirection, DmaWay } from "../../trace/dma-kinds.js";
import { handlerName } from "../../trace/event-words.js";
import type { DmaMapEvent, DmaUnmapEvent, InterruptEvent } from "../../trace/events.js";
import { RecordFlag } from "../../trace/record.js";
import type { EventView } from "../view/event-view.js";

/** The runs of one handler of a function's interrupt on one CPU. */
export interface InterruptStatistics {
  readonly irq: number;
  /** PCI address. */
  readonly device: string;
  readonly driver: string | null;
  readonly cpu: number;
  /** `e1000_intr [e1000]`, or the address; null where none was recorded. */
  readonly handler: string | null;
  /** It ran in the interrupt's thread. */
  readonly inThread: boolean;
  readonly runs: number;
  /** Runs after which the handler said that its device had raised the interrupt. */
  readonly handled: number;
  /** Time between beginning and return, of the runs that have both; null if there is none. */
  readonly time_s: { readonly all: number; readonly mean: number; readonly greatest: number } | null;
}

/** The DMA buffers of one function, given in one way and direction. */
export interface DmaStatistics {
  /** PCI address. */
  readonly device: string;
  readonly driver: string | null;
  readonly way: DmaWay;
  readonly direction: DmaDirection;
  readonly buffers: number;
  /** Of all buffers together. */
  readonly bytes: number;
  readonly greatest_bytes: number;
  /** Buffers of these that ended. */
  readonly ended: number;
  /** Ends of buffers from before the recording. */
  readonly endedUnknown: number;
}

interface InterruptRow {
  irq: number;
  device: string;
  driver: string | null;
  cpu: number;
  handler: string | null;
  inThread: boolean;
  runs: number;
  handled: number;
  timed: number;
  ticks: number;
  greatest: number;
}

interface Run {
  row: InterruptRow;
  tsc: bigint;
}

/** Most handlers whose beginning is known and whose end isn't, on one CPU: more than interrupt each other. */
const runsMax = 64;
/** Most threads in a handler at once. */
const threadsMax = 65_536;

export class InterruptTally {
  private readonly rows = new Map<string, InterruptRow>();
  /** The runs under way on each CPU, the innermost last. */
  private readonly onCpu = new Map<number, Run[]>();
  /** Those in threads, by process. */
  private readonly inThread = new Map<number, Run>();

  add(view: EventView, event: InterruptEvent): void {
    const row = this.rowOf(view, event);
    if (event.phase === "entry") {
      row.runs += 1;
      this.begin({ row, tsc: event.tsc }, event);
      return;
    }
    if (event.handled) row.handled += 1;
    const run = this.end(row, event);
    if (run === undefined) return;
    const ticks = Number(event.tsc - run.tsc);
    // A thread may have begun on another CPU: its time counts there.
    run.row.timed += 1;
    run.row.ticks += ticks;
    run.row.greatest = Math.max(run.row.greatest, ticks);
  }

  private rowOf(view: EventView, event: InterruptEvent): InterruptRow {
    const { irq, device, cpu, site } = event;
    const inThread = (event.flags & RecordFlag.thread) !== 0;
    const key = `${irq} ${device} ${cpu} ${site} ${inThread}`;
    let row = this.rows.get(key);
    if (row === undefined) {
      const handler = site === 0n ? null : handlerName(view.symbol ?? `0x${site.toString(16)}`);
      row = { irq, device, driver: null, cpu, handler, inThread, runs: 0, handled: 0, timed: 0, ticks: 0, greatest: 0 };
      this.rows.set(key, row);
    }
    row.driver ??= view.function?.driver ?? null;
    return row;
  }

  private begin(run: Run, event: InterruptEvent): void {
    if (run.row.inThread) {
      if (this.inThread.size < threadsMax) this.inThread.set(event.pid, run);
      return;
    }
    const runs = this.onCpu.get(event.cpu) ?? [];
    this.onCpu.set(event.cpu, runs);
    // ends are lost, too
    if (runs.length >= runsMax) runs.shift();
    runs.push(run);
  }

  /** Returns the run that ends. */
  private end(row: InterruptRow, event: InterruptEvent): Run | undefined {
    if (row.inThread) {
      const run = this.inThread.get(event.pid);
      this.inThread.delete(event.pid);
      return run?.row.handler === row.handler ? run : undefined;
    }
    const run = this.onCpu.get(event.cpu)?.pop();
    return run?.row === row ? run : undefined;
  }

  /** Returns the rows, the most frequent first. `driverOf`: the driver that a function had at any time. */
  result(tscFrequency_hz: number, driverOf: (device: string) => string | null): InterruptStatistics[] {
    const seconds = (ticks: number) => ticks / tscFrequency_hz;
    const rows = [...this.rows.values()].sort((a, b) => b.runs - a.runs);
    return rows.map(({ timed, ticks, greatest, ...row }) => ({
      ...row,
      driver: row.driver ?? driverOf(row.device),
      time_s: timed === 0 ? null : { all: seconds(ticks), mean: seconds(ticks / timed), greatest: seconds(greatest) },
    }));
  }
}

export class DmaTally {
  private readonly rows = new Map<string, { -readonly [name in keyof DmaStatistics]: DmaStatistics[name] }>();

  add(view: EventView, event: DmaMapEvent | DmaUnmapEvent): void {
    const { device, way, direction } = event;
    const key = `${device} ${way} ${direction}`;
    let row = this.rows.get(key);
    if (row === undefined) {
      const counts = { buffers: 0, bytes: 0, greatest_bytes: 0, ended: 0, endedUnknown: 0 };
      row = { device, driver: null, way, direction, ...counts };
      this.rows.set(key, row);
    }
    row.driver ??= view.function?.driver ?? null;
    if (event.kind === "dma-unmap") {
      row.ended += event.buffers.length;
      if (event.buffers.length === 0) row.endedUnknown += 1;
      return;
    }
    const bytes = Number(event.length_bytes);
    row.buffers += 1;
    row.bytes += bytes;
    row.greatest_bytes = Math.max(row.greatest_bytes, bytes);
  }

  /** Returns the rows, the most frequent first. `driverOf`: the driver that a function had at any time. */
  result(driverOf: (device: string) => string | null): DmaStatistics[] {
    const rows = [...this.rows.values()].sort((a, b) => b.buffers - a.buffers);
    return rows.map((row) => ({ ...row, driver: row.driver ?? driverOf(row.device) }));
  }
}

// A recording by engine `singlestep`: the kernel's own mmiotrace, with the same trace and the same end as engine `emulate`.
// It reports its costs: CPUs switched off, accesses that mmiotrace can't decode.
import { setTimeout as sleep } from "node:timers/promises";
import { formatRange } from "../../base/address-range.js";
import { countOf } from "../../base/units.js";
import { collectHeader, wallClock_ns } from "../../machine/describe-machine.js";
import { bind, bindingsOf, unbind } from "../../machine/driver-binding.js";
import { readPciFunctions } from "../../machine/pci.js";
import type { KernelMapping } from "../../machine/vmallocinfo.js";
import type { PciFunction, TraceHeader } from "../../trace/header.js";
import { mmiotraceLacks } from "../../trace/mmiotrace-head.js";
import { findEarlyMappings } from "../early-mappings.js";
import type { TextSource } from "../feed/record-source.js";
import { openFeed, type TraceFeed } from "../feed/trace-feed.js";
import { TraceKeeper } from "../feed/trace-keeper.js";
import { Fence } from "../fence.js";
import { MappingCheck, readKernelMappings } from "../mapping-check.js";
import { PortWatch } from "../port-watch.js";
import type { Recording, RecordingProgress, RecordingRequest, RecordingResult } from "../recording.js";
import { type MmiotraceParameters, MmiotraceSource } from "./mmiotrace-source.js";
import { Mmiotracer } from "./mmiotracer.js";

/** mmiotrace prints microseconds. */
const clock_hz = 1_000_000;
/** Longest wait for a driver that never rests. */
const empty_ms = 2_000;

export class SinglestepRecording implements Recording {
  private readonly tracer: Mmiotracer;
  private readonly source: TextSource;
  private readonly fence: Fence | undefined;
  private readonly trace: TraceKeeper;
  readonly earlyMappings: readonly KernelMapping[];
  readonly earlyOthers: readonly string[];
  private readonly all: boolean;

  /** Switches mmiotrace on and begins to record. Throws UserError; then nothing has changed. Needs root. */
  static async start(options: RecordingRequest): Promise<SinglestepRecording> {
    const tracer = await Mmiotracer.prepare();
    const bindings = options.rebind ? bindingsOf(options.scope.functions.map((found) => found.address)) : [];
    let unbound = false;
    let source: MmiotraceSource | undefined;
    let recording: SinglestepRecording;
    try {
      await unbind(bindings);
      unbound = true;
      const ranges = options.scope.all ? "all" : options.scope.ranges;
      const early = earlyMappings(ranges);
      const pciFunctions = readPciFunctions();
      const earlyOthers = findEarlyMappings({ ranges, leftOut: [], excludeWriteCombining: false }, pciFunctions);
      const fence = Fence.inLab(options.onNotice);
      tracer.start(options.ring_bytes);
      source = new MmiotraceSource(ranges);
      // nothing is mapped under mmiotrace yet
      fence?.writeBegin();
      const header = collectHeader({
        engine: "singlestep",
        clock: monotonicClock(),
        options: {
          filter: options.scope.asked,
          relaxed: false,
          cleanRoom: false,
          excludeWriteCombining: false,
          ring_bytes: options.ring_bytes,
        },
        commandLine: options.commandLine,
        fence: fence?.id ?? null,
        // of the CPUs only the first is on
        lacks: mmiotraceLacks.filter((fact) => fact !== "cpu"),
        pciFunctions,
      });
      const parameters: MmiotraceParameters = { ranges: ranges === "all" ? ranges : ranges.map(formatRange) };
      const feed = await openFeed<TextSource>({
        ...{ output: options.output, user: options.user, header, source, descriptor: source.descriptor },
        standIn: (child) => child.source,
        worker: { url: new URL("./singlestep-worker.js", import.meta.url), parameters },
      });
      // if another process reads it, close it here: mmiotrace stays on while it is open
      if (feed.source !== source) source.close();
      recording = new SinglestepRecording({
        tracer,
        fence,
        early,
        earlyOthers,
        all: options.scope.all,
        functions: options.scope.functions,
        header,
        feed,
      });
    } catch (error) {
      source?.close();
      await tracer.restore();
      if (unbound) for (const binding of bindings) await bind(binding).catch(() => {});
      throw error;
    }
    options.onNotice(costs(tracer.cpusOff));
    await recording.trace.bindAgain(bindings);
    return recording;
  }

  private constructor(parts: {
    tracer: Mmiotracer;
    fence: Fence | undefined;
    early: readonly KernelMapping[];
    earlyOthers: readonly string[];
    all: boolean;
    functions: readonly PciFunction[];
    header: TraceHeader;
    feed: TraceFeed<TextSource>;
  }) {
    this.tracer = parts.tracer;
    this.source = parts.feed.source;
    this.fence = parts.fence;
    this.earlyMappings = parts.early;
    this.earlyOthers = parts.earlyOthers;
    this.all = parts.all;
    this.trace = new TraceKeeper(parts.feed, parts.header, { ports: new PortWatch(parts.functions, parts.early) });
  }

  get broken(): Promise<void> {
    return this.trace.broken;
  }

  progress(): RecordingProgress {
    return {
      accesses: this.trace.accesses,
      lost: this.source.lost,
      escaped: this.source.unknown,
      mappings: this.source.livingMappings,
    };
  }

  async stop(): Promise<RecordingResult> {
    this.trace.stopLooking();
    await Promise.race([this.source.emptied(), sleep(empty_ms, undefined, { ref: false })]);
    this.trace.attempt(() => this.tracer.pause());
    await this.source.end();
    this.trace.attempt(() => this.fence?.writeEnd());
    await this.trace.drainRest();
    await this.source.close();
    // the CPUs first, so that the machine is complete again even if the trace fails
    const problem = await this.tracer.restore();
    if (problem !== undefined) this.trace.problems.push(problem);
    const { lost, unknown: escaped, mappings } = this.source;
    return await this.trace.close({ lost, escaped, missed: 0, unrecorded: 0, mappings, incomplete: this.incomplete() });
  }

  private incomplete(): string[] {
    const sentences: string[] = [];
    for (const mapping of this.all ? [] : this.earlyMappings) {
      sentences.push(
        `the mapping ${formatRange(mapping)} by ${mapping.caller} was made before recording began: ` +
          "mmiotrace doesn't see it, and accesses through it are not in the trace",
      );
    }
    for (const other of this.all ? [] : this.earlyOthers) {
      sentences.push(`${other}: mmiotrace doesn't see it, and accesses through it are not in the trace`);
    }
    if (this.source.lost > 0) {
      sentences.push(
        `${countOf(this.source.lost, "event was", "events were")} lost because mmiotrace's buffer was full; a larger --ring-size helps`,
      );
    }
    if (this.source.unknown > 0) {
      sentences.push(
        `${countOf(this.source.unknown, "access was made by an instruction", "accesses were made by instructions")} that mmiotrace can't decode: ` +
          "the trace has where, but not what they read or wrote; engine emulate decodes them",
      );
    }
    return sentences;
  }
}

function earlyMappings(ranges: RecordingRequest["scope"]["ranges"] | "all"): readonly KernelMapping[] {
  return new MappingCheck(ranges, { mappings: readKernelMappings, living: () => [], leftOut: () => [] }).early;
}

/** Ties mmiotrace's clock, which is set to the kernel's monotonic one, to the wall clock; hrtime reads the same one. */
function monotonicClock(): TraceHeader["clock"] {
  const before_ns = wallClock_ns();
  const monotonic_us = process.hrtime.bigint() / 1_000n;
  const wall_ns = (before_ns + wallClock_ns()) / 2n;
  return { tsc: `0x${monotonic_us.toString(16)}`, wall_ns: `0x${wall_ns.toString(16)}`, tscFrequency_hz: clock_hz };
}

function costs(cpusOff: readonly number[]): string {
  const off =
    cpusOff.length === 0
      ? "no CPU had to be switched off"
      : `CPU${cpusOff.length === 1 ? "" : "s"} ${cpusOff.join(", ")} ${cpusOff.length === 1 ? "is" : "are"} off until it ends`;
  return `engine singlestep: ${off}; what mmiotrace can't decode is counted as escaped`;
}

// A recording of kernel drivers by engine `emulate`, from start to stop: core, scope, drain, checks, unloading.
// Prints nothing and knows no command line: those are cli/commands/record.ts's.
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { formatRange } from "../../base/address-range.js";
import { isSystemError, messageOf, UserError } from "../../base/errors.js";
import { countOf } from "../../base/units.js";
import { clockPair, collectHeader } from "../../machine/describe-machine.js";
import { type Binding, bind, bindingsOf, unbind } from "../../machine/driver-binding.js";
import { memoryTypeList, parseWriteCombining } from "../../machine/memory-types.js";
import { readPciFunctions } from "../../machine/pci.js";
import type { MovedModule } from "../../machine/rewritten-module.js";
import { readSystemRam } from "../../machine/system-ram.js";
import type { KernelMapping } from "../../machine/vmallocinfo.js";
import { portRanges, type TraceHeader } from "../../trace/header.js";
import { abiVersion } from "../../trace/record.js";
import { findEarlyMappings, type WantedMemory } from "../early-mappings.js";
import { openFeed, type TraceFeed } from "../feed/trace-feed.js";
import { TraceKeeper } from "../feed/trace-keeper.js";
import { newFenceId } from "../fence.js";
import { MappingCheck, readKernelMappings } from "../mapping-check.js";
import { PortWatch } from "../port-watch.js";
import type { Recording, RecordingProgress, RecordingRequest, RecordingResult } from "../recording.js";
import { rangesMax } from "../recording-scope.js";
import type { ControlDevice, CoreStatus, EventSource } from "./control-device.js";
import { loadCore, unloadCore } from "./core-load.js";
import { missedNotes, seesEvents, unseenRemarks } from "./event-sentences.js";
import { unrecordedSentences, unwatchedRemarks } from "./unrecorded-sentences.js";

const lookAgain_ms = 50;
/** Most modules that the core takes (docs/control-device.md). */
const modulesMax = 64;

/** The exchange of a recording's drivers for others around it. */
export interface DriverExchange {
  /** The functions of the drivers that are put in; to be asked after `prepare`. */
  readonly moved: readonly MovedModule[];
  /** True if the instructions in and out of all of the drivers' code are recorded; to be asked after `prepare`. */
  readonly recordsPorts: boolean;
  /** Does what takes time. Throws UserError. */
  prepare(): Promise<void>;
  /**
   * Takes out the drivers that are loaded, with the functions in `bindings` unbound already. Throws UserError; the caller then calls
   * `giveBack`.
   */
  takeOut(bindings: readonly Binding[]): Promise<void>;
  /** Loads the others, once recording has begun. Returns problems, a sentence each. */
  putIn(): Promise<string[]>;
  /** Takes out the others and puts in those from before. Returns sentences about what isn't as before. */
  giveBack(): Promise<string[]>;
}

/** The differences between the engines that record with the core. */
export interface CoreEngine {
  engine: "emulate" | "instrument";
  exchange?: DriverExchange;
}

export class EmulateRecording implements Recording {
  private readonly options: RecordingRequest;
  private readonly device: ControlDevice;
  private readonly mappingCheck: MappingCheck | undefined;
  private readonly trace: TraceKeeper;
  readonly earlyOthers: readonly string[];
  private readonly incomplete: string[] = [];

  /**
   * Loads the core, arms it, and begins to record. Throws UserError; then nothing has changed. Needs root.
   */
  static async start(
    options: RecordingRequest,
    { engine, exchange }: CoreEngine = { engine: "emulate" },
  ): Promise<EmulateRecording> {
    const bindings = options.rebind ? bindingsOf(options.scope.functions.map((found) => found.address)) : [];
    const { engineOptions } = options;
    const device = await loadCore({
      file: engineOptions.coreFile,
      sign: engineOptions.sign,
      onBuild: (headers) => options.onNotice(`building the core with ${headers} (once for this kernel)`),
    });
    let unbound = false;
    let recording: EmulateRecording | undefined;
    try {
      await exchange?.prepare();
      const fence = newFenceId();
      configure(device, options, fence);
      device.command("arm");
      await unbind(bindings);
      unbound = true;
      await exchange?.takeOut(bindings);
      const pciFunctions = readPciFunctions();
      // The core counts since `arm`: a mapping that this look comes too early for isn't overlooked.
      const earlyOthers = findEarlyMappings(wantedMemory(options), pciFunctions);
      // Nothing that takes time stands between this look and the start: a mapping made in between would seem to be made after it.
      const mappingCheck = startCheck(device, options);
      device.command("start");
      requireFaults(device);
      const header = collectHeader({
        engine,
        clock: clockPair(() => device.status()),
        options: {
          filter: options.scope.asked,
          relaxed: engineOptions.relaxed === true,
          cleanRoom: engineOptions.cleanRoom === true,
          excludeWriteCombining: engineOptions.excludeWriteCombining === true,
          ...configurationOption(options),
          ...(exchange?.recordsPorts === true ? portsOption(options) : {}),
          ...eventOptions(options, device.status()),
          ring_bytes: options.ring_bytes,
        },
        commandLine: options.commandLine,
        fence: fence ?? null,
        pciFunctions,
      });
      const feed = await openFeed({
        ...{ output: options.output, user: options.user, header },
        ...{ source: device, descriptor: device.descriptor, standIn: () => device, moved: exchange?.moved },
        worker: { url: new URL("./emulate-worker.js", import.meta.url), parameters: {} },
      });
      recording = new EmulateRecording({ options, device, mappingCheck, earlyOthers, feed, header });
    } catch (error) {
      await device.close();
      await exchange?.giveBack();
      await unloadCore();
      if (unbound) for (const binding of bindings) await bind(binding).catch(() => {});
      throw error;
    }
    await recording.begin(bindings, exchange);
    return recording;
  }

  private constructor({
    options,
    device,
    mappingCheck,
    earlyOthers,
    feed,
    header,
  }: {
    options: RecordingRequest;
    device: ControlDevice;
    mappingCheck: MappingCheck | undefined;
    earlyOthers: readonly string[];
    feed: TraceFeed<ControlDevice>;
    header: TraceHeader;
  }) {
    this.earlyOthers = earlyOthers;
    this.options = options;
    this.device = device;
    this.mappingCheck = mappingCheck;
    // A mapping that is left out on purpose, or that nobody could see, is no sign that the driver uses ports.
    const knowsMappings = mappingCheck !== undefined && options.engineOptions.excludeWriteCombining !== true;
    const notHeardOf = [...(mappingCheck?.early ?? []), ...(options.engineOptions.exclude ?? [])];
    // A trace that has the ports misses none that is used directly.
    const watchesPorts = header.options.ports === undefined && knowsMappings;
    const ports = watchesPorts ? new PortWatch(options.scope.functions, notHeardOf) : undefined;
    this.trace = new TraceKeeper(feed, header, { onLook: () => this.look(), ports });
  }

  private async begin(bindings: readonly Binding[], exchange: DriverExchange | undefined): Promise<void> {
    this.checkHooks("at the start");
    const status = this.device.status();
    for (const remark of [...unwatchedRemarks(status), ...unseenRemarks(status)]) this.options.onNotice(remark);
    if (!this.options.scope.all) {
      for (const mapping of this.mappingCheck?.early ?? []) this.incomplete.push(earlySentence(mapping));
      this.incomplete.push(...this.earlyOthers.map(earlyOtherSentence));
    }
    this.trace.problems.push(...((await exchange?.putIn()) ?? []));
    await this.trace.bindAgain(bindings);
  }

  get broken(): Promise<void> {
    return this.trace.broken;
  }

  /** The mappings made before recording began, which are real, not decoys. */
  get earlyMappings(): readonly KernelMapping[] {
    return this.mappingCheck?.early ?? [];
  }

  progress(): RecordingProgress {
    const status = this.device.status();
    return {
      accesses: this.trace.accesses,
      lost: status.lost,
      escaped: status.escaped,
      mappings: status.living.filter((decoy) => !decoy.silent).length,
    };
  }

  /** Stops, reads the rest of the ring, and closes the trace. The caller then calls `unloadCore`. */
  async stop(): Promise<RecordingResult> {
    this.trace.stopLooking();
    this.look();
    await sleep(lookAgain_ms);
    this.look();
    this.checkHooks("at the end");
    this.trace.attempt(() => this.device.command("stop"));
    await this.trace.drainRest();
    const status = this.account(this.device.status());
    const { lost, escaped, missed, unrecorded, recorded } = status;
    // no access is missing
    const notes = missedNotes(status);
    for (const note of notes) this.options.onNotice(`note: ${note}`);
    const result = await this.trace.close({
      ...(notes.length === 0 ? {} : { notes }),
      ...{ lost, escaped, missed, unrecorded, mappings: recorded },
      incomplete: this.incomplete,
    });
    await this.device.close();
    return { ...result, withoutFault: status.rewritten };
  }

  private look(): void {
    try {
      for (const mapping of this.mappingCheck?.look() ?? []) this.incomplete.push(withoutDecoySentence(mapping));
    } catch (error) {
      const problem = `checking the mappings failed: ${messageOf(error)}`;
      const { problems } = this.trace;
      if (!problems.includes(problem)) problems.push(problem);
    }
  }

  private checkHooks(when: string): void {
    try {
      this.device.command("check");
    } catch (error) {
      const silent = error instanceof UserError && isSystemError(error.cause, "EIO");
      this.incomplete.push(
        silent
          ? `${when} of the recording the core's hooks did not fire: mappings may have been made without a decoy`
          : `${when} of the recording the core's hooks could not be checked: ${messageOf(error)}`,
      );
    }
  }

  /** Says of what the core counted why it makes the trace incomplete. */
  private account(status: CoreStatus): CoreStatus {
    if (status.lost > 0) {
      this.incomplete.push(
        `${countOf(status.lost, "record was", "records were")} lost because the ring was full; a larger --ring-size helps`,
      );
    }
    const unread = this.trace.unread(status.records);
    if (unread > 0) {
      this.incomplete.push(`${countOf(unread, "record")} of the core's ring, the last ones, could not be read`);
    }
    if (status.escaped > 0) {
      this.incomplete.push(
        `${countOf(status.escaped, "instruction was", "instructions were")} executed without emulation: ` +
          "the trace has where, but not what they read or wrote",
      );
    }
    if (status.missed > 0) {
      this.incomplete.push(
        `${countOf(status.missed, "call")} of the ioremap family went past the core's hooks: ` +
          "mappings may have been made without a decoy",
      );
    }
    if (status.past > 0) {
      this.incomplete.push(
        `${countOf(status.past, "access", "accesses")} to configuration space went past the bus's operations, ` +
          "as those of ACPI's methods do, and are not in the trace",
      );
    }
    this.incomplete.push(...unrecordedSentences(status));
    return status;
  }
}

/** Returns the header's option for the functions whose ports are recorded, whatever their drivers do with them. */
function portsOption({ scope }: RecordingRequest): Pick<TraceHeader["options"], "ports"> {
  const functions = scope.functions.filter((found) => portRanges(found).length > 0);
  return functions.length === 0 ? {} : { ports: functions.map(({ address }) => address) };
}

/** Returns the header's option for the functions whose configuration space is recorded. */
function configurationOption({
  scope,
  engineOptions,
}: RecordingRequest): Pick<TraceHeader["options"], "configuration"> {
  if (engineOptions.withoutConfiguration === true) return {};
  if (scope.all) return { configuration: "all" };
  return scope.functions.length === 0 ? {} : { configuration: scope.functions.map(({ address }) => address) };
}

/** Returns the events that are asked for: those of PCI functions. */
function wantedEvents({ scope, engineOptions }: RecordingRequest): Record<EventSource, boolean> {
  const hasFunctions = scope.all || scope.functions.length > 0;
  return {
    interrupts: hasFunctions && engineOptions.withoutInterrupts !== true,
    dma: hasFunctions && engineOptions.withoutDma !== true,
  };
}

/** Returns the header's options for the events that the core sees. */
function eventOptions(request: RecordingRequest, status: CoreStatus): Pick<TraceHeader["options"], EventSource> {
  const wanted = wantedEvents(request);
  return {
    interrupts: wanted.interrupts && seesEvents(status, "interrupts"),
    dma: wanted.dma && seesEvents(status, "dma"),
  };
}

/** Configures the core for the recording. */
function configure(device: ControlDevice, options: RecordingRequest, fence: string | undefined): void {
  const { exclude = [], excludeWriteCombining, relaxed, cleanRoom } = options.engineOptions;
  const abi = device.status().abi;
  if (abi !== abiVersion) {
    throw new UserError(`the loaded core speaks version ${abi} of its interface, this program version ${abiVersion}`, {
      advice: "unload it (rmmod mmiostrider) so that the one that fits is loaded",
    });
  }
  if (options.scope.all) {
    device.command("all");
    for (const range of readSystemRam(rangesMax)) device.command(`ram ${formatRange(range)}`);
  }
  for (const range of options.scope.ranges) device.command(`range ${formatRange(range)}`);
  for (const range of options.scope.ports) device.command(`ports ${formatRange(range)}`);
  for (const { address } of options.scope.functions) device.command(`function ${address}`);
  if (configurationOption(options).configuration !== undefined) device.command("configuration");
  const events = wantedEvents(options);
  if (events.interrupts) device.command("interrupts");
  if (events.dma) device.command("dma");
  for (const range of exclude) device.command(`exclude ${formatRange(range)}`);
  const { builtIn, drivers, libraries } = options.scope.modules;
  if (builtIn) device.command("no-callers");
  for (const name of drivers) device.command(`driver ${name}`);
  for (const name of libraries.slice(0, modulesMax - drivers.length)) device.command(`library ${name}`);
  if (excludeWriteCombining) device.command("exclude-wc");
  device.command(`ring ${options.ring_bytes}`);
  if (relaxed) device.command("relaxed");
  if (fence !== undefined) device.command(`fence ${fence}`);
  if (cleanRoom) device.command("clean-room");
}

/** Throws UserError if the CPU accesses a decoy without a fault: then nothing at all could be recorded. */
function requireFaults(device: ControlDevice): void {
  try {
    device.command("check");
  } catch (error) {
    // EOPNOTSUPP, as Node calls it; other failures concern single ways only: EmulateRecording.checkHooks
    if (!(error instanceof UserError && isSystemError(error.cause, "ENOTSUP"))) return;
    throw new UserError("nothing can be recorded: this CPU reads a decoy without a fault", {
      advice: "it ignores upper bits of the kernel's addresses (LAM); --engine singlestep needs no decoys",
      cause: error,
    });
  }
}

function startCheck(device: ControlDevice, options: RecordingRequest): MappingCheck | undefined {
  const { exclude = [], excludeWriteCombining } = options.engineOptions;
  if (excludeWriteCombining && !existsSync(memoryTypeList)) {
    options.onNotice(
      "whether every mapping gets its decoy can't be cross-checked with --exclude-wc here: " +
        `${memoryTypeList} isn't there (is debugfs mounted?)`,
    );
    return undefined;
  }
  return new MappingCheck(options.scope.all ? "all" : options.scope.ranges, {
    mappings: readKernelMappings,
    living: () => device.status().living,
    leftOut: () => [
      ...exclude,
      ...(excludeWriteCombining ? parseWriteCombining(readFileSync(memoryTypeList, "utf8")) : []),
    ],
  });
}

function earlySentence(mapping: KernelMapping): string {
  return (
    `the mapping ${formatRange(mapping)} by ${mapping.caller} was made before recording began: ` +
    "it is real, not a decoy, and accesses through it are not in the trace"
  );
}

function wantedMemory({ scope, engineOptions }: RecordingRequest): WantedMemory {
  const { exclude = [], excludeWriteCombining = false } = engineOptions;
  return { ranges: scope.all ? "all" : scope.ranges, leftOut: exclude, excludeWriteCombining };
}

function earlyOtherSentence(other: string): string {
  return `${other}: it is real, not a decoy, and accesses through it are not in the trace`;
}

function withoutDecoySentence(mapping: KernelMapping): string {
  return (
    `the mapping ${formatRange(mapping)}, made by ${mapping.caller} while recording, got no decoy: ` +
    "accesses through it are not in the trace"
  );
}

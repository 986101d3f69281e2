// Collects the facts about the machine for the trace's header, and finds their changes while recording.
import { machine as architecture, cpus, hostname, release, version } from "node:os";
import { hex } from "../base/hex.js";
import { producer } from "../base/version.js";
import type { KernelModule, LackableFact, PciFunction, TraceHeader, TraceUpdate } from "../trace/header.js";
import { isModuleLoaded, loadedBuildId, readModules } from "./kernel-modules.js";
import {
  boundDriver,
  defaultSysfs,
  listPciFunctions,
  readPciFunction,
  readPciFunctions,
  type SysfsRoot,
} from "./pci.js";

export interface HeaderFacts {
  engine: TraceHeader["engine"];
  clock: TraceHeader["clock"];
  options: TraceHeader["options"];
  commandLine: string[];
  fence: string | null;
  /** The facts that the engine doesn't tell. */
  lacks?: readonly LackableFact[];
  /** All of the machine; default: as they are now. */
  pciFunctions?: PciFunction[];
}

/** Makes the header of a trace that is being recorded now. */
export function collectHeader(facts: HeaderFacts, sysfs: SysfsRoot = defaultSysfs): TraceHeader {
  const processors = cpus();
  const lacks = [...(facts.lacks ?? []), ...(facts.options.cleanRoom ? (["site", "caller"] as const) : [])];
  return {
    engine: facts.engine,
    producer,
    machine: { host: hostname(), release: release(), version: version(), architecture: architecture() },
    cpu: { model: processors[0]?.model ?? "", count: processors.length },
    clock: facts.clock,
    pciFunctions: facts.pciFunctions ?? readPciFunctions(sysfs),
    // In a clean room neither sites nor modules' addresses are recorded.
    modules: facts.options.cleanRoom ? [] : readModules(sysfs),
    commandLine: facts.commandLine,
    options: facts.options,
    ...(lacks.length === 0 ? {} : { lacks }),
    fence: facts.fence,
  };
}

/** Returns the nanoseconds since 1970 by the wall clock, with the precision of microseconds. */
export function wallClock_ns(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/**
 * Reads the TSC (by `read`) and ties it to the middle of the wall clock's times before and after.
 * The kernel gives `tscFrequency_hz`, in the status line tsc_khz.
 */
export function clockPair(read: () => { tsc: bigint; tsc_khz: number }): TraceHeader["clock"] {
  const before_ns = wallClock_ns();
  const { tsc, tsc_khz } = read();
  const wall_ns = (before_ns + wallClock_ns()) / 2n;
  return { tsc: hex(tsc), wall_ns: hex(wall_ns), tscFrequency_hz: tsc_khz * 1000 };
}

/** Remembers the PCI functions and modules in the trace, and finds new ones. */
export class MachineWatch {
  private readonly sysfs: SysfsRoot;
  private readonly functions = new Map<string, PciFunction>();
  /** Loaded modules without a build id: sysfs shows it a moment after the module's record. */
  private readonly unidentified = new Map<string, KernelModule>();

  constructor(functions: readonly PciFunction[], sysfs: SysfsRoot = defaultSysfs) {
    this.sysfs = sysfs;
    for (const found of functions) this.functions.set(found.address, found);
  }

  /** Adds loaded modules from their records, which have all but the build id. */
  addModules(modules: readonly KernelModule[]): void {
    for (const module of modules) this.unidentified.set(module.name, module);
  }

  /** Returns the update for the trace; undefined if nothing is new. */
  update(): TraceUpdate | undefined {
    const pciFunctions = this.changedFunctions();
    const modules = this.identifiedModules();
    if (pciFunctions.length === 0 && modules.length === 0) return undefined;
    return {
      ...(pciFunctions.length === 0 ? {} : { pciFunctions }),
      ...(modules.length === 0 ? {} : { modules }),
    };
  }

  /** Returns the functions that are new or have another driver than in the trace. */
  private changedFunctions(): PciFunction[] {
    const changed: PciFunction[] = [];
    for (const address of listPciFunctions(this.sysfs)) {
      const before = this.functions.get(address);
      if (before !== undefined && before.driver === boundDriver(address, this.sysfs)) continue;
      const now = readPciFunction(address, this.sysfs, before);
      if (now === undefined) continue;
      this.functions.set(address, now);
      changed.push(now);
    }
    return changed;
  }

  private identifiedModules(): KernelModule[] {
    const identified: KernelModule[] = [];
    for (const [name, module] of this.unidentified) {
      const buildId = loadedBuildId(name, this.sysfs);
      if (buildId !== null) identified.push({ ...module, buildId });
      if (buildId !== null || !isModuleLoaded(name, this.sysfs)) this.unidentified.delete(name);
    }
    return identified;
  }
}

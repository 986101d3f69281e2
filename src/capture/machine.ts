// Collects what the trace's header says about the machine, and finds what changes in it while recording.
import { machine as architecture, cpus, hostname, release, version } from "node:os";
import type { Hex, KernelModule, PciFunction, TraceHeader, TraceUpdate } from "../trace/header.js";
import { readModule, readModules } from "./kernel-modules.js";
import {
  boundDriver,
  defaultSysfs,
  listPciFunctions,
  readPciFunction,
  readPciFunctions,
  type SysfsRoot,
} from "./pci.js";

export interface HeaderFacts {
  clock: TraceHeader["clock"];
  options: TraceHeader["options"];
  commandLine: string[];
  fence: string | null;
}

/** The header of a trace that is being recorded now, by engine `emulate`. */
export function collectHeader(facts: HeaderFacts, sysfs: SysfsRoot = defaultSysfs): TraceHeader {
  const processors = cpus();
  return {
    engine: "emulate",
    producer: "mmiostrider 0.1.0",
    machine: { host: hostname(), release: release(), version: version(), architecture: architecture() },
    cpu: { model: processors[0]?.model ?? "", count: processors.length },
    clock: facts.clock,
    pciFunctions: readPciFunctions(sysfs),
    // In a clean room no site is recorded; where modules lie isn't either.
    modules: facts.options.cleanRoom ? [] : readModules(sysfs),
    commandLine: facts.commandLine,
    options: facts.options,
    fence: facts.fence,
  };
}

/** Nanoseconds since 1970 by the wall clock; microseconds are as fine as it gets here. */
export function wallClock_ns(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/**
 * Reads the TSC (by `read`) and ties it to the wall clock's middle between before and after.
 * `tscFrequency_hz` comes from the kernel, as the status line tsc_khz.
 */
export function clockPair(read: () => { tsc: bigint; tsc_khz: number }): TraceHeader["clock"] {
  const before_ns = wallClock_ns();
  const { tsc, tsc_khz } = read();
  const wall_ns = (before_ns + wallClock_ns()) / 2n;
  return { tsc: hex(tsc), wall_ns: hex(wall_ns), tscFrequency_hz: tsc_khz * 1000 };
}

function hex(value: bigint): Hex {
  return `0x${value.toString(16)}`;
}

/** Remembers what the trace has been told about PCI functions, and finds what is new. */
export class MachineWatch {
  private readonly sysfs: SysfsRoot;
  private readonly known = new Map<string, PciFunction>();

  constructor(functions: readonly PciFunction[], sysfs: SysfsRoot = defaultSysfs) {
    this.sysfs = sysfs;
    for (const found of functions) this.known.set(found.address, found);
  }

  /** The functions that are new or have another driver than last said; undefined when there are none. */
  changedFunctions(): PciFunction[] | undefined {
    const changed: PciFunction[] = [];
    for (const address of listPciFunctions(this.sysfs)) {
      const before = this.known.get(address);
      if (before !== undefined && before.driver === boundDriver(address, this.sysfs)) continue;
      const now = readPciFunction(address, this.sysfs);
      if (now === undefined) continue;
      this.known.set(address, now);
      changed.push(now);
    }
    return changed.length > 0 ? changed : undefined;
  }

  /** What to tell the trace after `moduleNames` were loaded and drivers may have been bound; undefined when nothing is new. */
  update(modules: readonly KernelModule[]): TraceUpdate | undefined {
    const pciFunctions = this.changedFunctions();
    // A module's record has its text's exact extent; only the build id is sysfs' to tell.
    const complete = modules.map((module) => ({
      ...module,
      buildId: readModule(module.name, this.sysfs)?.buildId ?? null,
    }));
    if (pciFunctions === undefined && complete.length === 0) return undefined;
    return {
      ...(pciFunctions === undefined ? {} : { pciFunctions }),
      ...(complete.length === 0 ? {} : { modules: complete }),
    };
  }
}

// A trace's data beside its events: the header, later updates of it, and the closing summary. All three are stored as JSON;
// 64-bit numbers are "0x…" strings there and stay strings here.
import type { AddressRange } from "../base/address-range.js";
import type { TimeDigits } from "../base/units.js";

/** A number of up to 64 bits as lower-case hexadecimal with 0x in front. */
export type Hex = `0x${string}`;

/** Resource flags, as the kernel has them: include/linux/ioport.h. */
export const resourceFlag = { romShadow: 0x2n, port: 0x100n, memory: 0x200n, prefetch: 0x2000n } as const;
/** The expansion ROM's place among the BARs. */
export const romIndex = 6;
/** The configuration space's place behind the BARs. */
export const configurationIndex = 7;

/** Returns `BAR0`, …, `ROM` for the expansion ROM, `CONFIG` for the configuration space. */
export function barName(index: number): string {
  return index === romIndex ? "ROM" : index === configurationIndex ? "CONFIG" : `BAR${index}`;
}

/** The producer in the header of an imported rwmmio log, whose sites have made-up addresses. */
export const rwmmioProducer = "ftrace rwmmio";

/** A base address register: a PCI function's range of memory or ports. */
export interface Bar {
  /** 0 to 5, or 6 for the expansion ROM. */
  index: number;
  /** First physical address, or first port. */
  start: Hex;
  length_bytes: Hex;
  /** The resource flags of sysfs's `resource` file. */
  flags: Hex;
}

/** Returns a BAR's physical addresses, or its ports. */
export function barRange({ start, length_bytes }: Bar): AddressRange {
  const first = BigInt(start);
  return { first, last: first + BigInt(length_bytes) - 1n };
}

/** Returns a function's ranges of I/O ports. */
export function portRanges({ bars }: Pick<PciFunction, "bars">): AddressRange[] {
  return bars
    .filter(({ flags, start }) => (BigInt(flags) & resourceFlag.port) !== 0n && BigInt(start) !== 0n)
    .map(barRange);
}

/** A PCI function, and what its configuration space says. */
export interface PciFunction {
  /** `0000:00:04.0` */
  address: string;
  vendor: Hex;
  device: Hex;
  subsystemVendor: Hex;
  subsystemDevice: Hex;
  class: Hex;
  revision: Hex;
  irq: number;
  /** The bound driver's name, or null. */
  driver: string | null;
  bars: Bar[];
  /**
   * The configuration space's first bytes, at most 256, two hexadecimal digits each: the header, and the capabilities that give
   * places of registers (MSI-X, vendors' own); all other bytes are 0. Absent if it wasn't read.
   */
  config?: string;
}

/** A kernel module that was loaded. */
export interface KernelModule {
  name: string;
  textAddress: Hex;
  text_bytes: number;
  /** Hexadecimal without 0x, or null if the module has none. */
  buildId: string | null;
}

/** Facts of events that a log may not have; `flags` are the ways in which an access was made (locked, string, …). */
export const lackableFacts = ["cpu", "pid", "context", "flags", "mapping", "address", "site", "caller"] as const;
/** A fact that a log may not have. */
export type LackableFact = (typeof lackableFacts)[number];

/** Written once, when recording starts. */
export interface TraceHeader {
  /** The way in which accesses were caught; `import` for a log of another format. */
  engine: "emulate" | "instrument" | "singlestep" | "import";
  /** The program that wrote it: `mmiostrider 0.1.0`. */
  producer: string;
  /** `uname -n`, `-r`, `-v`, `-m` */
  machine: { host: string; release: string; version: string; architecture: string };
  cpu: { model: string; count: number };
  /** The pair ties the TSC to the wall clock; both were read at the same moment. */
  clock: { tsc: Hex; wall_ns: Hex; tscFrequency_hz: number };
  pciFunctions: PciFunction[];
  modules: KernelModule[];
  /** The recorder's own command line. */
  commandLine: string[];
  /** The recording's options: its scope (`filter`), strictness, clean room. */
  options: {
    /** The recorded devices, drivers and ranges, as the user asked for them; empty for an imported log. */
    filter: string[];
    /** The order across CPUs wasn't kept. */
    relaxed: boolean;
    /** No sites were recorded. */
    cleanRoom: boolean;
    /** Write-combining mappings were left out. */
    excludeWriteCombining: boolean;
    /** The functions whose configuration space was recorded, as `0000:00:04.0`; `all`; absent for none. */
    configuration?: readonly string[] | "all";
    /** The functions whose ports were recorded without a mapping of them, because their drivers were rewritten; absent for none. */
    ports?: readonly string[];
    /** The functions' interrupts were recorded; absent in older traces, for no. */
    interrupts?: boolean;
    /** The memory that was given to the functions for direct access was recorded; absent in older traces, for no. */
    dma?: boolean;
    /** Size of the buffer between the core and the recorder. */
    ring_bytes: number;
  };
  /** The facts that its events don't have, whatever stands in their records: the engine or the log doesn't tell them. */
  lacks?: readonly LackableFact[];
  /** Eight hexadecimal digits written to port 0x80 around the recording in the lab (see analysis/verify/), or null. */
  fence: string | null;
  /**
   * Only in imported traces: the log's first lines, with their ends, a character for each byte, if a writer of that format would
   * not make the same lines of the rest of the header.
   */
  importedHead?: string;
  /** Only in imported traces: the end of the log's lines, if it isn't a line feed alone. */
  importedLineEnd?: string;
}

/** Written between events after each change of the machine: a driver was bound, a module came. */
export interface TraceUpdate {
  pciFunctions?: PciFunction[];
  modules?: KernelModule[];
}

/** Written last. A trace without it was cut: the recorder died or the disk was full. */
export interface TraceSummary {
  /** READ and WRITE events. */
  accesses: number;
  /** Records that were lost. */
  lost: number;
  /** Only in imported traces: places where records were lost, and the log doesn't say how many; they aren't in `lost`. */
  lostUncounted?: number;
  /** Remarks that make the trace no less complete, about what a log lacked or about interrupts and DMA, one sentence each. */
  readonly notes?: readonly string[];
  /** Only in a part that was cut out of a trace: sentences about its bounds. It lacks nothing between them. */
  readonly part?: readonly string[];
  /** Instructions that escaped emulation: their accesses are not in the trace. */
  escaped: number;
  /** Calls of the ioremap family that the hooks didn't see. */
  missed: number;
  /** Mappings of wanted device memory that got no decoy, made in ways other than ioremap(); 0 in traces older than their records. */
  unrecorded: number;
  /** Mappings made while recording. */
  mappings: number;
  /** The reasons why the trace is incomplete, one sentence each; empty if it is complete. */
  readonly incomplete: readonly string[];
}

/** Returns the number of digits behind the point that a trace's times in seconds have. */
export function timeDigitsOf({ clock }: Pick<TraceHeader, "clock">): TimeDigits {
  return clock.tscFrequency_hz <= 1e6 ? 6 : 9;
}

/** Returns true if the events' records have no such fact. */
export function isLacking({ lacks }: Pick<TraceHeader, "lacks">, fact: LackableFact): boolean {
  return lacks?.includes(fact) === true;
}

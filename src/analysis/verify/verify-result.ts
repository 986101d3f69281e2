// verify's options and results, as data: a row a region, each difference with the accesses around it.
import { addressText } from "../../trace/text.js";
import { tracedPart } from "./fit-accesses.js";
import { addressInTrace, type TracedAccesses, type TracedPart } from "./traced-accesses.js";
import type { TruthAccesses } from "./truth-log.js";

/** Rules of a comparison that the caller may change. */
export interface VerifyOptions {
  /**
   * Leave out accesses that may have happened while no mapping covered them. Without a fence they are left out in any case, but
   * those that a mapping may have covered are then a reason against sameness, unless this is true.
   */
  leaveOutUnmapped?: boolean;
  /** Also count accesses to regions that the log has nothing of. */
  expectAll?: boolean;
  /** The recorder was killed: accesses in the log after the trace's end are no difference. */
  cut?: boolean;
  /** Gets the progress. */
  progress?: (part: number, whole: number) => void;
}

/** The comparison of one memory region. */
export interface RegionResult {
  /** QEMU's name of the region, or "" if the log has nothing there. */
  readonly name: string;
  /** PCI function, driver and BAR, or the physical range. */
  readonly device: string;
  /** Number of the trace's accesses to it. */
  readonly trace: number;
  /** Number of the log's accesses to it. */
  readonly truth: number;
  /** Number of accesses that differ, or that only one of them has: the sum of the next three. */
  readonly differences: number;
  /** As the kinds of ReportedDifference. */
  readonly changed: number;
  readonly missing: number;
  readonly extra: number;
  /** The region's part of `leftOut`'s numbers of these names. */
  readonly maybeMissing: number;
  readonly behindEnd: number;
}

/** An access as people read it. */
export interface AccessText {
  readonly kind: "read" | "write";
  readonly width_bytes: number;
  /** Physical, hexadecimal. */
  readonly address: string;
  /** Hexadecimal. */
  readonly value: string;
  /** Null where a trace's log doesn't tell it. */
  readonly cpu: number | null;
  /** Event number in the trace, or line in the log. */
  readonly place: number;
}

/** An access that only one of trace and log has, or that they don't have alike. */
export interface ReportedDifference {
  /** `missing`: only the log has it. `extra`: only the trace has it. `changed`: both have it, but not alike. */
  readonly kind: "missing" | "extra" | "changed";
  /** QEMU's name of the region. */
  readonly region: string;
  /** PCI function, driver and BAR, or the physical range. */
  readonly device: string;
  readonly trace: AccessText | null;
  readonly truth: AccessText | null;
  /** The accesses just before it, which both have. */
  readonly before: readonly AccessText[];
}

/** The result of comparing a trace with the log. */
export interface VerifyResult {
  readonly identical: boolean;
  /** The reasons against it, a sentence each. */
  readonly reasons: readonly string[];
  /** Trace and log are whole: nothing is known to be missing in either. */
  readonly whole: boolean;
  /** The differences are only in the order of accesses to several regions: each region's own accesses are alike. */
  readonly onlyOrder: boolean;
  /** Likely causes of differences, with a remedy, a sentence each. */
  readonly hints: readonly string[];
  readonly regions: readonly RegionResult[];
  readonly differences: readonly ReportedDifference[];
  /** The comparison stopped after these differences. */
  readonly moreDifferences: boolean;
  /** Number of the trace's accesses that were compared, after splitting. */
  readonly compared: number;
  /** Trace accesses that were split, as QEMU fits them to the region. */
  readonly split: number;
  /** Trace accesses that were compared only by their own bytes, because QEMU widens them for the region. */
  readonly widened: number;
  /** Accesses that the rules leave out: of the log, and (`notLogged`) of the trace. */
  readonly leftOut: {
    readonly outsideMappings: number;
    readonly outsideFence: number;
    readonly noMappingAlive: number;
    /** Those of `noMappingAlive` that may have happened while a mapping covered them: then the trace lacks them. */
    readonly maybeMissing: number;
    /** Accesses of the log behind the end of a trace whose recorder was killed (`cut`). */
    readonly behindEnd: number;
    readonly notLogged: number;
    /** The log's last line, if it is cut and its access can't be one of the trace's; else null. */
    readonly cutLine: number | null;
  };
  /** Accesses that agree except for their CPU; null where the trace's log doesn't tell the CPUs. */
  readonly otherCpu: number | null;
  /** Records that the trace lost. */
  readonly lost: number;
  /** Instructions that escaped emulation: their accesses are not in the trace. */
  readonly escaped: number;
  /** The recording's fence, eight hexadecimal digits, which the log has, too; null if the trace has none. */
  readonly fence: string | null;
  /** The accesses among which the order was compared. */
  readonly order: "all regions" | "each region" | "each CPU";
}

/** Describes the trace's access at place `at`. */
export function tracedText(traced: TracedAccesses, at: number): AccessText {
  return accessText(tracedPart(traced, at), traced.event[at]!);
}

/** Describes the log's access at place `at`. */
export function truthText(truth: TruthAccesses, at: number): AccessText {
  const part = {
    write: truth.write[at]!,
    width_bytes: truth.width_bytes[at]!,
    address: truth.address[at]!,
    valueLow: truth.valueLow[at]!,
    valueHigh: truth.valueHigh[at]!,
    cpu: truth.cpu[at]!,
  };
  return accessText(part, truth.line[at]!);
}

function accessText(part: Omit<TracedPart, "event" | "unordered">, place: number): AccessText {
  const value = (BigInt(part.valueHigh) << 32n) | BigInt(part.valueLow);
  return {
    kind: part.write === 1 ? "write" : "read",
    width_bytes: part.width_bytes,
    address: addressText(addressInTrace(part.address)).replace(/^port /, ""),
    value: `0x${value.toString(16)}`,
    cpu: part.cpu,
    place,
  };
}

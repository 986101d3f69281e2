// verify's options and results, as data: a row a region, each difference with the accesses around it.
import type { Difference } from "../diff/alignment.js";
import { tracedPart } from "./fit-accesses.js";
import type { TracedAccesses, TracedPart } from "./traced-accesses.js";
import type { TruthAccesses } from "./truth-log.js";

/** Rules of a comparison that the caller may change. */
export interface VerifyOptions {
  /**
   * Leave out accesses that may have happened while no mapping covered them. The default is true only without a fence.
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
  name: string;
  /** PCI function, driver and BAR, or the physical range. */
  device: string;
  trace: number;
  truth: number;
  differences: number;
}

/** An access as people read it. */
export interface AccessText {
  kind: "read" | "write";
  width_bytes: number;
  address: string;
  value: string;
  cpu: number;
  /** Event number in the trace, or line in the log. */
  place: number;
}

/** An access that only one of trace and log has, or that they don't have alike. */
export interface ReportedDifference {
  kind: Difference["kind"];
  region: string;
  device: string;
  trace: AccessText | null;
  truth: AccessText | null;
  /** The accesses just before it, which both have. */
  before: AccessText[];
}

/** The result of comparing a trace with the log. */
export interface VerifyResult {
  identical: boolean;
  /** The reasons against it, a sentence each. */
  reasons: string[];
  regions: RegionResult[];
  differences: ReportedDifference[];
  /** The comparison stopped after these differences. */
  moreDifferences: boolean;
  compared: number;
  /** Trace accesses that were split, or compared only by their own bytes, as QEMU fits them to the region. */
  split: number;
  widened: number;
  /** Accesses that the rules leave out: of the log, and (`notLogged`) of the trace. */
  leftOut: { outsideFence: number; noMappingAlive: number; notLogged: number };
  /** Accesses that agree except for their CPU. */
  otherCpu: number;
  lost: number;
  escaped: number;
  fence: string | null;
  order: "all regions" | "each region" | "each CPU";
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
    address: `0x${part.address.toString(16)}`,
    value: `0x${value.toString(16)}`,
    cpu: part.cpu,
    place,
  };
}

// Searches the kernel's own list of mappings, /proc/vmallocinfo, for those that should have a decoy and have none.
import { readFileSync } from "node:fs";
import { type AddressRange, rangesOverlap } from "../base/address-range.js";
import { messageOf, UserError } from "../base/errors.js";
import { type KernelMapping, parseVmallocinfo } from "../machine/vmallocinfo.js";

const page_bytes = 4096n;

/** A decoy that a driver holds. */
export interface KnownDecoy extends AddressRange {
  id: number;
}

/** Reads the kernel's mappings. Throws UserError if it doesn't show them. */
export function readKernelMappings(path = "/proc/vmallocinfo"): KernelMapping[] {
  try {
    return parseVmallocinfo(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`reading the kernel's mappings failed: ${messageOf(error)}`, { cause: error });
  }
}

/** Returns true if both have the same pages: the core knows a mapping's bytes, the kernel's list its pages. */
function samePages(mapping: KernelMapping, living: KnownDecoy): boolean {
  return (
    living.first / page_bytes === mapping.first / page_bytes && living.last / page_bytes === mapping.last / page_bytes
  );
}

export interface MappingSource {
  mappings: () => KernelMapping[];
  living: () => KnownDecoy[];
  /** Returns the ranges left out on purpose. */
  leftOut: () => AddressRange[];
}

/** Compares the kernel's list of mappings with the core's list of decoys during a recording. */
export class MappingCheck {
  private readonly ranges: readonly AddressRange[] | "all";
  private readonly source: MappingSource;
  /** The mappings made before recording began: real, not decoys. */
  readonly early: KernelMapping[];
  private readonly earlyIdentities: Set<string>;
  /** Mappings without a decoy at the last look; two looks in a row decide, since a mapping may be half made at one. */
  private suspects = new Map<string, KernelMapping>();
  private readonly confirmed = new Map<string, KernelMapping>();

  /** Looks for the first time; call it just before the recording starts. `ranges` are those for the core. */
  constructor(ranges: readonly AddressRange[] | "all", source: MappingSource) {
    this.ranges = ranges;
    this.source = source;
    const before = this.matching(source.mappings());
    this.earlyIdentities = new Set(before.map((mapping) => mapping.identity));
    // A decoy of an earlier recording is still a decoy.
    const decoys = source.living();
    this.early = before.filter((mapping) => !decoys.some((living) => samePages(mapping, living)));
  }

  private matching(mappings: readonly KernelMapping[]): KernelMapping[] {
    const leftOut = this.source.leftOut();
    return mappings.filter(
      (mapping) =>
        (this.ranges === "all" || this.ranges.some((range) => rangesOverlap(range, mapping))) &&
        !leftOut.some((range) => rangesOverlap(range, mapping)),
    );
  }

  /**
   * Looks again. Returns the newly found ones of the wanted mappings that were made since the start and have no decoy.
   *
   * It reads the decoys before and after the kernel's list: a decoy that came or went meanwhile is in one of the two.
   */
  look(): KernelMapping[] {
    const decoys = new Map(this.source.living().map((living) => [living.id, living]));
    const now = this.matching(this.source.mappings());
    for (const living of this.source.living()) decoys.set(living.id, living);

    const present = new Set(now.map((mapping) => mapping.identity));
    // An early mapping is gone: another one may get its address now.
    for (const identity of this.earlyIdentities) if (!present.has(identity)) this.earlyIdentities.delete(identity);

    const unused = [...decoys.values()];
    const without: KernelMapping[] = [];
    for (const mapping of now) {
      if (this.earlyIdentities.has(mapping.identity)) continue;
      const index = unused.findIndex((living) => samePages(mapping, living));
      if (index >= 0) unused.splice(index, 1);
      else without.push(mapping);
    }
    const found = without.filter(
      (mapping) => this.suspects.has(mapping.identity) && !this.confirmed.has(mapping.identity),
    );
    for (const mapping of found) this.confirmed.set(mapping.identity, mapping);
    this.suspects = new Map(without.map((mapping) => [mapping.identity, mapping]));
    return found;
  }

  /** All mappings that `look` ever found. */
  get allWithoutDecoy(): KernelMapping[] {
    return [...this.confirmed.values()];
  }
}

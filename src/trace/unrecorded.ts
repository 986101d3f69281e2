// The ways to map device memory so that it gets no decoy, in words.

/** `enum mms_way`, by value. */
export const unrecordedWays = [
  "several",
  "vmap_pfn",
  "memremap_pages",
  "fixmap",
  "remap_pfn_range",
  "vmf_insert_pfn",
  "vmf_insert_mixed",
  "vmf_insert_pfn_pmd",
] as const;
/**
 * The way in which device memory was mapped without a decoy: the kernel's function. `several`: any of them, where there were too
 * many to tell one by one.
 */
export type UnrecordedWay = (typeof unrecordedWays)[number];

/** Returns true if mappings made this way are a process's, not the kernel's own. */
export function isForProcess(way: UnrecordedWay): boolean {
  return way.startsWith("remap_") || way.startsWith("vmf_");
}

/** Mappings without a decoy, made in one way by one caller for one process. */
export interface UnrecordedMappings {
  /** `0x1000-0x1fff`, or a device's name for it. */
  where: string;
  way: UnrecordedWay;
  calls: string;
  once: boolean;
  /** The process's; of no meaning for the kernel's own mappings. */
  pid: number;
  /** The caller's symbol or address; empty if unknown. */
  caller: string;
}

/** Formats `0x1000-0x1fff was mapped by remap_pfn_range() for process 12, called by f+0x1 [m]`. */
export function unrecordedText({ where, way, calls, once, pid, caller }: UnrecordedMappings): string {
  if (way === "several") return `${calls} more ${once ? "mapping was" : "mappings were"} made without a decoy`;
  const what = once ? `${where} was mapped` : `parts of ${where} were mapped ${calls} times`;
  const by = way === "fixmap" ? "in the fixmap" : `by ${way}()`;
  const whose = isForProcess(way) ? ` for process ${pid}` : "";
  return `${what} ${by}${whose}${caller === "" ? "" : `, called by ${caller}`}`;
}

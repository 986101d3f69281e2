// Reads the ranges of ordinary memory from /proc/iomem, the kernel's list of physical addresses.
import { type AddressRange, joinRanges } from "../base/address-range.js";
import { readKernelFile } from "./kernel-files.js";

/** Returns at most `most` ranges, the largest, in ascending order; none if the kernel doesn't show addresses. */
export function readSystemRam(most: number, path = "/proc/iomem"): AddressRange[] {
  const size = ({ first, last }: AddressRange) => last - first;
  const ranges = parseSystemRam(readKernelFile(path) ?? "").sort((a, b) => (size(a) > size(b) ? -1 : 1));
  return joinRanges(ranges.slice(0, most));
}

/** Parses the lines `00100000-7ffdbfff : System RAM`. An indented line is a part of one above it. */
export function parseSystemRam(text: string): AddressRange[] {
  const ranges = [...text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) : System RAM/gm)].map((match) => {
    return { first: BigInt(`0x${match[1]}`), last: BigInt(`0x${match[2]}`) };
  });
  return ranges.filter(({ last }) => last > 0n);
}

// Reads the mappings of device memory in the kernel's address space from /proc/vmallocinfo. A line of one:
// `0xFIRST-0xEND BYTES CALLER phys=0xADDRESS ioremap`.
import { FormatError } from "../base/errors.js";
import type { VirtualRange } from "../trace/virtual-range.js";

const page_bytes = 4096n;
/** Digits of a 64-bit address; older kernels print no 0x. */
const hexadecimal = "(?:0x)?([0-9a-f]{1,16})";
const lineShape = new RegExp(
  `^${hexadecimal}-${hexadecimal} +(\\d{1,20}) (.*?) ?phys=${hexadecimal} (?:.* )?ioremap\\b`,
);

const addresslessShape = new RegExp(`^${hexadecimal}-${hexadecimal} +(\\d{1,20}) (.*?)(?: pages=\\d+)? ioremap\\b`);

/** A mapping of device memory in the kernel's address space, whole pages. */
export interface KernelMapping {
  /** Text that identifies the mapping during its life, even with hashed addresses. */
  identity: string;
  /** Physical addresses, both included; without the guard page, which the kernel counts. */
  first: bigint;
  last: bigint;
  /** The first byte's address in the kernel's address space; undefined if the kernel hides addresses behind hashes. */
  virtual: bigint | undefined;
  /** The code that made it: `e1000_probe+0x1a2/0xf70 [e1000]`. */
  caller: string;
}

/** Parses the mappings of device memory in the text of /proc/vmallocinfo; skips other lines. */
export function parseVmallocinfo(text: string): KernelMapping[] {
  const mappings: KernelMapping[] = [];
  for (const line of text.split("\n")) {
    const match = lineShape.exec(line);
    if (match === null) continue;
    const [start, end, physical] = [match[1], match[2], match[5]].map((digits) => BigInt(`0x${digits}`)) as [
      bigint,
      bigint,
      bigint,
    ];
    const whole_bytes = BigInt(match[3]!);
    const own_bytes = whole_bytes - page_bytes;
    if (own_bytes <= 0n) continue;
    mappings.push({
      identity: `${match[1]}-${match[2]} ${match[5]}`,
      first: physical,
      last: physical + own_bytes - 1n,
      virtual: end - start === whole_bytes ? start : undefined,
      caller: match[4] || "unknown",
    });
  }
  return mappings;
}

/** A mapping of device memory whose physical addresses the kernel's list doesn't have: vmap_pfn() makes such. */
export interface AddresslessMapping {
  caller: string;
  length_bytes: bigint;
}

/** Parses those in the text of /proc/vmallocinfo: lines with `ioremap`, but without `phys=`. */
export function parseAddressless(text: string): AddresslessMapping[] {
  const mappings: AddresslessMapping[] = [];
  for (const line of text.split("\n")) {
    const match = addresslessShape.exec(line);
    if (match === null || line.includes(" phys=")) continue;
    mappings.push({ caller: match[4]!, length_bytes: BigInt(match[3]!) - page_bytes });
  }
  return mappings;
}

const copiedMax = 65_536;

/**
 * Reads the mappings in a copy of /proc/vmallocinfo by their virtual addresses, sorted, for logs that have only those. `name`: the
 * copy's file. Throws FormatError if there are none, or their addresses are hidden.
 */
export function virtualRanges(text: string, name: string): VirtualRange[] {
  const mappings = parseVmallocinfo(text);
  if (mappings.length > copiedMax) throw new FormatError(name, `more than ${copiedMax} mappings`);
  if (mappings.length === 0) {
    throw new FormatError(name, "there is no ioremap() mapping in it", {
      advice: "it should be a copy of /proc/vmallocinfo, made as root while the driver was loaded",
    });
  }
  const ranges: VirtualRange[] = [];
  for (const { first, last, virtual } of mappings) {
    if (virtual !== undefined) ranges.push({ start: virtual, end: virtual + (last - first + 1n), physical: first });
  }
  if (ranges.length === 0) {
    throw new FormatError(name, "the kernel has put hashes in the place of the addresses", {
      advice:
        "`sysctl kernel.kptr_restrict=1` shows them to root: copy it again; newer kernels want no_hash_pointers at boot",
    });
  }
  return ranges.sort((a, b) => (a.start < b.start ? -1 : 1));
}

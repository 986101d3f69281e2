// Reads the kernel's list of claimed I/O ports, /proc/ioports: a tree, two spaces a level. Only root sees the numbers.
import type { AddressRange } from "../base/address-range.js";

export interface PortClaim extends AddressRange {
  /** A driver's or a device's name. */
  owner: string;
}

/** Parses the list; a claim within a claim comes after it. Skips other lines. */
export function parseIoports(text: string): PortClaim[] {
  return text.split("\n").flatMap((line) => {
    const [, first, last, owner] = /^ *([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.+)$/i.exec(line) ?? [];
    if (owner === undefined) return [];
    return [{ first: BigInt(`0x${first}`), last: BigInt(`0x${last}`), owner }];
  });
}

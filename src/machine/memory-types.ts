// The kernel's list of the memory types that it gave to physical ranges, where debugfs is mounted.
import type { AddressRange } from "../base/address-range.js";

export const memoryTypeList = "/sys/kernel/debug/x86/pat_memtype_list";

/** The write-combining ranges in the list: `PAT: [mem 0x…-0x…] write-combining`, the end not included. */
export function parseWriteCombining(text: string): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const match of text.matchAll(/\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] write-combining/g)) {
    ranges.push({ first: BigInt(match[1]!), last: BigInt(match[2]!) - 1n });
  }
  return ranges;
}

// Reads the kernel's list of the memory types of physical ranges, which is in debugfs.
import type { AddressRange } from "../base/address-range.js";

export const memoryTypeList = "/sys/kernel/debug/x86/pat_memtype_list";

/** Finds the write-combining ranges in the list: `PAT: [mem 0x…-0x…] write-combining`, without the end. */
export function parseWriteCombining(text: string): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const match of text.matchAll(/\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] write-combining/g)) {
    ranges.push({ first: BigInt(match[1]!), last: BigInt(match[2]!) - 1n });
  }
  return ranges;
}

// The kernel's virtual addresses, which some logs have instead of physical ones.

/** A piece of the kernel's address space with mapped device memory, up to, but without, `end`. */
export interface VirtualRange {
  start: bigint;
  end: bigint;
  physical: bigint;
}

/** Returns true for an address in the kernel's half of the address space, where no physical one is. */
export function isVirtual(address: bigint): boolean {
  return address >= 1n << 63n;
}

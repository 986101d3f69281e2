// Translates the kernel's virtual addresses into the physical ones of a trace.

/** A piece of the kernel's address space with mapped device memory, up to, but without, `end`. */
export interface VirtualRange {
  start: bigint;
  end: bigint;
  physical: bigint;
}

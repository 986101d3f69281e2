// Joins the kernel's virtual addresses with the physical ones that a trace has.

/** A piece of the kernel's address space that device memory was mapped to; `end` isn't part of it. */
export interface VirtualRange {
  start: bigint;
  end: bigint;
  physical: bigint;
}

// The ways in which memory is given to PCI functions for direct access, and its directions.

/** `enum mms_dma_kind`, by value. */
export const dmaWays = ["coherent", "pages", "noncontiguous", "streaming", "list", "resource"] as const;
/**
 * The kernel's functions by which memory was given to a device: `dma_alloc_coherent()`, `dma_alloc_pages()`,
 * `dma_alloc_noncontiguous()`, `dma_map_single()`, `dma_map_sg()`, `dma_map_resource()`, and their like.
 */
export type DmaWay = (typeof dmaWays)[number];

/** Linux's `enum dma_data_direction`, by value. */
export const dmaDirections = ["both", "to-device", "from-device", "none"] as const;
/** One of `dmaDirections`. */
export type DmaDirection = (typeof dmaDirections)[number];

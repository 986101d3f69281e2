// The DMA buffers that are alive where a part of a trace begins.
import type { DmaBuffer } from "../../trace/dma.js";
import type { TraceEvent } from "../../trace/events.js";
import type { TraceState } from "../../trace/state.js";

/** Returns the DMA buffers that were alive before the event, which the state has taken already, and the next one's number. */
export function dmaBefore({ dma }: TraceState, event: TraceEvent): { next: number; buffers: DmaBuffer[] } {
  const buffers = [...dma.values()];
  if (event.kind === "dma-map") {
    return { next: event.buffer, buffers: buffers.filter(({ number }) => number !== event.buffer) };
  }
  // Of several buffers no more is known than the range that they were in.
  if (event.kind === "dma-unmap" && event.buffers.length === 1) {
    const { device, bus, length_bytes, way, direction } = event;
    buffers.push({ number: event.buffers[0]!, device, bus, length_bytes, way, direction });
  }
  return { next: dma.next, buffers };
}

// Words about interrupts and DMA for the lines of a report.
import { assertUnreachable } from "../base/assert.js";
import { hex } from "../base/hex.js";
import { dmaName } from "./dma.js";
import type { DmaDirection } from "./dma-kinds.js";
import type { DmaMapEvent, DmaUnmapEvent, InterruptEvent } from "./events.js";
import { RecordFlag } from "./record.js";

const directionWords: Record<DmaDirection, string> = {
  both: "both ways",
  "to-device": "to the device",
  "from-device": "from the device",
  none: "no direction",
};

/** Describes the end of a handler's run: `handled`, `not handled`, `its thread is woken`. */
export function resultWords({ handled, wakesThread }: Pick<InterruptEvent, "handled" | "wakesThread">): string {
  if (wakesThread) return handled ? "handled, its thread is woken" : "its thread is woken";
  return handled ? "handled" : "not handled";
}

/** Returns a handler's symbol without its offset: a handler begins at its function's first byte. */
export function handlerName(symbol: string): string {
  return symbol.replace(/\+0x0(?= |$)/, "");
}

/** Formats `interrupt 24 (vector 35) of 0000:00:04.0 e1000: e1000_intr [e1000] begins`. */
export function interruptWords(event: InterruptEvent, device: string, handler: string): string {
  const vector = event.vector === 0 ? "" : ` (vector ${event.vector})`;
  const name = handler === "" ? "a handler" : handlerName(handler);
  const thread = (event.flags & RecordFlag.thread) === 0 ? "" : " in its thread";
  const begun = `interrupt ${event.irq}${vector} of ${device}: ${name}`;
  switch (event.phase) {
    case "entry":
      return `${begun} begins${thread}`;
    case "exit":
      return `${begun} returns${thread}: ${resultWords(event)}`;
    default:
      return assertUnreachable(event.phase);
  }
}

/** Formats `dma#3: 0x1000 bytes at bus address 0x12340000 for 0000:00:04.0 e1000, coherent, both ways, by f+0x1 [m]`. */
export function dmaMapWords(event: DmaMapEvent, device: string, by: string): string {
  const { bus, physical, length_bytes, way, direction } = event;
  const place = physical === 0n || physical === bus ? "" : ` (physical ${hex(physical)})`;
  const what = `${hex(length_bytes)} bytes at bus address ${hex(bus)}${place} for ${device}`;
  return `${dmaName(event.buffer)}: ${what}, ${way}, ${directionWords[direction]}${by === "" ? "" : `, by ${by}`}`;
}

/** Formats `dma#3 ends: 0x1000 bytes at bus address 0x12340000 for 0000:00:04.0 e1000, by f+0x1 [m]`. */
export function dmaUnmapWords(event: DmaUnmapEvent, device: string, by: string): string {
  const { bus, buffers, length_bytes, way } = event;
  const names = buffers.map(dmaName).join(", ");
  const what = `${hex(length_bytes)} bytes at bus address ${hex(bus)} for ${device}${by === "" ? "" : `, by ${by}`}`;
  if (buffers.length === 0) return `the end of ${way} DMA memory from before the recording: ${what}`;
  return `${names} ${buffers.length === 1 ? "ends" : "end"}: ${what}`;
}

// Says what of interrupts and DMA the core can't see, or has missed.
import { countOf } from "../../base/units.js";
import type { CoreStatus, EventSource, UnseenFunction } from "./control-device.js";

const names: Record<EventSource, string> = { interrupts: "interrupts", dma: "DMA" };
/** Without any of these nothing of its source is recorded. */
const essential: Record<EventSource, readonly string[]> = {
  interrupts: ["irq_handler_entry", "irq_handler_exit"],
  dma: ["dma_alloc_attrs", "dma_map_page_attrs"],
};

/** Returns true if the core sees events of this source. */
export function seesEvents({ unseen }: Pick<CoreStatus, "unseen">, source: EventSource): boolean {
  const failed = unseen.filter((one) => one.source === source && one.error !== 0).map(({ name }) => name);
  return !essential[source].every((name) => failed.includes(name));
}

/** Returns remarks about functions and tracepoints of the kernel that the core can't watch. */
export function unseenRemarks(status: Pick<CoreStatus, "unseen">): string[] {
  const failed = status.unseen.filter(({ error }) => error !== 0);
  const remarks: string[] = [];
  for (const source of ["interrupts", "dma"] as const) {
    const own = failed.filter((one) => one.source === source);
    if (own.length === 0) continue;
    const functions = own.map(({ name, error }) => `${name} (error ${error})`).join(", ");
    remarks.push(
      seesEvents(status, source)
        ? `${names[source]} that only these would tell of are not in the trace, because this kernel lets nobody watch them: ${functions}`
        : `no ${names[source]} are in the trace, because this kernel lets nobody watch ${functions}`,
    );
  }
  return remarks;
}

const isMissed = ({ missed }: UnseenFunction) => missed > 0;

/** Returns remarks about events that may be missing in the trace; its accesses are whole. */
export function missedNotes({ unseen }: Pick<CoreStatus, "unseen">): string[] {
  return unseen.filter(isMissed).map(({ source, name, missed }) => {
    return `${countOf(missed, "call")} of ${name}() went past the core, for this device or another: events of ${names[source]} may be missing`;
  });
}

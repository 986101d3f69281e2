// Losses of imported logs in traces made of parts of them. A log's own lines about its losses and entries count for that log alone, so
// they aren't copied: each loss is its LOST event, which mmiotrace's text has a mark for.
import type { TraceEvent } from "../../trace/events.js";
import { isCountOfLog } from "../../trace/ftrace-lines.js";
import type { PciFunction, TraceHeader } from "../../trace/header.js";
import { pciLine } from "../../trace/mmiotrace-head.js";
import { RecordFlag } from "../../trace/record.js";

/** Returns the event as it is copied; undefined for a line that only tells its log's losses or entries. */
export function copiedEvent(event: TraceEvent, { engine }: TraceHeader): TraceEvent | undefined {
  if (engine !== "import" || (event.flags & RecordFlag.verbatim) === 0) return event;
  if (event.kind === "lost") return { ...event, flags: event.flags & ~RecordFlag.verbatim };
  return event.kind === "mark" && isCountOfLog(event.text.replace(/\r$/, "")) ? undefined : event;
}

/** Returns the new trace's header; `inHead`: the PCI functions that have a line in the log's own head. */
export function copiedHeader(header: TraceHeader, inHead: readonly PciFunction[]): TraceHeader {
  const { importedHead, importedLineEnd = "\n", pciFunctions } = header;
  if (importedHead === undefined) return header;
  const lines = importedHead.split("\n").filter((line) => !isCountOfLog(line.replace(/\r$/, "")));
  const before = new Set(inHead.map(({ address }) => address));
  const added = pciFunctions.filter(({ address }) => !before.has(address));
  return {
    ...header,
    importedHead: lines.join("\n") + added.map((found) => `${pciLine(found)}${importedLineEnd}`).join(""),
  };
}

// The text formats by name, each one exporter: `convert` writes whole traces with them, `report` the events that were asked for.
import { assertUnreachable } from "../../base/assert.js";
import type { TraceReader } from "../file/reader.js";
import { TraceState } from "../state.js";
import type { TellRegister } from "../text.js";
import { ChromeTrace } from "./chrome-trace.js";
import { type EventRow, EventRows } from "./event-rows.js";
import { MmiotraceWriter } from "./mmiotrace.js";
import { csvHead, csvLine, jsonLine } from "./row-text.js";
import type { TextExport } from "./text-export.js";

export type TextFormat = "jsonl" | "csv" | "perfetto" | "mmiotrace";

/** The exporter of one trace. `name`: the trace's, for tables; `tell` names its registers. */
export function textExportOf(
  format: TextFormat,
  { header, updates }: TraceReader,
  name: string,
  tell?: TellRegister,
): TextExport {
  switch (format) {
    case "jsonl":
      return new RowText("", jsonLine, new EventRows(header, name, tell));
    case "csv":
      return new RowText(csvHead(), csvLine, new EventRows(header, name, tell));
    case "perfetto":
      return new ChromeTrace(header, name, tell);
    case "mmiotrace": {
      // The kernel prints the devices once, at the beginning: those that came, or got their driver, later belong there, too.
      const state = new TraceState(header);
      for (const { update } of updates) state.update(update);
      const writer = new MmiotraceWriter(header);
      return {
        head: () => writer.head(state.pciFunctions),
        event: (event) => writer.lines(event),
        end: () => "",
        notes: () => writer.notes(),
      };
    }
    default:
      return assertUnreachable(format);
  }
}

/** One line a row. */
class RowText implements TextExport {
  readonly head: () => string;
  private readonly line: (row: EventRow) => string;
  private readonly rows: EventRows;

  constructor(head: string, line: (row: EventRow) => string, rows: EventRows) {
    this.head = () => head;
    this.line = line;
    this.rows = rows;
  }

  event(...[event, state]: Parameters<TextExport["event"]>): string {
    const row = this.rows.row(event, state);
    return row === undefined ? "" : this.line(row);
  }

  end(): string {
    return "";
  }
}

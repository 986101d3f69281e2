// The table of `npm run check:drivers`, one line a row, so that each row can be printed as soon as it is known.
import { countText } from "../../src/base/units.js";
import { parseCpuList } from "../../src/machine/cpu-list.js";
import type { Judged } from "./driver-results.js";

export interface Row {
  driver: string;
  /** 6.1, 6.12, … */
  kernel: string;
  cpus: number;
  recorded: Judged;
  /** Kernel messages that the run without recording doesn't have. */
  messages: string[];
  mmiotrace?: Judged;
}

/** The columns that a table has beside those of our recording. */
export interface TableColumns {
  /** Those of the kernel's own mmiotrace. */
  mmiotrace?: boolean;
  /** The accesses that came without a fault, and those by instructions in modules: rewriting could reach no others. */
  withoutFault?: boolean;
}

const place = ["driver", "kernel", "CPUs"];
const counts = ["events", "truth", "lost", "escaped", "identical", "workload", "new messages"];
const withoutFaultNames = ["without a fault", "of the modules' own"];
const theirs = ["events", "truth", "lost", "UNKNOWN", "identical", "workload", "CPUs left"];
const widths = [16, 6, 4, 9, 9, 6, 7, 9, 8, 12];
const withoutFaultWidths = [15, 19];
const theirWidths = [9, 9, 6, 7, 9, 8, 9];

const yes = (value: boolean) => (value ? "yes" : "NO");

function line(cells: readonly string[], cellWidths: readonly number[]): string {
  return cells
    .map((cell, column) => (column === 0 ? cell.padEnd(cellWidths[0]!) : cell.padStart(cellWidths[column]!)))
    .join(" | ");
}

/** Returns the table's first lines, in Markdown. */
export function headLines(columns: TableColumns): string[] {
  const names = [...place, ...counts, ...(columns.withoutFault ? withoutFaultNames : [])];
  if (columns.mmiotrace) names.push(...theirs.map((name, column) => (column === 0 ? `mmiotrace: ${name}` : name)));
  const all = allWidths(columns);
  const rule = all.map((width) => "-".repeat(width));
  return [`| ${line(names, all)} |`, `| ${line(rule, all)} |`];
}

function allWidths({ mmiotrace, withoutFault }: TableColumns): number[] {
  return [...widths, ...(withoutFault ? withoutFaultWidths : []), ...(mmiotrace ? [17, ...theirWidths.slice(1)] : [])];
}

/** Returns a row as a line. */
export function rowLine({ driver, kernel, cpus, recorded, messages, mmiotrace }: Row, columns: TableColumns): string {
  const ours = recordedCells(recorded, messages, columns);
  const cells = [driver, kernel, String(cpus), ...(recorded.gone ? gone(ours.length) : ours)];
  if (columns.mmiotrace) cells.push(...(mmiotrace === undefined ? theirs.map(() => "—") : mmiotraceCells(mmiotrace)));
  return `| ${line(cells, allWidths(columns))} |`;
}

/** Returns the cells for a machine that died: the first one says so. */
function gone(cells: number): string[] {
  return ["machine gone", ...Array<string>(cells - 1).fill("—")];
}

function recordedCells(recorded: Judged, messages: readonly string[], { withoutFault }: TableColumns): string[] {
  const { byModules, withoutFault: made } = recorded;
  const share = byModules === 0 ? 0 : Math.floor((100 * made) / byModules);
  return [
    countText(recorded.events),
    countText(recorded.truth),
    countText(recorded.lost),
    countText(recorded.escaped),
    yes(recorded.identical),
    yes(recorded.workload),
    String(messages.length),
    ...(withoutFault ? [countText(made), `${countText(byModules)}: ${share} %`] : []),
  ];
}

function mmiotraceCells(mmiotrace: Judged): string[] {
  if (mmiotrace.gone) return gone(theirs.length);
  return [
    countText(mmiotrace.events),
    countText(mmiotrace.truth),
    countText(mmiotrace.lost),
    countText(mmiotrace.escaped),
    yes(mmiotrace.identical),
    yes(mmiotrace.workload),
    mmiotrace.cpusOnline === "" ? "?" : String(parseCpuList(mmiotrace.cpusOnline).length),
  ];
}

/** Returns the notes that don't fit into a row's cells. */
export function footnotes({ recorded, messages, mmiotrace }: Row): string[] {
  const notes = recorded.reasons.map((reason) => `! ${reason}`);
  if (recorded.unlogged > 0)
    notes.push(`${countText(recorded.unlogged)} accesses more to regions QEMU logs nothing of`);
  for (const message of messages.slice(0, 5)) notes.push(`new kernel message: ${message}`);
  for (const reason of mmiotrace?.reasons ?? []) notes.push(`mmiotrace: ${reason}`);
  if ((mmiotrace?.unlogged ?? 0) > 0) {
    notes.push(`mmiotrace: ${countText(mmiotrace!.unlogged)} accesses more to regions QEMU logs nothing of`);
  }
  return notes;
}

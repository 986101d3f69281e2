// The table of `npm run check:drivers`, one line a row, so that each row can be printed as soon as it is known.
import { countText } from "../../src/base/units.js";
import type { Judged } from "./driver-results.js";

export interface Row {
  driver: string;
  /** 6.1, 6.12, … */
  kernel: string;
  cpus: number;
  emulate: Judged;
  /** Kernel messages that the run without recording doesn't have. */
  messages: string[];
  mmiotrace?: Judged;
}

const ours = [
  "driver",
  "kernel",
  "CPUs",
  "events",
  "truth",
  "lost",
  "escaped",
  "identical",
  "workload",
  "new messages",
];
const theirs = ["events", "truth", "lost", "UNKNOWN", "identical", "workload", "CPUs left"];
const widths = [16, 6, 4, 9, 9, 6, 7, 9, 8, 12];
const theirWidths = [9, 9, 6, 7, 9, 8, 9];

const yes = (value: boolean) => (value ? "yes" : "NO");

function line(cells: readonly string[], cellWidths: readonly number[]): string {
  return cells
    .map((cell, column) => (column === 0 ? cell.padEnd(cellWidths[0]!) : cell.padStart(cellWidths[column]!)))
    .join(" | ");
}

/** Returns the table's first lines, in Markdown. */
export function headLines(withMmiotrace: boolean): string[] {
  const rule = (cellWidths: readonly number[]) => cellWidths.map((width) => "-".repeat(width));
  const names = withMmiotrace
    ? [...ours, ...theirs.map((name, column) => (column === 0 ? `mmiotrace: ${name}` : name))]
    : ours;
  const all = withMmiotrace ? [...widths, 17, ...theirWidths.slice(1)] : widths;
  return [`| ${line(names, all)} |`, `| ${line(rule(all), all)} |`];
}

/** Returns a row as a line; `withMmiotrace`: the table also has the kernel's own mmiotrace. */
export function rowLine({ driver, kernel, cpus, emulate, messages, mmiotrace }: Row, withMmiotrace: boolean): string {
  const head = [driver, kernel, String(cpus)];
  const ourCells = emulate.gone ? gone(ours.length - head.length) : emulatedCells(emulate, messages);
  const cells = [...head, ...ourCells];
  if (!withMmiotrace) return `| ${line(cells, widths)} |`;
  const theirCells = mmiotrace === undefined ? theirs.map(() => "—") : mmiotraceCells(mmiotrace);
  return `| ${line([...cells, ...theirCells], [...widths, 17, ...theirWidths.slice(1)])} |`;
}

/** Returns the cells for a machine that died: the first one says so. */
function gone(cells: number): string[] {
  return ["machine gone", ...Array<string>(cells - 1).fill("—")];
}

function emulatedCells(emulate: Judged, messages: readonly string[]): string[] {
  return [
    countText(emulate.events),
    countText(emulate.truth),
    countText(emulate.lost),
    countText(emulate.escaped),
    yes(emulate.identical),
    yes(emulate.workload),
    String(messages.length),
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
    mmiotrace.cpusOnline === "" ? "?" : String(countCpus(mmiotrace.cpusOnline)),
  ];
}

/** `0-1,3` → 3 */
function countCpus(list: string): number {
  return list.split(",").reduce((total, part) => {
    const [first, last] = part.split("-").map(Number);
    return total + (last ?? first!) - first! + 1;
  }, 0);
}

/** Returns the notes that don't fit into a row's cells. */
export function footnotes({ emulate, messages, mmiotrace }: Row): string[] {
  const notes = emulate.reasons.map((reason) => `! ${reason}`);
  if (emulate.unlogged > 0) notes.push(`${countText(emulate.unlogged)} accesses more to regions QEMU logs nothing of`);
  for (const message of messages.slice(0, 5)) notes.push(`new kernel message: ${message}`);
  for (const reason of mmiotrace?.reasons ?? []) notes.push(`mmiotrace: ${reason}`);
  if ((mmiotrace?.unlogged ?? 0) > 0) {
    notes.push(`mmiotrace: ${countText(mmiotrace!.unlogged)} accesses more to regions QEMU logs nothing of`);
  }
  return notes;
}

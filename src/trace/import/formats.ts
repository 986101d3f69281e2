// Detects formats: an input's from its content, an output's from its name.
import { latin1 } from "../../base/bytes.js";
import { fileMagic } from "../file/layout.js";
import { stampPattern } from "./log-clock.js";

/** The formats that are read: a trace, mmiotrace's text, QEMU's memory_region_ops and vfio_region logs, ftrace's rwmmio events. */
export const inputFormats = ["mmt", "mmiotrace", "qemu", "vfio", "rwmmio"] as const;
/** A format that is read. */
export type InputFormat = (typeof inputFormats)[number];
/** The formats that are written: a trace, mmiotrace's text, JSON Lines, CSV, Parquet, JSON for Perfetto. */
export const outputFormats = ["mmt", "mmiotrace", "jsonl", "csv", "parquet", "perfetto"] as const;
/** A format that is written. */
export type OutputFormat = (typeof outputFormats)[number];

/** Length of a log's beginning that is searched: libvirt's has its start-up lines of many runs before the first event. */
export const detect_bytes = 1 << 20;

/** Pattern of a line of each format; the first line that fits one decides. */
const marks: readonly [InputFormat, RegExp][] = [
  [
    "mmiotrace",
    /^(VERSION \d{8}|PCIDEV [0-9a-f]{4} [0-9a-f]{8} |LSPCI |[RW][ \t]+\d+[ \t]+\d+\.\d+[ \t]|(MAP|UNMAP|UNKNOWN|MARK) \d+\.\d+ |# tracer: mmiotrace\r?$)/,
  ],
  ["qemu", new RegExp(`^${stampPattern}?memory_region_(ops|ram_device)_(read|write) cpu `)],
  ["vfio", new RegExp(`^${stampPattern}?vfio_region_(read|write) `)],
  ["rwmmio", /: rwmmio_(post_)?(read|write): /],
];
/** Decides only if no line does: ftrace's output without any event. */
const ftraceHead = /^# tracer: |^cpus=\d+$/m;

/** Detects the format that a line of text is of; undefined if it is of none. */
export function formatOfLine(line: string): InputFormat | undefined {
  return marks.find(([, mark]) => mark.test(line))?.[0];
}

/** Detects the format of an input that begins with `head` (detect_bytes of it, or all); undefined if unknown. */
export function detectInput(head: Uint8Array): InputFormat | undefined {
  if (head.length >= fileMagic.length && fileMagic.every((byte, index) => head[index] === byte)) return "mmt";
  const text = latin1(head, 0, Math.min(head.length, detect_bytes));
  for (const line of text.split("\n")) {
    const found = formatOfLine(line);
    if (found !== undefined) return found;
  }
  return ftraceHead.test(text) ? "rwmmio" : undefined;
}

/** Detects the format from a file's name, without a final `.gz`; undefined if it doesn't tell. */
export function outputFormatOf(path: string): OutputFormat | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".mmt")) return "mmt";
  if (/\.(txt|log|mmiotrace)$/.test(name)) return "mmiotrace";
  if (/\.(jsonl|ndjson)$/.test(name)) return "jsonl";
  if (name.endsWith(".csv")) return "csv";
  if (/\.(parquet|pq)$/.test(name)) return "parquet";
  if (/\.(json|trace|perfetto|pftrace)$/.test(name)) return "perfetto";
  return undefined;
}

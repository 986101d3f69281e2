// Tells the formats: of what is read by its content, of what is written by its name.
import { latin1 } from "../../base/bytes.js";
import { fileMagic } from "../file/layout.js";

export const inputFormats = ["mmt", "mmiotrace", "qemu", "vfio", "rwmmio"] as const;
export type InputFormat = (typeof inputFormats)[number];
export const outputFormats = ["mmt", "mmiotrace", "jsonl", "csv", "parquet", "perfetto"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** How much of a log is looked at. */
export const detect_bytes = 64 << 10;

/** What a line of each format looks like; the first line that is any decides. */
const marks: readonly [InputFormat, RegExp][] = [
  [
    "mmiotrace",
    /^(VERSION \d{8}|PCIDEV [0-9a-f]{4} [0-9a-f]{8} |LSPCI |[RW][ \t]+\d+[ \t]+\d+\.\d{6}|(MAP|UNMAP|UNKNOWN|MARK) \d+\.\d{6})/,
  ],
  ["qemu", /^(\d+@\d+\.\d{6}:)?memory_region_(ops|ram_device)_(read|write) cpu /],
  ["vfio", /^(\d+@\d+\.\d{6}:)?vfio_region_(read|write) /],
  ["rwmmio", /: rwmmio_(post_)?(read|write): /],
];
/** Decides only where no line does: ftrace's output without an event yet. */
const ftraceHead = /^# tracer: |^cpus=\d+$/m;

/** The format of what begins with `head` (detect_bytes of it, or all there is); undefined where it is none known. */
export function detectInput(head: Uint8Array): InputFormat | undefined {
  if (head.length >= fileMagic.length && fileMagic.every((byte, index) => head[index] === byte)) return "mmt";
  const text = latin1(head, 0, Math.min(head.length, detect_bytes));
  for (const line of text.split("\n")) {
    const found = marks.find(([, mark]) => mark.test(line));
    if (found !== undefined) return found[0];
  }
  return ftraceHead.test(text) ? "rwmmio" : undefined;
}

/** By a file's name, `.gz` behind it left out; undefined where that doesn't say. */
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

// Reads the text of ftrace's own events about interrupts and DMA, which a machine recorded beside us: the truth about ours.
import { readFileSync } from "node:fs";

/** One line of ftrace's text. */
export interface FtraceLine {
  pid: number;
  cpu: number;
  context: "task" | "softirq" | "hardirq";
  event: string;
  text: string;
}

/** Reads the lines in order. Throws if the kernel had no room for some of them. */
export function ftraceLines(path: string): FtraceLine[] {
  const text = readFileSync(path, "latin1");
  const [, kept, written] = /entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(text) ?? [];
  if (kept === undefined || kept !== written) throw new Error(`${path} has ${kept} of ${written} events`);
  const line = /^ *.*-(\d+) +\[(\d+)\] (?:[^ .]|\.)[^ ]([^ ])\S* +[\d.]+: (\w+): (.*)$/gm;
  return [...text.matchAll(line)].map(([, pid, cpu, context, event, rest]) => ({
    ...{ pid: Number(pid), cpu: Number(cpu), event: event!, text: rest! },
    context: context === "h" || context === "H" ? "hardirq" : context === "s" ? "softirq" : "task",
  }));
}

/** A beginning (M) or an end (U) of memory that a PCI function may access. */
export interface FtraceDma {
  line: FtraceLine;
  what: "M" | "U";
  /** Empty where the event doesn't tell it. */
  device: string;
  bus: bigint;
  /** Undefined where the event doesn't tell it. */
  bytes: bigint | undefined;
}

const field = (text: string, name: string) => new RegExp(`\\b${name}=(?:0x)?([0-9a-f]+)\\b`).exec(text)?.[1];
const list = (text: string, name: string) => (new RegExp(`\\b${name}=\\{([^}]*)\\}`).exec(text)?.[1] ?? "").split(",");

/** Reads the kernel's dma events, or the probes of dmaProbes() in their place, in order. */
export function ftraceDma(lines: readonly FtraceLine[]): FtraceDma[] {
  return lines.flatMap((line): FtraceDma[] => {
    const { event, text } = line;
    const [device = ""] = /\b[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b/.exec(text) ?? [];
    const what = /^dma_(un|free)|^mms_end/.test(event) ? "U" : "M";
    if (event === "dma_map_sg" || event === "dma_unmap_sg") {
      const sizes = list(text, "sizes");
      return list(text, event === "dma_map_sg" ? "dma_addrs" : "phys_addrs").map((bus, index) => ({
        ...{ line, what, device, bus: BigInt(bus) },
        bytes: what === "M" ? BigInt(sizes[index]!) : undefined,
      }));
    }
    const bus = field(text, "dma_addr");
    if (bus === undefined || !/^(dma|mms)_/.test(event)) return [];
    const bytes = /\bsize=(\d+)/.exec(text)?.[1];
    return [{ line, what, device, bus: BigInt(`0x${bus}`), bytes: bytes === undefined ? undefined : BigInt(bytes) }];
  });
}

/** Probes, for tracefs's kprobe_events, in place of the dma events on kernels that have none. */
export const dmaProbes = [
  "r:mms/mms_begin dma_map_page_attrs dma_addr=$retval:x64",
  "p:mms/mms_end_page dma_unmap_page_attrs dev=+0(+0(%di)):string dma_addr=%si:x64 size=%dx:u64",
  "p:mms/mms_end_memory dma_free_attrs dev=+0(+0(%di)):string dma_addr=%cx:x64 size=%si:u64",
] as const;

// Writes and reads the lines before the first event of mmiotrace's text: the version, then for each PCI function
// `PCIDEV BBDD VVVVDDDD IRQ b0 … b6 l0 … l6 DRIVER`, all hexadecimal without 0x. They lack the PCI domain.
import { hex } from "../base/hex.js";
import { type LackableFact, type PciFunction, resourceFlag } from "./header.js";

/** The producer in an imported trace's header. */
export const mmiotraceProducer = "mmiotrace";

/** The facts that have no place in mmiotrace's lines; its PID is always 0. */
export const mmiotraceLacks: readonly LackableFact[] = ["cpu", "pid", "context", "flags", "caller"];

const version = "VERSION 20070824";

/** The resource flags that the kernel prints along with a BAR's start. */
const barFlagsShown = 0xfn;
const resources = 7;

const bare = (text: string) => BigInt(text).toString(16);

/** Makes the lines that the kernel prints before the first event. */
export function mmiotraceHead(functions: readonly PciFunction[]): string {
  return [version, ...functions.map(pciLine)].map((line) => `${line}\n`).join("");
}

/** Makes a PCI function's line, without its end. */
export function pciLine(found: PciFunction): string {
  const place = /([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i.exec(found.address);
  const bus = place === null ? 0 : Number.parseInt(place[1]!, 16);
  const devfn = place === null ? 0 : (Number.parseInt(place[2]!, 16) << 3) | Number(place[3]);
  const byte = (value: number) => value.toString(16).padStart(2, "0");
  const half = (text: string) => bare(text).padStart(4, "0");
  const bars = Array.from({ length: resources }, (_, index) => found.bars.find((bar) => bar.index === index));
  const starts = bars.map((bar) =>
    bar === undefined ? "0" : (BigInt(bar.start) | (BigInt(bar.flags) & barFlagsShown)).toString(16),
  );
  const lengths = bars.map((bar) => (bar === undefined ? "0" : bare(bar.length_bytes)));
  const ids = `${half(found.vendor)}${half(found.device)}`;
  return `PCIDEV ${byte(bus)}${byte(devfn)} ${ids} ${found.irq.toString(16)} ${[...starts, ...lengths].join(" ")} ${found.driver ?? ""}`;
}

/** Parses a PCI function's line; undefined if it isn't one. */
export function pciFunctionOfLine(line: string): PciFunction | undefined {
  const fields = line.trimEnd().split(" ");
  const numbers = fields
    .slice(1, 4 + 2 * resources)
    .map((field) => (/^[0-9a-f]{1,16}$/i.test(field) ? BigInt(`0x${field}`) : undefined));
  if (fields[0] !== "PCIDEV" || numbers.length < 3 + 2 * resources || numbers.includes(undefined)) return undefined;
  const [place, ids, irq, ...rest] = numbers as bigint[];
  if (place! > 0xffffn || ids! > 0xffff_ffffn || irq! > 0xffff_ffffn) return undefined;
  const digits = (value: bigint) => value.toString(16).padStart(2, "0");
  return {
    address: `0000:${digits(place! >> 8n)}:${digits((place! >> 3n) & 31n)}.${place! & 7n}`,
    vendor: hex(ids! >> 16n),
    device: hex(ids! & 0xffffn),
    subsystemVendor: "0x0",
    subsystemDevice: "0x0",
    class: "0x0",
    revision: "0x0",
    irq: Number(irq),
    driver: fields[4 + 2 * resources] || null,
    bars: Array.from({ length: resources }, (_, index) => ({
      index,
      start: rest[index]!,
      length: rest[resources + index]!,
    }))
      .filter((bar) => bar.start !== 0n || bar.length !== 0n)
      .map(({ index, start, length }) => {
        const isPort = (start & 1n) === 1n;
        const shown = isPort ? 1n : start & barFlagsShown;
        const flags = hex((isPort ? resourceFlag.port : resourceFlag.memory) | shown);
        return { index, start: hex(start & ~shown), length_bytes: hex(length), flags };
      }),
  };
}

// Reads the text of the kernel's mmiotrace into ring records. The counterpart of mmiotrace.ts.
//
// Imported time stamps are microseconds: the trace's clock has a frequency of 1 MHz, and 0 is what the text counts from.
import type { Hex, PciFunction, TraceHeader } from "../header.js";
import { RecordFlag, RecordKind, type RingRecord, record_bytes, text_bytes, writeRecord } from "../record.js";

const clock_hz = 1_000_000;
const event = /^(R|W|MAP|UNMAP|UNKNOWN|MARK) (.*)$/;

/** Records made one after the other, numbered from 1, in pieces of whole records. */
class RecordBuffer {
  private bytes = new Uint8Array(record_bytes * 4096);
  private view = new DataView(this.bytes.buffer);
  private used = 0;
  private sequence = 0n;

  add(record: Partial<RingRecord>): void {
    if (record_bytes * (this.used + 1) > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.sequence += 1n;
    writeRecord(this.view, record_bytes * this.used, { ...record, sequence: this.sequence });
    this.used += 1;
  }

  addText(record: Partial<RingRecord>, text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let from = 0; from === 0 || from < bytes.length; from += text_bytes) {
      const part = new Uint8Array(text_bytes);
      part.set(bytes.subarray(from, from + text_bytes));
      const view = new DataView(part.buffer);
      this.add({
        ...record,
        address: view.getBigUint64(0, true),
        value: [view.getBigUint64(8, true), view.getBigUint64(16, true)],
        width: Math.min(text_bytes, bytes.length - from),
        flags: from + text_bytes < bytes.length ? RecordFlag.more : 0,
      });
    }
  }

  take(): Uint8Array {
    const taken = this.bytes.slice(0, record_bytes * this.used);
    this.used = 0;
    return taken;
  }
}

export interface MmiotraceImport {
  header: TraceHeader;
  /** Whole ring records. */
  records: Uint8Array;
  accesses: number;
  lost: number;
  escaped: number;
  mappings: number;
  /** Lines that say nothing known. */
  skipped: number;
}

/** Parses a whole text. Lines that aren't understood are counted, not guessed at. */
export function importMmiotrace(text: string): MmiotraceImport {
  const records = new RecordBuffer();
  const result = { accesses: 0, lost: 0, escaped: 0, mappings: 0, skipped: 0 };
  const functions: PciFunction[] = [];
  const lengths = new Map<number, { address: bigint; length: bigint; virtual: bigint }>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("VERSION ")) continue;
    if (line.startsWith("PCIDEV ")) {
      const found = pciFunction(line.split(" "));
      if (found === undefined) result.skipped += 1;
      else functions.push(found);
      continue;
    }
    const parts = event.exec(line);
    if (parts === null || !takeEvent(records, parts[1]!, parts[2]!, lengths, result)) result.skipped += 1;
  }
  return { header: headerOf(functions), records: records.take(), ...result };
}

type Lengths = Map<number, { address: bigint; length: bigint; virtual: bigint }>;
type Counts = Omit<MmiotraceImport, "header" | "records">;

function takeEvent(records: RecordBuffer, kind: string, rest: string, lengths: Lengths, counts: Counts): boolean {
  const fields = rest.split(" ");
  try {
    switch (kind) {
      case "R":
      case "W": {
        const [width, time, id, address, value, site] = fields;
        records.add({
          kind: kind === "R" ? RecordKind.read : RecordKind.write,
          tsc: time_us(time!),
          mapping: Number(id),
          address: BigInt(address!),
          value: [BigInt(value!), 0n],
          width: Number(width),
          site: BigInt(site!),
        });
        counts.accesses += 1;
        return true;
      }
      case "MAP": {
        const [time, id, address, virtual, length] = fields;
        const mapping = { address: BigInt(address!), length: BigInt(length!), virtual: BigInt(virtual!) };
        lengths.set(Number(id), mapping);
        const value: [bigint, bigint] = [mapping.length, mapping.virtual];
        records.add({
          kind: RecordKind.map,
          tsc: time_us(time!),
          mapping: Number(id),
          address: mapping.address,
          value,
        });
        counts.mappings += 1;
        return true;
      }
      case "UNMAP": {
        const [time, id] = fields;
        const known = lengths.get(Number(id));
        records.add({
          kind: RecordKind.unmap,
          tsc: time_us(time!),
          mapping: Number(id) >>> 0,
          address: known?.address ?? 0n,
          value: [known?.length ?? 0n, known?.virtual ?? 0n],
        });
        return true;
      }
      case "UNKNOWN": {
        const [time, id, address, bytes, site] = fields;
        const instruction = bytes!.split(",").map((byte) => BigInt(`0x${byte}`));
        const value = instruction.reduceRight((sum, byte) => (sum << 8n) | byte, 0n);
        const where = { mapping: Number(id), address: BigInt(address!), site: BigInt(site!) };
        records.add({
          kind: RecordKind.escape,
          tsc: time_us(time!),
          ...where,
          value: [value, 0n],
          width: instruction.length,
        });
        counts.escaped += 1;
        return true;
      }
      default: {
        const lost = /^0\.000000 Lost (\d+) events\.$/.exec(rest);
        if (lost !== null) {
          records.add({ kind: RecordKind.lost, value: [BigInt(lost[1]!), 0n] });
          counts.lost += Number(lost[1]);
          return true;
        }
        const [time] = fields;
        records.addText({ kind: RecordKind.mark, tsc: time_us(time!) }, rest.slice(time!.length + 1));
        return true;
      }
    }
  } catch (error) {
    // BigInt() of what is no number.
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError) return false;
    throw error;
  }
}

/** `S.UUUUUU` in microseconds. */
function time_us(text: string): bigint {
  const parts = /^(\d+)\.(\d{6})$/.exec(text);
  if (parts === null) throw new SyntaxError("no time");
  return BigInt(parts[1]!) * 1_000_000n + BigInt(parts[2]!);
}

function pciFunction(fields: string[]): PciFunction | undefined {
  const numbers = fields
    .slice(1, 18)
    .map((field) => (/^[0-9a-f]{1,16}$/.test(field) ? BigInt(`0x${field}`) : undefined));
  if (numbers.length < 17 || numbers.includes(undefined)) return undefined;
  const [place, ids, irq, ...rest] = numbers as bigint[];
  const hex = (value: bigint): Hex => `0x${value.toString(16)}`;
  const digits = (value: bigint) => value.toString(16).padStart(2, "0");
  const bars = Array.from({ length: 7 }, (_, index) => ({ index, start: rest[index]!, length: rest[7 + index]! }));
  return {
    address: `0000:${digits(place! >> 8n)}:${digits((place! >> 3n) & 31n)}.${place! & 7n}`,
    vendor: hex(ids! >> 16n),
    device: hex(ids! & 0xffffn),
    subsystemVendor: "0x0",
    subsystemDevice: "0x0",
    class: "0x0",
    revision: "0x0",
    irq: Number(irq),
    driver: fields[18] || null,
    bars: bars
      .filter((bar) => bar.start !== 0n || bar.length !== 0n)
      .map(({ index, start, length }) => {
        const isPort = (start & 1n) === 1n;
        const shown = isPort ? 0x1n : start & 0xfn;
        // IORESOURCE_IO or IORESOURCE_MEM, as sysfs would show beside the low bits that the line has.
        return {
          index,
          start: hex(start & ~shown),
          length_bytes: hex(length),
          flags: hex((isPort ? 0x100n : 0x200n) | shown),
        };
      }),
  };
}

function headerOf(pciFunctions: PciFunction[]): TraceHeader {
  return {
    engine: "import",
    producer: "mmiotrace",
    machine: { host: "", release: "", version: "", architecture: "x86_64" },
    cpu: { model: "", count: 1 },
    clock: { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: clock_hz },
    pciFunctions,
    modules: [],
    commandLine: [],
    options: { filter: [], relaxed: false, cleanRoom: false, excludeWriteCombining: false, ring_bytes: 0 },
    fence: null,
  };
}

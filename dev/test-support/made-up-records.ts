// Ring records made up from a seed, for tests: every kind, odd values, several parts, several CPUs. No real driver
// behaves like this; dev/bench/ has realistic mixes.
import type { TraceHeader, TraceSummary } from "../../src/trace/header.js";
import {
  RecordFlag,
  RecordKind,
  type RingRecord,
  record_bytes,
  text_bytes,
  writeRecord,
} from "../../src/trace/record.js";

/** Makes numbers from 0 to 2^32 - 1, the same ones for the same seed (xorshift32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Collects records as the ring would hold them. */
export class RecordList {
  private bytes = new Uint8Array(record_bytes * 1024);
  count = 0;

  add(record: Partial<RingRecord>): this {
    if (record_bytes * (this.count + 1) > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.count += 1;
    writeRecord(new DataView(this.bytes.buffer), record_bytes * (this.count - 1), {
      ...record,
      sequence: this.count,
    });
    return this;
  }

  /** Adds the record or records of a text. */
  addText(record: Partial<RingRecord>, text: string): this {
    const bytes = new TextEncoder().encode(text);
    let from = 0;
    do {
      const part = new Uint8Array(text_bytes);
      part.set(bytes.subarray(from, from + text_bytes));
      const view = new DataView(part.buffer);
      const more = from + text_bytes < bytes.length;
      this.add({
        ...record,
        address: view.getBigUint64(0, true),
        value: [view.getBigUint64(8, true), view.getBigUint64(16, true)],
        width: Math.min(text_bytes, bytes.length - from),
        flags: (record.flags ?? 0) | (more ? RecordFlag.more : 0),
      });
      from += text_bytes;
    } while (from < bytes.length);
    return this;
  }

  get records(): Uint8Array {
    return this.bytes.subarray(0, record_bytes * this.count);
  }
}

const bar = 0xfebc0000n;

/** Makes about `count` records of all kinds. */
export function madeUpRecords(count: number, seed: number): Uint8Array {
  const random = randomNumbers(seed);
  const below = (limit: number) => random() % limit;
  const list = new RecordList();
  let tsc = 0x1_0000_0000_0000n + BigInt(random());
  while (list.count < count) {
    tsc += BigInt(below(1000) === 0 ? random() : below(8000)) - (below(50) === 0 ? 200n : 0n);
    const cpu = below(20) === 0 ? below(4) : 0;
    const base = { tsc, cpu, pid: 100 + cpu, flags: below(9) === 0 ? RecordFlag.hardirq : 0, mapping: 1 + below(2) };
    const caller = below(4) === 0 ? 0xc000_0000 + below(9) * 16 : 0;
    addMadeUp(list, base, { site: 0xffffffffc0000000n + BigInt(below(40) * 7), caller }, random);
  }
  return list.records;
}

/** Adds an access, mostly; one time in six a record of another kind, or of none. */
function addMadeUp(
  list: RecordList,
  base: Partial<RingRecord>,
  { site, caller }: { site: bigint; caller: number },
  random: () => number,
): void {
  const below = (limit: number) => random() % limit;
  const wide = () => (BigInt(random()) << 32n) | BigInt(random());
  switch (below(60)) {
    case 0:
      list.addText({ ...base, kind: RecordKind.symbol, site }, `function_${below(9)}+0x${below(99)}/0x3f0 [module]`);
      break;
    case 1:
      list.add({ ...base, kind: RecordKind.map, address: bar, value: [0x20000n, bar ^ (1n << 62n)], site });
      break;
    case 2:
      list.add({ ...base, kind: RecordKind.unmap, address: bar, value: [0x20000n, bar ^ (1n << 62n)] });
      break;
    case 3:
      list.addText({ ...base, kind: RecordKind.mark }, "m".repeat(below(80)));
      break;
    case 4:
      list.add({ ...base, kind: RecordKind.lost, value: [BigInt(random()), 0n] });
      break;
    case 5:
      list.add({
        ...base,
        kind: RecordKind.escape,
        address: bar,
        value: [wide(), wide() >> 8n],
        width: 15,
        site,
        caller,
      });
      break;
    case 6: {
      const module = { kind: RecordKind.module, site, mapping: 0x8000, flags: below(2) * RecordFlag.gone };
      list.addText({ ...base, ...module }, "e1000");
      break;
    }
    case 10: {
      const value: [bigint, bigint] = [0x1000n, BigInt(1 + below(9))];
      list.add({ ...base, kind: RecordKind.unrecorded, mapping: 0, address: bar, value, width: below(8), site });
      break;
    }
    case 7:
      addWideWrite(list, { ...base, site, caller }, wide);
      break;
    case 8: {
      const place = { address: wide(), value: [wide(), wide()] as [bigint, bigint] };
      list.add({ ...base, kind: RecordKind.read, ...place, width: below(256), site: wide() });
      break;
    }
    case 9: {
      const place = { kind: below(256), address: wide(), value: [wide(), wide()] as [bigint, bigint] };
      list.add({ ...base, ...place, width: below(256), flags: random() & ~8 });
      break;
    }
    case 11:
    case 12:
      addDma(list, { ...base, site, caller }, below);
      break;
    case 13: {
      const kind = below(2) === 0 ? RecordKind.irqEntry : RecordKind.irqExit;
      const value: [bigint, bigint] = [33n, kind === RecordKind.irqExit ? BigInt(below(4)) : 0n];
      list.add({ ...base, kind, mapping: madeUpFunction, address: 20n, value, site });
      break;
    }
    default: {
      const width = [1, 2, 4, 4, 4, 8, 16][below(7)]!;
      const address = bar + BigInt(below(64) * 16);
      const value = BigInt.asUintN(8 * width, below(3) === 0 ? (wide() << 64n) | wide() : BigInt(below(5)));
      const kind = below(2) === 0 ? RecordKind.read : RecordKind.write;
      list.add({ ...base, kind, address, width, site, caller, value: [BigInt.asUintN(64, value), value >> 64n] });
    }
  }
}

/** 0000:00:04.0, as records have it. */
const madeUpFunction = 0x20;

/** Adds a buffer of a few that there are, or the end of one or of several. */
function addDma(list: RecordList, base: Partial<RingRecord>, below: (limit: number) => number): void {
  const kind = below(2) === 0 ? RecordKind.dmaMap : RecordKind.dmaUnmap;
  const bus = 0x1_0000_0000n + BigInt(0x1000 * below(16));
  const value: [bigint, bigint] = [kind === RecordKind.dmaMap ? bus : 0n, BigInt(0x1000 * (1 + below(3)))];
  list.add({ ...base, kind, mapping: madeUpFunction, address: bus, value, width: below(24) });
}

/** Four parts of one access of 64 bytes. */
function addWideWrite(list: RecordList, base: Partial<RingRecord>, wide: () => bigint): void {
  for (let part = 0; part < 4; part += 1) {
    const flags = RecordFlag.locked | (part < 3 ? RecordFlag.more : 0);
    const address = bar + BigInt(16 * part);
    list.add({ ...base, flags, kind: RecordKind.write, address, value: [wide(), wide()], width: 16 });
  }
}

/** Makes a header with one PCI function, whose BAR 0 holds madeUpRecords' accesses. */
export function madeUpHeader(changes: Partial<TraceHeader> = {}): TraceHeader {
  return {
    engine: "emulate",
    producer: "mmiostrider test",
    machine: { host: "lab", release: "6.1.0", version: "#1 SMP", architecture: "x86_64" },
    cpu: { model: "made up", count: 4 },
    clock: { tsc: "0x1000000000000", wall_ns: "0x18a0000000000000", tscFrequency_hz: 2_000_000_000 },
    pciFunctions: [
      {
        address: "0000:00:04.0",
        vendor: "0x8086",
        device: "0x100e",
        subsystemVendor: "0x1af4",
        subsystemDevice: "0x1100",
        class: "0x20000",
        revision: "0x3",
        irq: 11,
        driver: "e1000",
        bars: [
          { index: 0, start: "0xfebc0000", length_bytes: "0x20000", flags: "0x40200" },
          { index: 1, start: "0xc000", length_bytes: "0x40", flags: "0x40101" },
        ],
      },
    ],
    modules: [{ name: "e1000", textAddress: "0xffffffffc0000000", text_bytes: 0x8000, buildId: null }],
    commandLine: ["mmiostrider", "record"],
    options: { filter: ["all"], relaxed: false, cleanRoom: false, excludeWriteCombining: false, ring_bytes: 1 << 24 },
    fence: null,
    ...changes,
  };
}

export const madeUpSummary: TraceSummary = {
  accesses: 0,
  lost: 0,
  escaped: 0,
  missed: 0,
  unrecorded: 0,
  mappings: 0,
  incomplete: [],
};

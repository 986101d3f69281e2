// Makes up ring records with the mix of a GPU's driver, as many as wanted and always the same, for bench/trace.ts. The mix is
// expected of a GPU's driver, not measured: few hot registers, interrupt handlers, polls for idleness, page-table writes,
// firmware words, command pushes, and pixels written as strings.
import type { TraceHeader } from "../../src/trace/header.js";
import { RecordFlag, RecordKind, record_bytes } from "../../src/trace/record.js";
import { madeUpHeader, randomNumbers } from "../test-support/made-up-records.js";

const registers = 0xf4000000;
const framebuffer = 0xe0000000;
const instanceMemory = 0xf2000000;
/** Kernel text of a driver: sites are offsets from here. */
const textLow = 0xc0a00000;
const textHigh = 0xffffffff;
const stride = record_bytes / 4;

/** Cycles from one access to the next on the same CPU: a trap and an access, plus noise. */
const access_cycles = 5_200;
const noise_cycles = 700;

/** A process that runs on a CPU, or an interrupt. */
interface Task {
  cpu: number;
  pid: number;
}

const tasks: readonly Task[] = [
  { cpu: 0, pid: 1_213 },
  { cpu: 1, pid: 1_213 },
  { cpu: 1, pid: 87 },
  { cpu: 2, pid: 2_044 },
  { cpu: 3, pid: 2_044 },
  { cpu: 2, pid: 311 },
];

/** Makes a header with the mix's device, and a clock that began before it. */
export function gpuHeader(): TraceHeader {
  const [device] = madeUpHeader().pciFunctions;
  const bar = (index: number, start: number, length: number) => ({
    index,
    start: `0x${start.toString(16)}`,
    length_bytes: `0x${length.toString(16)}`,
    flags: "0x40200",
  });
  const bars = [
    bar(0, registers, 0x100_0000),
    bar(1, framebuffer, 0x1000_0000),
    bar(3, instanceMemory, 0x200_0000),
  ] as NonNullable<typeof device>["bars"];
  return madeUpHeader({
    clock: { tsc: "0x4000000000", wall_ns: "0x18a0000000000000", tscFrequency_hz: 2_000_000_000 },
    pciFunctions: [{ ...device!, vendor: "0x10de", device: "0x0a65", class: "0x30000", driver: "nouveau", bars }],
  });
}

export class GpuMix {
  private readonly random = randomNumbers(20);
  /** Records made so far. */
  count = 0;
  private tscLow = 0;
  private tscHigh = 0x40;
  private task: Task = tasks[0]!;
  private flags = 0;
  private words: Uint32Array = new Uint32Array(0);
  private at = 0;
  private put = 0x1000;
  private pageTable = 0x20_000;
  private pixels = 0;
  private color = 0x00204080;

  /** Fills `buffer` with about as many records as it holds; returns the filled part. */
  fill(buffer: Uint8Array): Uint8Array {
    this.words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);
    this.at = 0;
    // Longest episode.
    const last = this.words.length - 300 * stride;
    while (this.at <= last) this.episode();
    return buffer.subarray(0, this.at * 4);
  }

  private below(limit: number): number {
    return this.random() % limit;
  }

  private access(kind: number, width: number, address: number, value: number, site: number, mapping = 1): void {
    const { words, at } = this;
    // The sum of two numbers is distributed roughly like a bell. Now and then something else took the CPU.
    let cycles = access_cycles + this.below(noise_cycles) + this.below(noise_cycles);
    if (this.below(64) === 0) cycles += this.below(400_000);
    this.tscLow += cycles;
    if (this.tscLow >= 2 ** 32) {
      this.tscLow -= 2 ** 32;
      this.tscHigh += 1;
    }
    this.count += 1;
    words[at] = this.count;
    words[at + 1] = 0;
    words[at + 2] = this.tscLow;
    words[at + 3] = this.tscHigh;
    words[at + 4] = address;
    words[at + 5] = 0;
    words[at + 6] = value;
    words[at + 7] = words[at + 8] = words[at + 9] = 0;
    words[at + 10] = textLow + site;
    words[at + 11] = textHigh;
    words[at + 12] = this.task.pid;
    words[at + 13] = mapping;
    words[at + 14] = this.task.cpu | (kind << 16) | (width << 24);
    words[at + 15] = this.flags;
    this.at = at + stride;
  }

  private read(offset: number, value: number, site: number): void {
    this.access(RecordKind.read, 4, registers + offset, value, site);
  }

  private write(offset: number, value: number, site: number): void {
    this.access(RecordKind.write, 4, registers + offset, value, site);
  }

  private episode(): void {
    const kind = this.below(100);
    if (kind < 8) this.task = tasks[this.below(tasks.length)]!;
    if (kind < 30) this.push();
    else if (kind < 45) this.interrupt();
    else if (kind < 58) this.poll();
    else if (kind < 70) this.pageTables();
    else if (kind < 80) this.time();
    else if (kind < 90) this.paint();
    else if (kind < 96) this.context();
    else this.firmware();
  }

  /** Pushes commands for a channel: headers and their words, then the place up to which the channel may read. */
  private push(): void {
    const channel = this.below(6);
    const base = framebuffer + 0x100_0000 + channel * 0x1_0000;
    const count = 4 + this.below(24);
    for (let word = 0; word < count; word += 1) {
      const header = word % 6 === 0;
      const value = header ? 0x2000_0000 + (this.below(40) << 2) + (this.below(6) << 16) : this.parameter();
      this.access(RecordKind.write, 4, base + (this.put & 0xfffc), value, header ? 0x4120 : 0x4164, 2);
      this.put += 4;
    }
    this.write(0xc0_008c + channel * 0x2000, this.put >>> 3, 0x41b8);
  }

  /** Makes a command's parameter: a small number, flags, the address of a buffer, sometimes a float. */
  private parameter(): number {
    const kind = this.below(10);
    if (kind < 5) return this.below(16);
    if (kind < 7) return 1 << this.below(20);
    if (kind < 9) return (0x1000_0000 + (this.below(512) << 12)) >>> 0;
    return this.random();
  }

  private interrupt(): void {
    const before = this.task;
    this.task = { cpu: 0, pid: before.pid };
    this.flags = RecordFlag.hardirq;
    const source = [0x100, 0x1000, 0x10_0000, 0x400_0000][this.below(4)]!;
    this.write(0x140, 0, 0x1010);
    this.read(0x140, 0, 0x1019);
    this.read(0x100, source, 0x1044);
    if (source === 0x100) {
      this.read(0x2100, 0x1000_0000, 0x1203);
      this.read(0x2140, 0xbfff_ffff, 0x1211);
      this.write(0x2100, 0x1000_0000, 0x1260);
    } else if (source === 0x1000) {
      this.read(0x40_0100, 0x8000_0000, 0x1404);
      this.read(0x40_0704, 0x0001_2000 + (this.below(30) << 2), 0x1412);
      this.read(0x40_0708, this.parameter(), 0x1420);
      this.write(0x40_0100, 0x8000_0000, 0x1450);
    } else if (source === 0x10_0000) this.read(0x9100, 1, 0x1604);
    else this.write(0x61_0024, 0x2, 0x1708);
    this.read(0x100, 0, 0x1050);
    this.write(0x140, 1, 0x1080);
    this.task = before;
    this.flags = 0;
  }

  /** Reads the same register until it is ready. */
  private poll(): void {
    const [offset, busy, site] = (
      [
        [0x40_0700, 0x0000_0101, 0x5210],
        [0x7_0000, 0x0000_0002, 0x2230],
        [0x10_0c80, 0x0001_0001, 0x2410],
        [0x2_504, 0x11, 0x5302],
      ] as const
    )[this.below(4)]!;
    if (offset === 0x7_0000) this.write(offset, 1, site - 0x10);
    const times = 1 + (this.below(8) === 0 ? this.below(200) : this.below(8));
    for (let turn = 0; turn < times; turn += 1) this.read(offset, busy, site);
    this.read(offset, 0, site);
  }

  /** Writes entries of eight bytes, one page after the other, then a flush. */
  private pageTables(): void {
    const count = 8 + this.below(56);
    let page = 0x8_0000 + this.below(0x8_0000);
    for (let entry = 0; entry < count; entry += 1) {
      const address = instanceMemory + this.pageTable;
      this.access(RecordKind.write, 4, address, ((page << 4) | 1) >>> 0, 0x6120, 3);
      this.access(RecordKind.write, 4, address + 4, 5, 0x6131, 3);
      this.pageTable = (this.pageTable + 8) & 0x3f_ffff;
      page += this.below(12) === 0 ? this.below(0x1000) : 1;
    }
    this.write(0x7_0000, 1, 0x2220);
    this.read(0x7_0000, 0, 0x2230);
  }

  /** Reads the device's clock: high, low, high again. */
  private time(): void {
    const low = (this.tscLow & ~31) >>> 0;
    this.read(0x9410, this.tscHigh, 0x3010);
    this.read(0x9400, low, 0x301c);
    this.read(0x9410, this.tscHigh, 0x3028);
  }

  /** Writes a line of pixels, four bytes each, as a string instruction does. */
  private paint(): void {
    this.flags = RecordFlag.string;
    const count = 16 + this.below(112);
    for (let pixel = 0; pixel < count; pixel += 1) {
      if (this.below(6) === 0) this.color = (this.color + this.below(9) * 0x010101 - 0x040404) & 0xff_ffff;
      this.access(RecordKind.write, 4, framebuffer + this.pixels, this.color, 0x7020, 2);
      this.pixels = (this.pixels + 4) & 0x7f_ffff;
    }
    this.flags = 0;
  }

  /** Writes a context's values through the window, mostly the same ones at the same places. */
  private context(): void {
    this.write(0x1700, 0x200 + this.below(4), 0x3104);
    for (let word = 0; word < 48; word += 1)
      this.write(0x70_0000 + 4 * word, word % 7 === 0 ? this.below(64) : 0, 0x3120);
    for (let word = 0; word < 24; word += 1) this.write(0x40_4000 + 16 * word, word * 0x0808, 0x5508);
  }

  /** Writes code for one of the chip's own processors, a word at a time into one register. */
  private firmware(): void {
    this.write(0x40_9180, 0x0100_0000, 0x5804);
    for (let word = 0; word < 64; word += 1) this.write(0x40_9184, code[(word + 64 * this.below(16)) & 1023]!, 0x5830);
  }
}

/** The few pages of code that are loaded again and again. */
const code = Uint32Array.from({ length: 1_024 }, randomNumbers(99));

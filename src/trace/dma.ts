// Memory that drivers give to PCI functions for direct access: the living buffers, their numbers, and which of them a register's
// value is an address in.
import type { DmaDirection, DmaWay } from "./dma-kinds.js";
import type { DmaMapEvent, DmaUnmapEvent } from "./events.js";

/** A buffer that a PCI function may access. */
export interface DmaBuffer {
  /** Counted from 1, in the trace's order: `dma#1`. */
  readonly number: number;
  /** The PCI function's address. */
  readonly device: string;
  /** Its address on the bus: the one that the device uses. */
  readonly bus: bigint;
  readonly length_bytes: bigint;
  readonly way: DmaWay;
  readonly direction: DmaDirection;
}

/** Most living buffers that are known: then the oldest are forgotten, as if they had been mapped before recording began. */
export const dmaBuffersMax = 65_536;
/** Longer than the lists of buffers that overlap: the same memory is seldom mapped twice at once. */
const overlapsSearchedMax = 16;
/** Half of a 64-bit address, as a register's value, if it isn't smaller: small numbers have many other meanings. */
const halfMin = 0x1_0000;

/** The living buffers of one function, by the low halves of their addresses. */
class FunctionBuffers {
  private readonly lows: number[] = [];
  private readonly buffers: DmaBuffer[] = [];
  /** Never shrinks: buffers that begin further below a value don't reach it. */
  private longest_bytes = 0;

  get size(): number {
    return this.buffers.length;
  }

  add(buffer: DmaBuffer): void {
    const low = lowOf(buffer.bus);
    const at = this.after(low);
    this.lows.splice(at, 0, low);
    this.buffers.splice(at, 0, buffer);
    this.longest_bytes = Math.max(this.longest_bytes, Number(buffer.length_bytes));
  }

  delete(buffer: DmaBuffer): void {
    const at = this.buffers.indexOf(buffer, this.after(lowOf(buffer.bus) - 1));
    if (at < 0) return;
    this.lows.splice(at, 1);
    this.buffers.splice(at, 1);
  }

  /** Returns the buffers that begin at these addresses, both included, the oldest of an address first. */
  beginningIn(first: bigint, last: bigint): DmaBuffer[] {
    const low = lowOf(first);
    const span = last - first;
    // a range across a multiple of 4 GiB, or a longer one, isn't one range of low halves
    if (BigInt(low) + span > 0xffff_ffffn) return this.buffers.filter(({ bus }) => bus >= first && bus <= last);
    const found: DmaBuffer[] = [];
    for (let at = this.after(low - 1); at < this.lows.length && this.lows[at]! <= low + Number(span); at += 1) {
      const { bus } = this.buffers[at]!;
      if (bus >= first && bus <= last) found.push(this.buffers[at]!);
    }
    return found;
  }

  /** Calls `take` for the buffers whose low halves' range holds `low`, the nearest first; false ends it. */
  around(low: number, take: (buffer: DmaBuffer, offset: number) => boolean): void {
    const end = this.after(low);
    for (let at = end - 1; at >= 0 && at >= end - overlapsSearchedMax; at -= 1) {
      const offset = low - this.lows[at]!;
      if (offset >= this.longest_bytes) return;
      const buffer = this.buffers[at]!;
      if (BigInt(offset) < buffer.length_bytes && !take(buffer, offset)) return;
    }
  }

  /** Returns the number of buffers with a low half of `low` or less. */
  private after(low: number): number {
    let first = 0;
    let end = this.lows.length;
    while (first < end) {
      const middle = (first + end) >> 1;
      if (this.lows[middle]! <= low) first = middle + 1;
      else end = middle;
    }
    return first;
  }
}

const lowOf = (address: bigint) => Number(address & 0xffff_ffffn);

/** A place in a buffer. */
export interface DmaPlace {
  readonly buffer: DmaBuffer;
  readonly offset: number;
}

/** Formats `dma#3+0x40`. */
export function dmaPlaceText({ buffer, offset }: DmaPlace): string {
  return `${dmaName(buffer.number)}+0x${offset.toString(16)}`;
}

/** Formats `dma#3`. */
export const dmaName = (number: number) => `dma#${number}`;

/** The living buffers at one point of a trace. */
export class DmaBuffers {
  private readonly living = new Map<number, DmaBuffer>();
  private readonly byFunction = new Map<string, FunctionBuffers>();
  /** The number of the next buffer. */
  next = 1;

  get size(): number {
    return this.living.size;
  }

  values(): Iterable<DmaBuffer> {
    return this.living.values();
  }

  /** Replaces all buffers. */
  reset(next: number, buffers: Iterable<DmaBuffer>): void {
    const taken = [...buffers];
    this.living.clear();
    this.byFunction.clear();
    this.next = next;
    for (const buffer of taken) this.keep(buffer);
  }

  /** Takes a new buffer, and writes its number into the event. */
  map(event: DmaMapEvent): void {
    const { device, bus, length_bytes, way, direction } = event;
    this.endUnsaid(event);
    event.buffer = this.next;
    this.keep({ number: this.next, device, bus, length_bytes, way, direction });
    this.next += 1;
  }

  /**
   * Ends a streaming buffer at the same address: where nothing is to be undone, newer kernels don't ask drivers to say the end. Memory
   * that the device only reads may be mapped twice at once.
   */
  private endUnsaid({ device, bus, way, direction }: DmaMapEvent): void {
    if (way !== "streaming" || direction === "to-device") return;
    const before = this.byFunction.get(device)?.beginningIn(bus, bus) ?? [];
    for (const buffer of before) if (buffer.way === way) this.delete(buffer);
  }

  /** Ends buffers, and writes their numbers into the event: none for a buffer from before the recording. */
  unmap(event: DmaUnmapEvent): void {
    const ended = this.endedBy(event);
    event.buffers = ended.map(({ number }) => number);
    for (const buffer of ended) this.delete(buffer);
  }

  private endedBy({ device, bus, length_bytes, way }: DmaUnmapEvent): DmaBuffer[] {
    const all = this.byFunction.get(device);
    if (all === undefined) return [];
    const same = all.beginningIn(bus, bus);
    // The same memory may be mapped twice.
    const exact = same.findLast((one) => one.length_bytes === length_bytes && one.way === way);
    if (exact !== undefined) return [exact];
    const last = bus + length_bytes;
    const within = all.beginningIn(bus, last).filter((one) => one.bus + one.length_bytes <= last && one.way === way);
    if (within.length > 0) return within;
    return same.slice(-1);
  }

  /**
   * Finds the living buffer of the function that a value of so many bytes is an address in. Of four bytes also the low half of one,
   * if it is such a half of one buffer only. Undefined if there is none.
   */
  placeOf(device: string, value: bigint, width_bytes: number): DmaPlace | undefined {
    if (this.living.size === 0 || (width_bytes !== 4 && width_bytes !== 8)) return undefined;
    const buffers = this.byFunction.get(device);
    if (buffers === undefined) return undefined;
    let whole: DmaPlace | undefined;
    let half: DmaPlace | undefined;
    let halves = 0;
    buffers.around(lowOf(value), (buffer, offset) => {
      if (buffer.bus + BigInt(offset) === value) {
        whole = { buffer, offset };
        return false;
      }
      halves += 1;
      half = { buffer, offset };
      return true;
    });
    if (whole !== undefined) return whole;
    return width_bytes === 4 && halves === 1 && value >= halfMin ? half : undefined;
  }

  private keep(buffer: DmaBuffer): void {
    let buffers = this.byFunction.get(buffer.device);
    if (buffers === undefined) {
      buffers = new FunctionBuffers();
      this.byFunction.set(buffer.device, buffers);
    }
    buffers.add(buffer);
    this.living.set(buffer.number, buffer);
    if (this.living.size > dmaBuffersMax) this.delete(this.living.values().next().value!);
  }

  private delete(buffer: DmaBuffer): void {
    const buffers = this.byFunction.get(buffer.device);
    buffers?.delete(buffer);
    if (buffers?.size === 0) this.byFunction.delete(buffer.device);
    this.living.delete(buffer.number);
  }
}

// The events that a trace's records stand for, one type a kind: several records that belong together are one event.
import { assert } from "../base/assert.js";
import { type DmaDirection, type DmaWay, dmaDirections, dmaWays } from "./dma-kinds.js";
import {
  callerAddress,
  dmaDirectionBits,
  functionOfRecord,
  type MemoryType,
  memoryTypes,
  RecordFlag,
  RecordKind,
  type RingRecord,
  readRecord,
  record_bytes,
  recordTextBytes,
  value_bytes,
} from "./record.js";
import { type UnrecordedWay, unrecordedWays } from "./unrecorded.js";

interface EventBase {
  /** Place among the trace's events, counted from 0. */
  number: number;
  /** Place of its first record among the trace's records, counted from 1, as in the ring. */
  sequence: number;
  tsc: bigint;
  cpu: number;
  pid: number;
  /** `RecordFlag` bits; `more` is never set. */
  flags: number;
}

export interface AccessEvent extends EventBase {
  kind: "read" | "write";
  /** Physical address, or that of a port: space.ts. */
  address: bigint;
  width_bytes: number;
  value: bigint;
  /** Address of the instruction; 0 if none was recorded. */
  site: bigint;
  /** Return address in the driver, where the instruction lies outside of it, in a function such as ioread32(); 0 for none. */
  caller: bigint;
  mapping: number;
  /**
   * Equal targets: the accesses differ only in time, task and value. Different targets needn't differ in more; -1 is unknown.
   * For remembering results: see by-target.ts.
   */
  target: number;
}

export interface MapEvent extends EventBase {
  kind: "map";
  mapping: number;
  /** As an access's. */
  address: bigint;
  length_bytes: bigint;
  /** The address that the driver got. */
  decoy: bigint;
  memoryType: MemoryType;
  /** The caller of ioremap(). */
  site: bigint;
}

export interface UnmapEvent extends EventBase {
  kind: "unmap";
  mapping: number;
  address: bigint;
  length_bytes: bigint;
  decoy: bigint;
}

export interface MarkEvent extends EventBase {
  kind: "mark";
  text: string;
  /** The text's bytes, if they aren't UTF-8: `text` shows invalid ones as U+FFFD. */
  raw?: Uint8Array;
}

export interface LostEvent extends EventBase {
  kind: "lost";
  /** Number of records lost here; 0 if a log doesn't say how many. */
  count: bigint;
}

export interface EscapeEvent extends EventBase {
  kind: "escape";
  address: bigint;
  site: bigint;
  /** As an access's. */
  caller: bigint;
  mapping: number;
  /** The instruction's bytes, at most 15. */
  instruction: Uint8Array;
}

export interface SymbolEvent extends EventBase {
  kind: "symbol";
  site: bigint;
  /** `function+0x12/0x3f0 [module]` */
  text: string;
}

export interface ModuleEvent extends EventBase {
  kind: "module";
  name: string;
  textAddress: bigint;
  text_bytes: number;
  gone: boolean;
}

/** Mappings of wanted device memory that got no decoy: accesses through them are not in the trace. */
export interface UnrecordedEvent extends EventBase {
  kind: "unrecorded";
  /** Physical. With several calls, the first address of all of them. */
  address: bigint;
  /** With several calls, up to the last address of all of them. */
  length_bytes: bigint;
  way: UnrecordedWay;
  /** Number of mappings that the event stands for. */
  calls: bigint;
  /** The caller of the function that made the mapping. */
  site: bigint;
}

/** A handler of a PCI function's interrupt begins, or has returned. With the flag `thread` it is the one in the interrupt's thread. */
export interface InterruptEvent extends EventBase {
  kind: "interrupt";
  phase: "entry" | "exit";
  /** The PCI function: `0000:00:04.0` */
  device: string;
  /** Linux's number of the interrupt. */
  irq: number;
  /** The CPU's vector; 0 if the interrupt has none. */
  vector: number;
  /** At the exit: the handler says that its device had raised the interrupt. */
  handled: boolean;
  /** At the exit: the handler's thread is to go on. */
  wakesThread: boolean;
  /** The handler. */
  site: bigint;
}

interface DmaBase extends EventBase {
  /** The PCI function: `0000:00:04.0` */
  device: string;
  /** The address on the bus, which the device uses. */
  bus: bigint;
  length_bytes: bigint;
  way: DmaWay;
  direction: DmaDirection;
  /** The caller of the kernel's function. */
  site: bigint;
  /** As an access's. */
  caller: bigint;
}

/** A PCI function was given memory. */
export interface DmaMapEvent extends DmaBase {
  kind: "dma-map";
  /** The buffer's number in the trace; 0 until the trace's state has taken the event. */
  buffer: number;
  /** Its physical address; 0 if unknown. */
  physical: bigint;
}

/** Memory is about to be taken back from a PCI function: all that was given to it at these addresses. */
export interface DmaUnmapEvent extends DmaBase {
  kind: "dma-unmap";
  /** The numbers of the buffers that end; none until the trace's state has taken the event, and for buffers from before. */
  buffers: readonly number[];
}

/** A record of a kind that this version doesn't know. */
export interface UnknownEvent extends EventBase {
  kind: "unknown";
  recordKind: number;
  record: Uint8Array;
}

/** Returns a number that is the same for accesses by one instruction, if it was called from the same place in the driver. */
export function codeOf({ site, caller }: AccessEvent): bigint {
  return caller === 0n ? site : site | (caller << 64n);
}

/** All events except reads and writes in columns. */
export type OtherEvent =
  | MapEvent
  | UnmapEvent
  | MarkEvent
  | LostEvent
  | EscapeEvent
  | SymbolEvent
  | ModuleEvent
  | UnrecordedEvent
  | InterruptEvent
  | DmaMapEvent
  | DmaUnmapEvent
  | UnknownEvent;
export type TraceEvent = AccessEvent | OtherEvent;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Returns true if a record of `kind` continues the event of the record before it. */
export function continues(previousKind: number, previousFlags: number, kind: number): boolean {
  return (previousFlags & RecordFlag.more) !== 0 && previousKind === kind;
}

/**
 * Makes one event of the records in `group`, which belong together.
 * `place`: the event's number and its first record's sequence number.
 */
export function eventOfRecords(group: Uint8Array, place: { number: number; sequence: number }): TraceEvent {
  assert(group.length >= record_bytes && group.length % record_bytes === 0, "an event is whole records");
  const view = new DataView(group.buffer, group.byteOffset, group.byteLength);
  const first = readRecord(view, 0);
  const { tsc, cpu, pid, address, site, mapping } = first;
  const caller = callerAddress(first.caller);
  const base = { ...place, tsc, cpu, pid, flags: (first.flags & ~RecordFlag.more) >>> 0 };
  switch (first.kind) {
    case RecordKind.read:
    case RecordKind.write: {
      const kind = first.kind === RecordKind.read ? "read" : "write";
      return { ...base, kind, address, site, caller, mapping, target: -1, ...joinParts(view) };
    }
    case RecordKind.map: {
      const [length_bytes, decoy] = first.value;
      const memoryType = memoryTypes[first.width] ?? "other";
      return { ...base, kind: "map", mapping, address, length_bytes, decoy, memoryType, site };
    }
    case RecordKind.unmap:
      return { ...base, kind: "unmap", mapping, address, length_bytes: first.value[0], decoy: first.value[1] };
    case RecordKind.mark:
      return { ...base, kind: "mark", ...markText(group) };
    case RecordKind.lost:
      return { ...base, kind: "lost", count: first.value[0] };
    case RecordKind.escape:
      return {
        ...base,
        kind: "escape",
        address,
        site,
        caller,
        mapping,
        instruction: group.slice(24, 24 + Math.min(first.width, 15)),
      };
    case RecordKind.symbol:
      return { ...base, kind: "symbol", site, text: joinText(group) };
    case RecordKind.module: {
      const gone = (first.flags & RecordFlag.gone) !== 0;
      return { ...base, kind: "module", name: joinText(group), textAddress: site, text_bytes: mapping, gone };
    }
    case RecordKind.unrecorded: {
      const [length_bytes, calls] = first.value;
      const way = unrecordedWays[first.width] ?? "several";
      return { ...base, kind: "unrecorded", address, length_bytes, way, calls, site };
    }
    case RecordKind.irqEntry:
    case RecordKind.irqExit: {
      const { device, value: result } = functionOfRecord(first);
      return {
        ...base,
        kind: "interrupt",
        phase: first.kind === RecordKind.irqEntry ? "entry" : "exit",
        device,
        irq: Number(BigInt.asUintN(32, address)),
        vector: Number(BigInt.asUintN(32, first.value[0])),
        handled: (result & handledBit) !== 0n,
        wakesThread: (result & wakesThreadBit) !== 0n,
        site,
      };
    }
    case RecordKind.dmaMap:
      return { ...base, kind: "dma-map", ...dmaOf(first), buffer: 0, physical: first.value[0], site, caller };
    case RecordKind.dmaUnmap:
      return { ...base, kind: "dma-unmap", ...dmaOf(first), buffers: [], site, caller };
    default:
      return { ...base, kind: "unknown", recordKind: first.kind, record: group.slice(0, record_bytes) };
  }
}

/** `irqreturn_t` */
export const handledBit = 1n;
export const wakesThreadBit = 2n;

function dmaOf(record: RingRecord): Pick<DmaBase, "device" | "bus" | "length_bytes" | "way" | "direction"> {
  const { device, value } = functionOfRecord(record);
  const direction = dmaDirections[record.width & (dmaDirections.length - 1)]!;
  const way = dmaWays[record.width >> dmaDirectionBits] ?? "streaming";
  return { device, bus: record.address, length_bytes: value, way, direction };
}

function joinText(group: Uint8Array): string {
  return utf8.decode(joinTextBytes(group));
}

function joinTextBytes(group: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < group.length; at += record_bytes) bytes.push(...recordTextBytes(group, at));
  return Uint8Array.from(bytes);
}

function markText(group: Uint8Array): { text: string; raw?: Uint8Array } {
  const raw = joinTextBytes(group);
  const text = utf8.decode(raw);
  return text.includes("\ufffd") ? { text, raw } : { text };
}

/** Joins the parts of an access, one record each, in ascending order of address: returns its width and value. */
function joinParts(view: DataView): { width_bytes: number; value: bigint } {
  const parts: { width_bytes: number; value: bigint }[] = [];
  for (let at = 0; at < view.byteLength; at += record_bytes) {
    const { value, width } = readRecord(view, at);
    parts.push({ width_bytes: width, value: value[0] | (value[1] << 64n) });
  }
  return joinValues(parts);
}

/** Most parts of a real access. A damaged trace may have more, and its cost must not grow with their square. */
const partsUsual = 8;

/** Makes one access of its parts, in ascending order of address. */
export function joinValues(parts: { width_bytes: number; value: bigint }[]): { width_bytes: number; value: bigint } {
  if (parts.length > partsUsual) return joinManyValues(parts);
  let width_bytes = 0;
  let value = 0n;
  for (const part of parts) {
    value |= part.value << BigInt(8 * width_bytes);
    width_bytes += part.width_bytes;
  }
  return { width_bytes, value };
}

function joinManyValues(parts: { width_bytes: number; value: bigint }[]): { width_bytes: number; value: bigint } {
  const width_bytes = parts.reduce((sum, part) => sum + part.width_bytes, 0);
  // A record's value may be longer than its width says.
  const bytes = new Uint8Array(width_bytes + value_bytes);
  let end = bytes.length;
  for (const part of parts) {
    for (let at = end, rest = part.value; rest !== 0n; rest >>= 8n) bytes[--at]! |= Number(rest & 0xffn);
    end -= part.width_bytes;
  }
  let hex = "0x";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return { width_bytes, value: BigInt(hex) };
}

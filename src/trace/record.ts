// The ring record of core/record.h in TypeScript: offsets, kinds, flags, and functions to read and write one record.
// test/record-layout.test.ts compares every number here with the C compiler's.
import { assert } from "../base/assert.js";
import { assertLayout } from "../base/struct-layout.js";

/** `MMS_ABI_VERSION` */
export const abiVersion = 5;
/** `MMS_RING_MAGIC` */
export const ringMagic = 0x52534d4d;

/** `enum mms_kind` */
export const RecordKind = {
  read: 1,
  write: 2,
  map: 3,
  unmap: 4,
  mark: 5,
  lost: 6,
  escape: 7,
  symbol: 8,
  module: 9,
  unrecorded: 10,
  irqEntry: 11,
  irqExit: 12,
  dmaMap: 13,
  dmaUnmap: 14,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** `enum mms_flags` */
export const RecordFlag = {
  hardirq: 1 << 0,
  softirq: 1 << 1,
  nmi: 1 << 2,
  more: 1 << 3,
  locked: 1 << 4,
  string: 1 << 5,
  user: 1 << 6,
  unordered: 1 << 7,
  gone: 1 << 8,
  stepped: 1 << 9,
  verbatim: 1 << 10,
  /** Only in the ring: `struct mms_run_part`. */
  run: 1 << 11,
  thread: 1 << 12,
} as const;

/** `enum mms_memory_type`, by value. */
export const memoryTypes = [
  "uncached",
  "write-combining",
  "write-through",
  "write-back",
  "encrypted",
  "other",
  "ports",
] as const;
/** The CPU's ways to cache a mapping; `ports` is none: I/O ports are no memory. */
export type MemoryType = (typeof memoryTypes)[number];

/** `struct mms_record`: offsets in bytes. */
export const recordOffset = {
  sequence: 0,
  caller: 4,
  tsc: 8,
  address: 16,
  value: 24,
  site: 40,
  pid: 48,
  mapping: 52,
  cpu: 56,
  kind: 58,
  width: 59,
  flags: 60,
} as const;
/** `sizeof(struct mms_record)` */
export const record_bytes = 64;
assertLayout(
  "mms_record",
  recordOffset,
  {
    ...{ sequence: 4, caller: 4, tsc: 8, address: 8, value: 16, site: 8 },
    ...{ pid: 4, mapping: 4, cpu: 2, kind: 1, width: 1, flags: 4 },
  },
  record_bytes,
);

/** `struct mms_run_part`: offsets in bytes. */
export const runPartOffset = { sequence: 0, unused: 4, value: 8 } as const;
/** `MMS_RUN_PART_BYTES`: values in one place of a run. */
export const runPart_bytes = 56;
assertLayout("mms_run_part", runPartOffset, { sequence: 4, unused: 4, value: runPart_bytes }, record_bytes);

/** `struct mms_ring_head`: offsets in bytes. */
export const ringHeadOffset = {
  magic: 0,
  abiVersion: 4,
  recordBytes: 8,
  recordsMax: 12,
  written: 16,
  read: 24,
  lost: 32,
  escaped: 40,
} as const;
/** `sizeof(struct mms_ring_head)` */
export const ringHead_bytes = 48;
assertLayout(
  "mms_ring_head",
  ringHeadOffset,
  { magic: 4, abiVersion: 4, recordBytes: 4, recordsMax: 4, written: 8, read: 8, lost: 8, escaped: 8 },
  ringHead_bytes,
);

/** `MMS_TEXT_BYTES`: the part of a text that fits into one record. */
export const text_bytes = 24;
/** `MMS_VALUE_BYTES`: the part of an access that fits into one record. */
export const value_bytes = 16;
assert(text_bytes === recordOffset.site - recordOffset.address, "a text lies in address and value");
assert(value_bytes === recordOffset.site - recordOffset.value, "a value's bytes end where the site begins");

/** All fields of one record. Not for bulk paths. */
export interface RingRecord {
  /** Modulo 2^32. */
  sequence: number;
  /** Low half of the caller's address; 0 for none. */
  caller: number;
  tsc: bigint;
  address: bigint;
  /** Least significant first. */
  value: [bigint, bigint];
  site: bigint;
  pid: number;
  mapping: number;
  cpu: number;
  kind: number;
  width: number;
  flags: number;
}

/** Beginning of the kernel's text: the high half of all callers' addresses. */
export const kernelText = 0xffff_ffff_0000_0000n;

/** Returns the address of a record's caller; 0 for none. */
export function callerAddress(caller: number): bigint {
  return caller === 0 ? 0n : kernelText | BigInt(caller);
}

/** Returns a caller's address as a record has it. Throws RangeError if it can't have it: kernel text lies in the top 4 GiB. */
export function callerInRecord(address: bigint): number {
  if (address !== 0n && address >> 32n !== kernelText >> 32n) throw new RangeError(`no kernel text: ${address}`);
  return Number(address & 0xffff_ffffn);
}

/** `MMS_EVENT_VALUE_BITS`: the part of a value beside the half of a domain's number. */
export const eventValueBits = 48n;
/** `MMS_DMA_DIRECTION_BITS` */
export const dmaDirectionBits = 2;

/** The PCI function of a record about an interrupt or DMA, and the number beside it. */
export interface FunctionAndValue {
  /** `0000:00:04.0` */
  device: string;
  /** Up to 48 bits. */
  value: bigint;
}

/** Returns the PCI function of a record about an interrupt or DMA. */
export function functionOfRecord({ mapping, value }: Pick<RingRecord, "mapping" | "value">): FunctionAndValue {
  const domain = Number(value[1] >> eventValueBits) * 0x1_0000 + (mapping >>> 16);
  const digits = (number: number, count: number) => number.toString(16).padStart(count, "0");
  const [bus, device, number] = [(mapping >>> 8) & 0xff, (mapping >>> 3) & 0x1f, mapping & 7];
  return {
    device: `${digits(domain, 4)}:${digits(bus, 2)}:${digits(device, 2)}.${number}`,
    value: BigInt.asUintN(Number(eventValueBits), value[1]),
  };
}

const pciAddress = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/;

/** Returns true for `0000:00:04.0` and the like. */
export function isPciAddress(text: string): boolean {
  return pciAddress.test(text);
}

/** Makes the two fields of a record that functionOfRecord() reads. Throws RangeError if `device` isn't a PCI function's address. */
export function functionInRecord({ device, value }: FunctionAndValue): { mapping: number; value: bigint } {
  const parts = pciAddress.exec(device);
  if (parts === null) throw new RangeError(`no PCI function: ${device}`);
  const [domain, bus, slot, number] = parts.slice(1).map((part) => Number.parseInt(part, 16)) as [
    number,
    number,
    number,
    number,
  ];
  return {
    mapping: (((domain & 0xffff) << 16) | (bus << 8) | (slot << 3) | number) >>> 0,
    value: (BigInt(domain >>> 16) << eventValueBits) | BigInt.asUintN(Number(eventValueBits), value),
  };
}

/** Reads the record at byte `at`. `view` must hold all 64 bytes of it. */
export function readRecord(view: DataView, at: number): RingRecord {
  return {
    sequence: view.getUint32(at + recordOffset.sequence, true),
    caller: view.getUint32(at + recordOffset.caller, true),
    tsc: view.getBigUint64(at + recordOffset.tsc, true),
    address: view.getBigUint64(at + recordOffset.address, true),
    value: [view.getBigUint64(at + recordOffset.value, true), view.getBigUint64(at + recordOffset.value + 8, true)],
    site: view.getBigUint64(at + recordOffset.site, true),
    pid: view.getUint32(at + recordOffset.pid, true),
    mapping: view.getUint32(at + recordOffset.mapping, true),
    cpu: view.getUint16(at + recordOffset.cpu, true),
    kind: view.getUint8(at + recordOffset.kind),
    width: view.getUint8(at + recordOffset.width),
    flags: view.getUint32(at + recordOffset.flags, true),
  };
}

/** Writes `record` at byte `at`; missing fields are 0. */
export function writeRecord(view: DataView, at: number, record: Partial<RingRecord>): void {
  view.setUint32(at + recordOffset.sequence, record.sequence ?? 0, true);
  view.setUint32(at + recordOffset.caller, record.caller ?? 0, true);
  view.setBigUint64(at + recordOffset.tsc, record.tsc ?? 0n, true);
  view.setBigUint64(at + recordOffset.address, record.address ?? 0n, true);
  view.setBigUint64(at + recordOffset.value, record.value?.[0] ?? 0n, true);
  view.setBigUint64(at + recordOffset.value + 8, record.value?.[1] ?? 0n, true);
  view.setBigUint64(at + recordOffset.site, record.site ?? 0n, true);
  view.setUint32(at + recordOffset.pid, record.pid ?? 0, true);
  view.setUint32(at + recordOffset.mapping, record.mapping ?? 0, true);
  view.setUint16(at + recordOffset.cpu, record.cpu ?? 0, true);
  view.setUint8(at + recordOffset.kind, record.kind ?? 0);
  view.setUint8(at + recordOffset.width, record.width ?? 0);
  view.setUint32(at + recordOffset.flags, record.flags ?? 0, true);
}

/** Returns the used bytes of the text record at byte `at` (at most 24), which are in `address` and `value`. */
export function recordTextBytes(records: Uint8Array, at: number): Uint8Array {
  const used = Math.min(records[at + recordOffset.width]!, text_bytes);
  return records.subarray(at + recordOffset.address, at + recordOffset.address + used);
}

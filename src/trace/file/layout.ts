// The numbers of the trace file's format, and the header of every block. docs/trace-format.md has the same in words. Knows
// nothing about the coding of columns (block-encoder.ts, block-decoder.ts).
import { assert } from "../../base/assert.js";
import { assertLayout } from "../../base/struct-layout.js";
import { crc32 } from "./crc32.js";

/** First bytes of a file: a non-ASCII byte, the name, and line ends that a text-mode copy would spoil. */
export const fileMagic = Uint8Array.of(0x8d, 0x4d, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a);
export const formatVersion = 2;
/** The oldest format that readers take: it has no callers. */
export const formatVersionMin = 1;
/** Magic, version, four bytes of zero. */
export const fileHead_bytes = 16;
assert(fileHead_bytes === fileMagic.length + 4 + 4, "the file's head is the sum of its fields");

/** `MMSB` */
const blockMagic = 0x42534d4d;
export const blockHeader_bytes = 64;
export const BlockType = {
  header: 1,
  events: 2,
  update: 3,
  summary: 4,
  index: 5,
  /** Without content: readers skip it. */
  padding: 6,
} as const;

/** Last bytes of a finished file: the index block's offset, and this. */
export const trailerMagic = Uint8Array.of(0x4d, 0x4d, 0x54, 0x69, 0x6e, 0x64, 0x65, 0x78);
export const trailer_bytes = 16;
assert(trailer_bytes === 8 + trailerMagic.length, "the trailer is the sum of its fields");

/** Most rows (accesses' parts) of a block. */
export const blockRowsMax = 65_536;
/** Most records of other kinds in a block. */
export const blockOthersMax = 16_384;
/** Greatest length of a column before compression. */
export const columnRawMax_bytes = 4 << 20;
/** Greatest length of a block's payload. */
const payloadMax_bytes = 64 << 20;
/** Greatest length of JSON before compression. */
export const jsonMax_bytes = 64 << 20;
/** Accesses to addresses from here on (no physical ones on x86-64) are kept as whole records. */
export const columnAddressLimit = 2 ** 52;

/** Columns of an events block, by their number in the file. */
export const Column = {
  word: 1,
  wordAddress: 2,
  addressShape: 3,
  addressDelta: 4,
  shape: 5,
  wordTag: 6,
  wordBytes: 7,
  taskRun: 8,
  task: 9,
  timeLow: 10,
  timeHigh: 11,
  otherAt: 12,
  other: 13,
  state: 14,
} as const;
export const columnCount = 14;
Object.values(Column).forEach((number, index) => {
  assert(number === index + 1, "columns are numbered from 1, in their order");
});
assert(Object.keys(Column).length === columnCount, "every column is counted");

/** Storage methods of a column. */
export const Method = { raw: 0, deflate: 1 } as const;

/** An events block's payload starts with tscFirst (8), six counts (4 each), then one entry a column. */
export const eventsPrelude_bytes = 32;
assert(eventsPrelude_bytes === 8 + 6 * 4, "the prelude is the sum of its fields");
/** Number (1), method (1), zero (2), stored bytes (4), raw bytes (4). */
export const columnEntry_bytes = 12;
assert(columnEntry_bytes === 1 + 1 + 2 + 4 + 4, "a column's entry is the sum of its fields");

/** Tags of a word's value: the meaning of the bytes that follow, plus their number. */
export const ValueTag = { raw: 0, up: 32, down: 64 } as const;
/** Most bytes of a value's delta. */
export const valueDeltaMax_bytes = 6;

export interface BlockHeader {
  type: number;
  payload_bytes: number;
  payloadCrc: number;
  /** Records and events in the file before this block. */
  firstRecord: number;
  firstEvent: number;
  /** Records and events in this block. */
  records: number;
  events: number;
  /** Least and greatest time stamp in this block; 0 if it has none. */
  tscMin: bigint;
  tscMax: bigint;
}

const offset = {
  magic: 0,
  type: 4,
  payloadBytes: 8,
  payloadCrc: 12,
  firstRecord: 16,
  firstEvent: 24,
  records: 32,
  events: 36,
  tscMin: 40,
  tscMax: 48,
  zero: 56,
  headerCrc: 60,
} as const;
assertLayout(
  "block header",
  offset,
  {
    ...{ magic: 4, type: 4, payloadBytes: 4, payloadCrc: 4, firstRecord: 8, firstEvent: 8, records: 4, events: 4 },
    ...{ tscMin: 8, tscMax: 8, zero: 4, headerCrc: 4 },
  },
  blockHeader_bytes,
);

function encodeBlockHeader(header: BlockHeader): Uint8Array {
  const bytes = new Uint8Array(blockHeader_bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(offset.magic, blockMagic, true);
  view.setUint32(offset.type, header.type, true);
  view.setUint32(offset.payloadBytes, header.payload_bytes, true);
  view.setUint32(offset.payloadCrc, header.payloadCrc, true);
  view.setBigUint64(offset.firstRecord, BigInt(header.firstRecord), true);
  view.setBigUint64(offset.firstEvent, BigInt(header.firstEvent), true);
  view.setUint32(offset.records, header.records, true);
  view.setUint32(offset.events, header.events, true);
  view.setBigUint64(offset.tscMin, header.tscMin, true);
  view.setBigUint64(offset.tscMax, header.tscMax, true);
  view.setUint32(offset.headerCrc, crc32(bytes.subarray(0, offset.headerCrc)), true);
  return bytes;
}

/** Makes the header of a padding block of `block_bytes` bytes in all. */
export function encodePaddingHeader(block_bytes: number): Uint8Array {
  return encodeBlockHeader({
    ...{ type: BlockType.padding, payload_bytes: block_bytes - blockHeader_bytes, payloadCrc: 0 },
    ...{ firstRecord: 0, firstEvent: 0, records: 0, events: 0, tscMin: 0n, tscMax: 0n },
  });
}

/** Reads a block's header; if it isn't one, returns the fault as a text. */
export function decodeBlockHeader(bytes: Uint8Array): BlockHeader | string {
  if (bytes.length < blockHeader_bytes) return "the block's header is cut short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, blockHeader_bytes);
  if (view.getUint32(offset.magic, true) !== blockMagic) return "no block begins here";
  if (view.getUint32(offset.headerCrc, true) !== crc32(bytes.subarray(0, offset.headerCrc))) {
    return "the block's header doesn't fit its checksum";
  }
  const header = {
    type: view.getUint32(offset.type, true),
    payload_bytes: view.getUint32(offset.payloadBytes, true),
    payloadCrc: view.getUint32(offset.payloadCrc, true),
    firstRecord: Number(view.getBigUint64(offset.firstRecord, true)),
    firstEvent: Number(view.getBigUint64(offset.firstEvent, true)),
    records: view.getUint32(offset.records, true),
    events: view.getUint32(offset.events, true),
    tscMin: view.getBigUint64(offset.tscMin, true),
    tscMax: view.getBigUint64(offset.tscMax, true),
  };
  if (header.payload_bytes > payloadMax_bytes && header.type !== BlockType.padding) {
    return `a block of ${header.payload_bytes} bytes is longer than any may be`;
  }
  const { firstRecord, firstEvent, records, events } = header;
  if (!Number.isSafeInteger(firstRecord + records) || !Number.isSafeInteger(firstEvent + events)) {
    return "the block's place among the records can't be";
  }
  if (header.records > blockRowsMax + blockOthersMax || header.events > header.records) {
    return `the block claims ${header.records} records and ${header.events} events`;
  }
  return header;
}

/** Makes a block's bytes. */
export function encodeBlock(
  type: number,
  payload: Uint8Array,
  place: { firstRecord: number; firstEvent: number },
  content: { records: number; events: number; tscMin: bigint; tscMax: bigint } = {
    records: 0,
    events: 0,
    tscMin: 0n,
    tscMax: 0n,
  },
  checksum: (bytes: Uint8Array) => number = crc32,
): Uint8Array {
  const block = new Uint8Array(blockHeader_bytes + payload.length);
  block.set(
    encodeBlockHeader({
      type,
      payload_bytes: payload.length,
      payloadCrc: checksum(payload),
      firstRecord: place.firstRecord,
      firstEvent: place.firstEvent,
      ...content,
    }),
  );
  block.set(payload, blockHeader_bytes);
  return block;
}

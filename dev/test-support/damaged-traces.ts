// For tests: takes a trace apart into blocks and columns, and puts it together again with every checksum right, so that a
// reader reports the test's change, not a wrong checksum.
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { crc32 } from "../../src/trace/file/crc32.js";
import {
  BlockType,
  blockHeader_bytes,
  columnCount,
  columnEntry_bytes,
  eventsPrelude_bytes,
  Method,
} from "../../src/trace/file/layout.js";

export interface Column {
  number: number;
  method: number;
  /** The bytes before compression. */
  raw: Uint8Array;
  /** A number for the table instead of the true number of bytes. */
  storedClaim?: number;
  rawClaim?: number;
}

/** A block's content, taken apart as far as its type allows. */
export type Content =
  | { kind: "events"; prelude: Uint8Array; columns: Column[] }
  | { kind: "packed"; raw: Uint8Array; rawClaim?: number }
  | { kind: "other"; bytes: Uint8Array };

export interface Block {
  /** All 64 bytes; putTogether() fills in length and checksums. */
  header: Uint8Array;
  content: Content;
  /** A length for the header instead of the payload's true length. */
  payloadClaim?: number;
}

export interface TraceParts {
  head: Uint8Array;
  blocks: Block[];
  /** The trailer at the file's end, with the index block's place. */
  trailer: Uint8Array;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Takes a sound trace apart. */
export function takeApart(bytes: Uint8Array): TraceParts {
  const blocks: Block[] = [];
  let at = 16;
  while (at < bytes.length - 16) {
    const header = bytes.slice(at, at + blockHeader_bytes);
    const payload_bytes = viewOf(header).getUint32(8, true);
    const payload = bytes.slice(at + blockHeader_bytes, at + blockHeader_bytes + payload_bytes);
    blocks.push({ header, content: contentOf(viewOf(header).getUint32(4, true), payload) });
    at += blockHeader_bytes + payload_bytes;
  }
  return { head: bytes.slice(0, 16), blocks, trailer: bytes.slice(at) };
}

function contentOf(type: number, payload: Uint8Array): Content {
  if (type !== BlockType.events) return { kind: "packed", raw: new Uint8Array(inflateRawSync(payload.subarray(4))) };
  const view = viewOf(payload);
  const columns: Column[] = [];
  let at = eventsPrelude_bytes + columnCount * columnEntry_bytes;
  for (let index = 0; index < columnCount; index += 1) {
    const entry = eventsPrelude_bytes + index * columnEntry_bytes;
    const stored = payload.subarray(at, at + view.getUint32(entry + 4, true));
    at += stored.length;
    const method = payload[entry + 1]!;
    const raw = method === Method.deflate ? new Uint8Array(inflateRawSync(stored)) : stored.slice();
    columns.push({ number: payload[entry]!, method, raw });
  }
  return { kind: "events", prelude: payload.slice(0, eventsPrelude_bytes), columns };
}

/** Makes a trace's bytes, with lengths and checksums that fit, except where the parts claim other lengths. */
export function putTogether(parts: TraceParts): Uint8Array {
  const pieces = [parts.head];
  let indexOffset = 0;
  let length = parts.head.length;
  for (const block of parts.blocks) {
    const payload = payloadOf(block.content);
    const header = block.header.slice();
    const view = viewOf(header);
    view.setUint32(8, block.payloadClaim ?? payload.length, true);
    view.setUint32(12, crc32(payload), true);
    view.setUint32(60, crc32(header.subarray(0, 60)), true);
    if (view.getUint32(4, true) === BlockType.index) indexOffset = length;
    pieces.push(header, payload);
    length += header.length + payload.length;
  }
  const trailer = parts.trailer.slice();
  if (trailer.length === 16 && indexOffset > 0) viewOf(trailer).setBigUint64(0, BigInt(indexOffset), true);
  return new Uint8Array(Buffer.concat([...pieces, trailer]));
}

function payloadOf(content: Content): Uint8Array {
  if (content.kind === "other") return content.bytes;
  if (content.kind === "packed") {
    const length = new Uint8Array(4);
    viewOf(length).setUint32(0, content.rawClaim ?? content.raw.length, true);
    return Buffer.concat([length, deflateRawSync(content.raw)]);
  }
  const table = new Uint8Array(columnCount * columnEntry_bytes);
  const stored = content.columns.map(({ method, raw }) => (method === Method.deflate ? deflateRawSync(raw) : raw));
  content.columns.forEach((column, index) => {
    const entry = new DataView(table.buffer, index * columnEntry_bytes, columnEntry_bytes);
    entry.setUint8(0, column.number);
    entry.setUint8(1, column.method);
    entry.setUint32(4, column.storedClaim ?? stored[index]!.length, true);
    entry.setUint32(8, column.rawClaim ?? column.raw.length, true);
  });
  return Buffer.concat([content.prelude, table, ...stored]);
}

/** Makes the index block's entries anew from the blocks before it, so that they agree. */
export function indexAnew(parts: TraceParts): void {
  const index = parts.blocks.at(-1)!;
  const pieces: Uint8Array[] = [];
  const bytes = putTogether({ ...parts, blocks: parts.blocks.slice(0, -1), trailer: new Uint8Array() });
  let at = parts.head.length;
  for (const block of parts.blocks.slice(0, -1)) {
    const place = new Uint8Array(8);
    viewOf(place).setBigUint64(0, BigInt(at), true);
    pieces.push(place, bytes.slice(at, at + blockHeader_bytes));
    at += blockHeader_bytes + payloadOf(block.content).length;
  }
  index.content = { kind: "packed", raw: new Uint8Array(Buffer.concat(pieces)) };
}

// Finds the blocks of a trace: by its index, or if there is none, by following them one after the other; and finds new ones while
// the trace is being written. Knows nothing about events. No node: imports.
import { FormatError } from "../../base/errors.js";
import type { TraceSummary, TraceUpdate } from "../header.js";
import { BlockError } from "./block-error.js";
import type { Codec } from "./compression.js";
import { inflatePayload, parseSummary, parseUpdate } from "./json-block.js";
import {
  type BlockHeader,
  BlockType,
  blockHeader_bytes,
  decodeBlockHeader,
  fileHead_bytes,
  fileMagic,
  trailer_bytes,
  trailerMagic,
} from "./layout.js";
import type { ByteSource } from "./source.js";
import { inBlock, readBlockHeader, readPayload, type StoredBlock } from "./stored-block.js";

/**
 * Consecutive records and events of the file: a stored block, or a part of one that replaced smaller blocks while the trace was
 * being read. A block once found keeps its number and its events.
 */
export interface BlockInfo extends StoredBlock {
  /** The block in the file that has this one's records; null for records between two blocks, whose block can't be found. */
  stored: StoredBlock | null;
}

/** A part of the file that can't be read; what is behind it can. */
export interface Hole {
  /** Bytes from the file's start. */
  offset: number;
  what: string;
  /** The trace's records in it. */
  records: number;
}

/** The reason why a trace can't be read to the end that its writer intended. */
export interface Damage {
  /** Bytes from the file's start. */
  offset: number;
  what: string;
}

export interface PlacedUpdate {
  /** Number of records before it. */
  firstRecord: number;
  update: TraceUpdate;
}

const entry_bytes = 8 + blockHeader_bytes;
/** Search distance past an unreadable header: only absurd blocks are longer. */
const searchMax_bytes = 16 << 20;
const searchPiece_bytes = 1 << 20;

export class BlockFinder {
  /** The events blocks, in order. */
  readonly blocks: BlockInfo[] = [];
  readonly updates: PlacedUpdate[] = [];
  summary: TraceSummary | null = null;
  damage: Damage | null = null;
  readonly holes: Hole[] = [];
  private readonly source: ByteSource;
  private readonly codec: Codec;
  private readonly start: number;
  /** The place of the next block; all blocks before it are known. */
  private end: number;
  private readonly updateOffsets = new Set<number>();
  /** There is something behind the trace's end. */
  private foundMore = false;

  /** `start`: the place of the first block after the header. */
  constructor(source: ByteSource, codec: Codec, start: number) {
    this.source = source;
    this.codec = codec;
    this.start = this.end = start;
  }

  /** Records found so far. */
  get records(): number {
    const last = this.blocks.at(-1);
    return last === undefined ? 0 : last.firstRecord + last.records;
  }

  /** Events found so far. */
  private get events(): number {
    const last = this.blocks.at(-1);
    return last === undefined ? 0 : last.firstEvent + last.events;
  }

  /** Finds all current blocks. */
  async find(): Promise<void> {
    await this.readIndex();
    if (this.summary === null) await this.walk();
    await this.lookBehindEnd();
  }

  /** Finds blocks written since: new ones, and those that replaced others. */
  async refresh(): Promise<void> {
    if (this.summary === null) {
      await this.goBack();
      await this.walk();
    }
    await this.lookBehindEnd();
  }

  /** Looks for bytes behind a whole trace's index and trailer: they aren't read, and there is a hole in their place. */
  private async lookBehindEnd(): Promise<void> {
    if (this.summary === null || this.foundMore) return;
    const { source } = this;
    const size = await source.size();
    const left_bytes = size - this.end;
    // a file may end anywhere behind its summary
    if (left_bytes < blockHeader_bytes) return;
    const index = await readBlockHeader(source, this.end);
    const isIndex = typeof index !== "string" && index.type === BlockType.index;
    if (!isIndex && (await this.trailerOffset(size)) === this.end) return;
    const end = isIndex ? this.end + blockHeader_bytes + index.payload_bytes + trailer_bytes : this.end;
    if (size <= end) return;
    this.foundMore = true;
    const next = await source.read(end, fileMagic.length);
    const isTrace = next.length === fileMagic.length && fileMagic.every((byte, at) => next[at] === byte);
    const what = isTrace
      ? "another trace begins behind its end, and isn't read: merge joins traces"
      : "something unknown follows its end, and isn't read";
    this.holes.push({ offset: end, what, records: 0 });
  }

  /** Returns the index's offset, as a trailer at the file's end gives it; undefined without a trailer. */
  private async trailerOffset(size: number): Promise<number | undefined> {
    const trailer = await this.source.read(Math.max(0, size - trailer_bytes), trailer_bytes);
    if (trailer.length < trailer_bytes || !trailerMagic.every((byte, index) => trailer[8 + index] === byte))
      return undefined;
    return Number(new DataView(trailer.buffer, trailer.byteOffset).getBigUint64(0, true));
  }

  /** Finds the blocks and the summary by the index at the file's end; finds nothing if there is no usable one. */
  private async readIndex(): Promise<void> {
    const { source, codec } = this;
    const size = await source.size();
    const offset = await this.trailerOffset(size);
    if (offset === undefined || offset < this.end || offset > size - trailer_bytes - blockHeader_bytes) return;
    const block = await readBlockHeader(source, offset);
    if (typeof block === "string" || block.type !== BlockType.index) return;
    try {
      const payload = await readPayload(source, block, codec);
      if (await this.takeIndex(await inflatePayload(payload, codec), offset)) return;
    } catch (error) {
      if (!(error instanceof BlockError || error instanceof FormatError)) throw error;
    }
    // The walk finds blocks again that were taken before the index proved wrong.
    this.blocks.length = 0;
    this.updates.length = 0;
    this.holes.length = 0;
    this.updateOffsets.clear();
    this.summary = null;
  }

  private async takeIndex(raw: Uint8Array, indexOffset: number): Promise<boolean> {
    if (raw.length % entry_bytes !== 0) return false;
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const found: StoredBlock[] = [];
    for (let at = 0; at < raw.length; at += entry_bytes) {
      const header = decodeBlockHeader(raw.subarray(at + 8, at + entry_bytes));
      if (typeof header === "string") return false;
      found.push({ ...header, offset: Number(view.getBigUint64(at, true)) });
    }
    if (!this.areWholeFile(found, indexOffset)) return false;
    for (const block of found) await this.take(block);
    if (this.summary === null) return false;
    this.end = indexOffset;
    return true;
  }

  /** Returns true if the index's blocks fill the file from the header to the index, and their numbers continue each other. */
  private areWholeFile(blocks: readonly StoredBlock[], indexOffset: number): boolean {
    let end = fileHead_bytes;
    let firstRecord = 0;
    let firstEvent = 0;
    for (const block of blocks) {
      if (block.offset !== end || block.firstRecord !== firstRecord || block.firstEvent !== firstEvent) return false;
      end += blockHeader_bytes + block.payload_bytes;
      firstRecord += block.records;
      firstEvent += block.events;
    }
    return end === indexOffset;
  }

  /** If blocks have been replaced since they were found, goes back to the end of the last unreplaced one. */
  private async goBack(): Promise<void> {
    let changed = false;
    for (let number = this.blocks.length - 1; number >= 0; number -= 1) {
      const { stored } = this.blocks[number]!;
      if (stored === null || this.blocks[number + 1]?.stored === stored) continue;
      const now = await readBlockHeader(this.source, stored.offset);
      if (typeof now !== "string" && sameBlock(now, stored)) {
        if (changed) this.end = stored.offset + blockHeader_bytes + stored.payload_bytes;
        return;
      }
      changed = true;
    }
    if (changed) this.end = this.start;
  }

  /** Finds the blocks one after the other, from the end of the last walk on. */
  private async walk(): Promise<void> {
    this.damage = null;
    // Unreadable places without missing records: a writer that died leaves one, too.
    const torn: Hole[] = [];
    const size = await this.source.size();
    while (this.end < size && this.summary === null) {
      const start = this.end;
      let block = await readBlockHeader(this.source, start);
      let what = "a block is missing";
      if (typeof block === "string") {
        what = block;
        block = (await this.search(start + 1, size)) ?? block;
        if (typeof block !== "string" && block.firstRecord <= this.records)
          torn.push({ offset: start, what, records: 0 });
      }
      const after = typeof block === "string" ? 0 : block.offset + blockHeader_bytes + block.payload_bytes;
      if (typeof block === "string" || after > size) {
        this.damage = { offset: start, what: typeof block === "string" ? block : "the block's content is cut short" };
        return;
      }
      this.skipTo(block, what);
      try {
        await this.take(block);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.holes.push({ offset: block.offset, what: error.what, records: 0 });
      }
      this.end = after;
    }
    if (this.summary === null) this.damage = { offset: this.end, what: "the trace ends without its summary" };
    // The writer didn't die: something else damaged the file.
    else this.holes.push(...torn);
  }

  /**
   * Finds, after an unreadable header, the block that continues those found: the writer died while it was replacing small blocks
   * by a large one, and there is a second copy of it. Without one, the next block of later records: those between are missing.
   */
  private async search(from: number, size: number): Promise<StoredBlock | undefined> {
    let later: StoredBlock | undefined;
    for (let at = from; at < size; at += searchPiece_bytes) {
      if (later !== undefined && at >= from + searchMax_bytes) break;
      const bytes = await this.source.read(at, Math.min(searchPiece_bytes + blockHeader_bytes - 1, size - at));
      for (let place = bytes.indexOf(magicByte); place >= 0; place = bytes.indexOf(magicByte, place + 1)) {
        const header = decodeBlockHeader(bytes.subarray(place, place + blockHeader_bytes));
        if (typeof header === "string") continue;
        const block = { ...header, offset: at + place };
        if (header.type === BlockType.events && header.firstRecord === this.records) return block;
        if (isLater(header, this.records, this.events)) later ??= block;
      }
    }
    return later;
  }

  /** Fills the place of records that are missing before `block`, if any. */
  private skipTo(block: StoredBlock, what: string): void {
    const { records, events } = this;
    const missing = { records: block.firstRecord - records, events: block.firstEvent - events };
    if (block.type === BlockType.padding || missing.records <= 0 || missing.events <= 0) return;
    const tscMax = this.blocks.at(-1)?.tscMax ?? 0n;
    const place = { offset: this.end, firstRecord: records, firstEvent: events, tscMin: 0n, tscMax, stored: null };
    this.blocks.push({ type: BlockType.events, payload_bytes: 0, payloadCrc: 0, ...missing, ...place });
    this.holes.push({ offset: this.end, what, records: missing.records });
  }

  private async take(block: StoredBlock): Promise<void> {
    const { source, codec } = this;
    const isPadding = block.type === BlockType.padding;
    const isNext = block.firstRecord === this.records && block.firstEvent === this.events;
    // blocks that begin earlier are in the file twice: they were being replaced
    if (!isPadding && !isNext && block.firstRecord >= this.records) {
      throw new FormatError(source.name, "the block doesn't go on where the one before it ends", {
        offset: block.offset,
      });
    }
    if (block.type === BlockType.events) this.takeEvents(block);
    else if (block.type === BlockType.update || block.type === BlockType.summary) {
      if (this.updateOffsets.has(block.offset)) return;
      const payload = await readPayload(source, block, codec);
      await inBlock(source, block, async () => {
        const raw = await inflatePayload(payload, codec);
        if (block.type === BlockType.summary) this.summary = parseSummary(raw);
        else this.updates.push({ firstRecord: block.firstRecord, update: parseUpdate(raw) });
        this.updateOffsets.add(block.offset);
      });
    }
  }

  /** Takes a block. It may repeat others, from the start of one of them on: those become parts of it. */
  private takeEvents(stored: StoredBlock): void {
    const { blocks } = this;
    let number = blocks.length;
    while (number > 0 && blocks[number - 1]!.firstRecord >= stored.firstRecord && blocks[number - 1]!.records > 0) {
      number -= 1;
    }
    // A block that is neither new nor begins at the start of one of them is a leftover of such a replacement.
    if (stored.firstRecord < (blocks[number]?.firstRecord ?? this.records)) return;
    const end = { record: stored.firstRecord + stored.records, event: stored.firstEvent + stored.events };
    let next = { record: stored.firstRecord, event: stored.firstEvent };
    for (; number < blocks.length; number += 1) {
      const block = blocks[number]!;
      const after = { record: block.firstRecord + block.records, event: block.firstEvent + block.events };
      if (block.firstRecord !== next.record || after.record > end.record) return;
      blocks[number] = { ...block, offset: stored.offset, stored };
      next = after;
    }
    if (next.record < end.record || stored.records === 0) {
      const { record: firstRecord, event: firstEvent } = next;
      const [records, events] = [end.record - firstRecord, end.event - firstEvent];
      blocks.push({ ...stored, firstRecord, firstEvent, records, events, stored });
    }
  }
}

/** `M`, the first byte of every block. */
const magicByte = 0x4d;

/** Returns true for a block behind a hole of whole events, which begins after so many records and events. */
function isLater(header: BlockHeader, records: number, events: number): boolean {
  const { type, firstRecord, firstEvent } = header;
  if (type !== BlockType.events && type !== BlockType.update && type !== BlockType.summary) return false;
  // one without records of its own may follow the unreadable block directly
  if (firstRecord === records && firstEvent === events) return type !== BlockType.events;
  return firstRecord > records && firstEvent > events && firstEvent - events <= firstRecord - records;
}

function sameBlock(a: StoredBlock, b: StoredBlock): boolean {
  return a.firstRecord === b.firstRecord && a.records === b.records && a.payloadCrc === b.payloadCrc;
}

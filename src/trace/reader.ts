// Reads a trace: finds its blocks (by the index, or by walking where there is none), decodes them, and offers events.
// Runs in Node and in browsers alike: bytes and decompression come from outside, and there is no node: import here.
import { FormatError } from "../base/errors.js";
import { decodeEvents } from "./block-decoder.js";
import { BlockError } from "./block-error.js";
import { eventsOfBlock } from "./block-events.js";
import { type Codec, streamCodec } from "./compression.js";
import type { EventColumns } from "./event-columns.js";
import type { TraceEvent } from "./events.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "./header.js";
import { applyState, inflatePayload, parseHeader, parseSummary, parseUpdate } from "./json-block.js";
import {
  type BlockHeader,
  BlockType,
  blockHeader_bytes,
  decodeBlockHeader,
  fileHead_bytes,
  fileMagic,
  formatVersion,
  trailer_bytes,
  trailerMagic,
} from "./layout.js";
import type { ByteSource } from "./source.js";
import { TraceState } from "./state.js";

export interface BlockInfo extends BlockHeader {
  /** Where in the file the block's header is. */
  offset: number;
}

/** What stops a trace from being read to an end that its writer meant. */
export interface Damage {
  /** In bytes from the file's start. */
  offset: number;
  what: string;
}

export interface EventBatch {
  block: BlockInfo;
  columns: EventColumns;
  /** Changes as `events` is walked: it always tells what holds at the event just given. */
  state: TraceState;
  /** Walk it once. */
  events: Iterable<TraceEvent>;
}

const entry_bytes = 8 + blockHeader_bytes;

export class TraceReader {
  readonly source: ByteSource;
  readonly header: TraceHeader;
  /** The events blocks, in order. */
  readonly blocks: BlockInfo[] = [];
  /** How each update's place compares: `firstRecord` records come before it. */
  readonly updates: { firstRecord: number; update: TraceUpdate }[] = [];
  /** What the recorder said at its end, or null where the trace was cut. */
  summary: TraceSummary | null = null;
  /** Why the trace ends before its summary, or null where it doesn't. */
  damage: Damage | null = null;
  private readonly codec: Codec;
  /** Where the next block would begin; blocks before it are known. */
  private end: number;

  private constructor(source: ByteSource, codec: Codec, header: TraceHeader, end: number) {
    this.source = source;
    this.codec = codec;
    this.header = header;
    this.end = end;
  }

  /** Throws FormatError where this is no trace, or one cut within its header. */
  static async open(source: ByteSource, codec: Codec = streamCodec): Promise<TraceReader> {
    const head = await source.read(0, fileHead_bytes);
    if (!fileMagic.every((byte, index) => head[index] === byte)) {
      throw new FormatError(source.name, "this is not a trace of mmiostrider's", {
        offset: 0,
        ...(head.length === 0 ? { advice: "the file is empty" } : {}),
      });
    }
    if (head.length < fileHead_bytes)
      throw new FormatError(source.name, "cut within its first bytes", { offset: head.length });
    const version = new DataView(head.buffer, head.byteOffset).getUint32(fileMagic.length, true);
    if (version !== formatVersion) {
      throw new FormatError(
        source.name,
        `the trace has format ${version}, this program reads format ${formatVersion}`,
        {
          offset: fileMagic.length,
          advice: "read it with the version that wrote it, or a newer one",
        },
      );
    }
    const block = await readBlockHeader(source, fileHead_bytes);
    const where = { offset: fileHead_bytes, advice: "nothing of the recording is in the file" };
    if (typeof block === "string")
      throw new FormatError(source.name, `the trace's header can't be read: ${block}`, where);
    if (block.type !== BlockType.header)
      throw new FormatError(source.name, "the trace doesn't begin with its header", where);
    const payload = await readPayload(source, block, codec);
    const header = await inBlock(source, block, async () => parseHeader(await inflatePayload(payload, codec)));
    const reader = new TraceReader(source, codec, header, fileHead_bytes + blockHeader_bytes + block.payload_bytes);
    if (!(await reader.readIndex())) await reader.walk();
    return reader;
  }

  /** Everything that was written has been found, and the recorder ended as it should. */
  get complete(): boolean {
    return this.summary !== null && this.damage === null;
  }

  get records(): number {
    const last = this.blocks.at(-1);
    return last === undefined ? 0 : last.firstRecord + last.records;
  }

  get events(): number {
    const last = this.blocks.at(-1);
    return last === undefined ? 0 : last.firstEvent + last.events;
  }

  /** Seconds between the recording's start and a time stamp. */
  secondsSinceStart(tsc: bigint): number {
    return Number(tsc - BigInt(this.header.clock.tsc)) / this.header.clock.tscFrequency_hz;
  }

  /** Looks for blocks that were written since the file was opened or last looked at. Returns how many came. */
  async refresh(): Promise<number> {
    const before = this.blocks.length;
    if (this.summary === null) await this.walk();
    return this.blocks.length - before;
  }

  /** The number of the block that holds event `number` (counted from 0), or of the last block. */
  blockOfEvent(number: number): number {
    return this.firstBlock((block) => block.firstEvent + block.events > number);
  }

  /** The number of the first block that holds anything at `tsc` or later, or of the last block. */
  blockOfTime(tsc: bigint): number {
    return this.firstBlock((block) => block.tscMax >= tsc);
  }

  private firstBlock(isReached: (block: BlockInfo) => boolean): number {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isReached(this.blocks[middle]!)) high = middle;
      else low = middle + 1;
    }
    return Math.max(low, 0);
  }

  /** Decodes block `number`. Throws FormatError. */
  async readColumns(number: number): Promise<EventColumns> {
    const block = this.blocks[number]!;
    const payload = await readPayload(this.source, block, this.codec);
    return inBlock(this.source, block, () => decodeEvents(payload, block.records, this.codec));
  }

  /** The blocks from `fromBlock` on, one batch each, with the state that the sites and addresses are looked up in. */
  async *batches(fromBlock = 0): AsyncGenerator<EventBatch, void, undefined> {
    const state = new TraceState(this.header);
    let updates = 0;
    for (let number = fromBlock; number < this.blocks.length; number += 1) {
      const block = this.blocks[number]!;
      const columns = await this.readColumns(number);
      for (; updates < this.updates.length && this.updates[updates]!.firstRecord <= block.firstRecord; updates += 1) {
        state.update(this.updates[updates]!.update);
      }
      await inBlock(this.source, block, async () => applyState(columns.state, state));
      yield { block, columns, state, events: withState(eventsOfBlock(columns, block), state) };
    }
  }

  /** Every event from block `fromBlock` on, with the state it happened in. */
  async *eventsWithState(fromBlock = 0): AsyncGenerator<{ event: TraceEvent; state: TraceState }, void, undefined> {
    for await (const { events, state } of this.batches(fromBlock)) for (const event of events) yield { event, state };
  }

  async close(): Promise<void> {
    await this.source.close();
  }

  /** Finds the blocks by the index at the file's end; false where there is none that can be used. */
  private async readIndex(): Promise<boolean> {
    const size = await this.source.size();
    const trailer = await this.source.read(size - trailer_bytes, trailer_bytes);
    if (trailer.length < trailer_bytes || !trailerMagic.every((byte, index) => trailer[8 + index] === byte))
      return false;
    const offset = Number(new DataView(trailer.buffer, trailer.byteOffset).getBigUint64(0, true));
    if (offset < this.end || offset > size - trailer_bytes - blockHeader_bytes) return false;
    const block = await readBlockHeader(this.source, offset);
    if (typeof block === "string" || block.type !== BlockType.index) return false;
    try {
      const payload = await readPayload(this.source, block, this.codec);
      const raw = await inflatePayload(payload, this.codec);
      return await this.takeIndex(raw);
    } catch (error) {
      if (error instanceof BlockError || error instanceof FormatError) return false;
      throw error;
    }
  }

  private async takeIndex(raw: Uint8Array): Promise<boolean> {
    if (raw.length % entry_bytes !== 0) return false;
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const found: BlockInfo[] = [];
    for (let at = 0; at < raw.length; at += entry_bytes) {
      const header = decodeBlockHeader(raw.subarray(at + 8, at + entry_bytes));
      if (typeof header === "string") return false;
      found.push({ ...header, offset: Number(view.getBigUint64(at, true)) });
    }
    for (const block of found) await this.takeBlock(block);
    return true;
  }

  /** Finds the blocks one after the other, from where the last walk ended. */
  private async walk(): Promise<void> {
    this.damage = null;
    const size = await this.source.size();
    while (this.end < size && this.summary === null) {
      const block = await readBlockHeader(this.source, this.end);
      const after = typeof block === "string" ? 0 : this.end + blockHeader_bytes + block.payload_bytes;
      if (typeof block === "string" || after > size) {
        const what = typeof block === "string" ? block : "the block's content is cut short";
        this.damage = { offset: this.end, what };
        return;
      }
      try {
        await this.takeBlock(block);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.damage = { offset: this.end, what: error.message };
        return;
      }
      this.end = after;
    }
    if (this.summary === null) this.damage = { offset: this.end, what: "the trace ends without its summary" };
  }

  private async takeBlock(block: BlockInfo): Promise<void> {
    if (block.type === BlockType.events) this.blocks.push(block);
    else if (block.type === BlockType.update || block.type === BlockType.summary) {
      const payload = await readPayload(this.source, block, this.codec);
      await inBlock(this.source, block, async () => {
        const raw = await inflatePayload(payload, this.codec);
        if (block.type === BlockType.summary) this.summary = parseSummary(raw);
        else this.updates.push({ firstRecord: block.firstRecord, update: parseUpdate(raw) });
      });
    }
  }
}

function* withState(events: Iterable<TraceEvent>, state: TraceState): Generator<TraceEvent, void, undefined> {
  for (const event of events) {
    // A mapping is still there at its end, so that it can be named.
    if (event.kind !== "unmap") state.apply(event);
    yield event;
    if (event.kind === "unmap") state.apply(event);
  }
}

async function readBlockHeader(source: ByteSource, offset: number): Promise<BlockInfo | string> {
  const header = decodeBlockHeader(await source.read(offset, blockHeader_bytes));
  return typeof header === "string" ? header : { ...header, offset };
}

async function readPayload(source: ByteSource, block: BlockInfo, codec: Codec): Promise<Uint8Array> {
  const payload = await source.read(block.offset + blockHeader_bytes, block.payload_bytes);
  if (payload.length < block.payload_bytes) {
    throw new FormatError(source.name, "the block's content is cut short", { offset: block.offset });
  }
  if (codec.crc32(payload) !== block.payloadCrc) {
    throw new FormatError(source.name, "the block's content doesn't fit its checksum", {
      offset: block.offset,
      advice: "the file was damaged after it was written",
    });
  }
  return payload;
}

/** Says where in which file a block's content is wrong. */
async function inBlock<T>(source: ByteSource, block: BlockInfo, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BlockError) throw new FormatError(source.name, error.message, { offset: block.offset });
    throw error;
  }
}

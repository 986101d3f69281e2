// Reads a trace: finds its blocks (by the index, or by walking if there is none), decodes them, and gives events. Runs in
// Node and in browsers: the caller gives bytes and decompression, and there is no node: import here.
import { FormatError, UserError } from "../../base/errors.js";
import type { EventColumns } from "../event-columns.js";
import type { TraceEvent } from "../events.js";
import type { TraceHeader, TraceSummary } from "../header.js";
import { TraceState } from "../state.js";
import { decodeEvents } from "./block-decoder.js";
import { eventsOfBlock, eventsOfOtherRecords } from "./block-events.js";
import { BlockFinder, type BlockInfo, type Damage, type Hole, type PlacedUpdate } from "./block-finder.js";
import { type Codec, streamCodec } from "./compression.js";
import { applyState, checkState, inflatePayload, parseHeader } from "./json-block.js";
import { BlockType, blockHeader_bytes, fileHead_bytes, fileMagic, formatVersion, formatVersionMin } from "./layout.js";
import { lostColumns } from "./lost-columns.js";
import { sliceColumns } from "./slice-columns.js";
import type { ByteSource } from "./source.js";
import { inBlock, readBlockHeader, readPayload, type StoredBlock } from "./stored-block.js";

export type { BlockInfo, Damage, Hole, PlacedUpdate } from "./block-finder.js";

/** Attempts to find a moved block: a writer moves a block only once. */
const readAttempts = 3;

export interface EventBatch {
  block: BlockInfo;
  columns: EventColumns;
  /** Changes during the walk through `events`: it is always the state at the event just given. */
  state: TraceState;
  /** Walk through it once. */
  events: Iterable<TraceEvent>;
}

export class TraceReader {
  readonly source: ByteSource;
  readonly header: TraceHeader;
  private readonly codec: Codec;
  private readonly finder: BlockFinder;
  /** Numbers of blocks whose content is damaged. */
  private readonly unreadable = new Set<number>();
  private closed = false;

  private constructor(source: ByteSource, codec: Codec, header: TraceHeader, end: number) {
    this.source = source;
    this.codec = codec;
    this.header = header;
    this.finder = new BlockFinder(source, codec, end);
  }

  /** The events blocks, in order. */
  get blocks(): readonly BlockInfo[] {
    return this.finder.blocks;
  }

  /** The updates in order, with their places. */
  get updates(): readonly PlacedUpdate[] {
    return this.finder.updates;
  }

  /** The recorder's summary, or null if the trace was cut. */
  get summary(): TraceSummary | null {
    return this.finder.summary;
  }

  /** The reason why the trace ends before its summary, or null if it doesn't. */
  get damage(): Damage | null {
    return this.finder.damage;
  }

  /** The unreadable parts that were found so far. A block is checked when it is read, or by checkBlock(). */
  get holes(): readonly Hole[] {
    return this.finder.holes;
  }

  /** Opens a trace. Throws FormatError if it is none, or is cut within its header. */
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
    if (version < formatVersionMin || version > formatVersion) {
      throw new FormatError(
        source.name,
        `the trace has format ${version}, this program reads formats ${formatVersionMin} to ${formatVersion}`,
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
    await reader.finder.find();
    return reader;
  }

  /** True if all blocks have been found, none was unreadable so far, and the recorder ended in order. */
  get complete(): boolean {
    return this.summary !== null && this.damage === null && this.holes.length === 0;
  }

  /** True for an imported log in which no event has a time: its time stamps are 0. */
  get isTimeless(): boolean {
    if (this.header.engine !== "import" || this.events === 0) return false;
    return this.blocks.every((block) => block.tscMax === 0n);
  }

  get records(): number {
    return this.finder.records;
  }

  get events(): number {
    const last = this.blocks.at(-1);
    return last === undefined ? 0 : last.firstEvent + last.events;
  }

  /** Returns the seconds from the recording's start to a time stamp. */
  secondsSinceStart(tsc: bigint): number {
    return Number(tsc - BigInt(this.header.clock.tsc)) / this.header.clock.tscFrequency_hz;
  }

  /**
   * Looks for blocks written since the file was opened or last refreshed. Returns their number. Known blocks stay the same,
   * even if the writer has replaced them.
   */
  async refresh(): Promise<number> {
    this.throwIfClosed();
    const before = this.blocks.length;
    await this.finder.refresh();
    return this.blocks.length - before;
  }

  /** Returns the number of the block that holds event `number` (counted from 0), or of the last block. */
  blockOfEvent(number: number): number {
    return this.firstBlock((block) => block.firstEvent + block.events > number);
  }

  /** Returns the number of the first block that holds anything at `tsc` or later, or of the last block. */
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

  /** Decodes block `number`. A damaged block has one LOST event instead of its content, and becomes one of `holes`. */
  async readColumns(number: number): Promise<EventColumns> {
    const columns = await this.orHole(number, (stored) => this.readStored(stored, this.blocks[number]!));
    return columns ?? lostColumns(this.blocks[number]!);
  }

  /** Checks a block whose events nobody wants: if it is damaged, it becomes one of `holes`. */
  async checkBlock(number: number): Promise<void> {
    await this.orHole(number, (stored) => readPayload(this.source, stored, this.codec));
  }

  /** Has `read` read a block; returns undefined if that isn't possible. */
  private async orHole<T>(number: number, read: (stored: StoredBlock) => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      this.throwIfClosed();
      const { stored, records } = this.blocks[number]!;
      if (stored === null || this.unreadable.has(number)) return undefined;
      try {
        return await read(stored);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        if (this.summary !== null || attempt === readAttempts) {
          this.unreadable.add(number);
          this.finder.holes.push({ offset: stored.offset, what: error.what, records });
          return undefined;
        }
        // The writer may just be moving it.
        await this.finder.refresh();
      }
    }
  }

  private async readStored(stored: StoredBlock, block: BlockInfo): Promise<EventColumns> {
    const payload = await readPayload(this.source, stored, this.codec);
    const columns = await inBlock(this.source, stored, async () => {
      const decoded = await decodeEvents(payload, stored.records, this.codec);
      checkState(decoded.state);
      return decoded;
    });
    if (stored.records === block.records) return columns;
    return sliceColumns(columns, block.firstRecord - stored.firstRecord, block.records);
  }

  /** Yields the blocks from `fromBlock` on, one batch each, with the state for looking up sites and addresses. */
  async *batches(fromBlock = 0): AsyncGenerator<EventBatch, void, undefined> {
    const state = new TraceState(this.header);
    let updates = 0;
    for (let number = fromBlock; number < this.blocks.length; number += 1) {
      const block = this.blocks[number]!;
      const columns = await this.readColumns(number);
      for (; updates < this.updates.length && this.updates[updates]!.firstRecord <= block.firstRecord; updates += 1) {
        state.update(this.updates[updates]!.update);
      }
      // the state behind a hole is the next block's
      if (!this.isHole(number)) applyState(columns.state, state);
      for (const event of eventsOfOtherRecords(columns.before)) state.apply(event);
      yield { block, columns, state, events: withState(eventsOfBlock(columns, block), state) };
    }
  }

  /** Yields every event from block `fromBlock` on, with the state at it. */
  async *eventsWithState(fromBlock = 0): AsyncGenerator<{ event: TraceEvent; state: TraceState }, void, undefined> {
    for await (const { events, state } of this.batches(fromBlock)) for (const event of events) yield { event, state };
  }

  private isHole(number: number): boolean {
    return this.unreadable.has(number) || this.blocks[number]!.stored === null;
  }

  /** Closes the source; a second time does nothing. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.source.close();
  }

  /** Throws UserError if the trace is closed: its descriptor may be another file's by now. */
  throwIfClosed(): void {
    if (this.closed) throw new UserError(`reading ${this.source.name} failed: the trace is closed`);
  }
}

function* withState(events: Iterable<TraceEvent>, state: TraceState): Generator<TraceEvent, void, undefined> {
  for (const event of events) {
    // At its UNMAP a mapping is still in the state, so that it can be named.
    if (event.kind !== "unmap") state.apply(event);
    yield event;
    if (event.kind === "unmap") state.apply(event);
  }
}

// Writes a trace: turns ring records into blocks, in bounded memory. docs/trace-format.md describes the format.

import { assert } from "../../base/assert.js";
import type { UserError } from "../../base/errors.js";
import { countOf } from "../../base/units.js";
import type { DmaBuffer } from "../dma.js";
import { noCpu } from "../event-task.js";
import type { TraceEvent } from "../events.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "../header.js";
import { RecordKind, record_bytes, writeRecord } from "../record.js";
import { type LivingMapping, TraceState } from "../state.js";
import { BlockEncoder } from "./block-encoder.js";
import type { Codec } from "./compression.js";
import { encodeEvents, indexEntry } from "./event-block.js";
import { encodeJson } from "./json-block.js";
import {
  BlockType,
  blockHeader_bytes,
  blockOthersMax,
  blockRowsMax,
  encodeBlock,
  fileHead_bytes,
  fileMagic,
  formatVersion,
  trailer_bytes,
  trailerMagic,
} from "./layout.js";
import type { ByteSink } from "./sink.js";
import { WriterTail } from "./writer-tail.js";

/** A block ends at the first event end after this many records; the rest of its room is for that event. */
const blockRowsWanted = blockRowsMax - 1_024;
const blockOthersWanted = blockOthersMax - 1_024;
/** The first block's rows. Each of the next ones may have twice as many: a small trace that is cut still has most of its events. */
const firstBlockRows = 1_024;
/** 32-bit words of a record. */
const stride = record_bytes / 4;

export class TraceWriter {
  private readonly output: ByteSink;
  private readonly codec: Codec;
  private readonly encoder = new BlockEncoder();
  private readonly state = new TraceState();
  private readonly tail: WriterTail;
  /** Offset and header of every block except the index. */
  private readonly index: Uint8Array[] = [];
  private firstRecord = 0;
  private firstEvent = 0;
  /** Rows wanted in the next final block. */
  private rowsWanted = firstBlockRows;
  /** The last ring sequence number seen, modulo 2^32; undefined before the first. */
  private lastSequence: number | undefined;
  /** Updates that wait for the end of an event. */
  private readonly notes: TraceUpdate[] = [];
  private failure: UserError | undefined;
  private closed = false;
  /** Records missing between the ring and the trace, which became LOST events. */
  missing = 0;

  private constructor(output: ByteSink, codec: Codec) {
    this.output = output;
    this.codec = codec;
    this.tail = new WriterTail(output.replaceable);
  }

  /** Starts a trace in an empty output. For files, see createTrace() in trace/node. Throws UserError. */
  static async into(output: ByteSink, header: TraceHeader, codec: Codec): Promise<TraceWriter> {
    const writer = new TraceWriter(output, codec);
    const head = new Uint8Array(fileHead_bytes);
    head.set(fileMagic);
    new DataView(head.buffer).setUint32(fileMagic.length, formatVersion, true);
    await writer.write(() => writer.output.append(head));
    await writer.writeJson(BlockType.header, header);
    writer.output.keep();
    return writer;
  }

  /**
   * Sets the mappings and DMA buffers that are already alive, and the next buffer's number, before anything is appended: for a trace
   * that is a part of another.
   */
  begin(mappings: Iterable<LivingMapping>, dma: { next: number; buffers: readonly DmaBuffer[] }): void {
    assert(this.firstRecord + this.encoder.records === 0, "nothing was appended yet");
    this.state.dma.reset(dma.next, dma.buffers);
    this.tail.state.dma.reset(dma.next, dma.buffers);
    for (const mapping of mappings) {
      this.state.mappings.set(mapping.id, mapping);
      this.tail.state.mappings.set(mapping.id, mapping);
    }
  }

  /** Numbers of records and events in the file by now. */
  get flushed(): { records: number; events: number } {
    return { records: this.firstRecord, events: this.firstEvent };
  }

  /** Bytes written so far. */
  get length_bytes(): number {
    return this.output.length;
  }

  /**
   * Takes whole ring records, in the ring's order. The buffer may be reused when this settles.
   * Throws UserError if the file can't be written; the written part stays readable.
   */
  async append(records: Uint8Array): Promise<void> {
    assert(records.length % record_bytes === 0, "records are whole");
    assert(!this.closed, "a closed trace takes no records");
    this.throwFailure();
    const aligned = records.byteOffset % 4 === 0 ? records : new Uint8Array(records);
    const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
    for (let at = 0; at < words.length; ) {
      const sequence = sequenceAt(words, at);
      const { lastSequence } = this;
      if (lastSequence !== undefined && sequence !== next(lastSequence, 1)) await this.fillGap(sequence, words, at);
      if (this.blockIsFull()) await this.finishBlock();
      // As many records as are sure to fit and have no gap, without a check in between.
      const end = this.notes.length > 0 ? at + stride : Math.min(words.length, at + stride * this.recordsSure());
      const from = at;
      do {
        this.encoder.add(words, at);
        at += stride;
      } while (at < end && sequenceAt(words, at) === next(sequence, (at - from) / stride));
      this.lastSequence = next(sequence, (at - from) / stride - 1);
      this.tail.add(aligned.subarray(4 * from, 4 * at));
      if (this.notes.length > 0) await this.writeNotes();
    }
  }

  /** Returns the number of records that the block is sure to take before the next check; at least one if it isn't full. */
  private recordsSure(): number {
    return Math.max(1, Math.min(this.rowsWanted - this.rows, blockOthersWanted - this.others));
  }

  private blockIsFull(): boolean {
    if (this.rows < this.rowsWanted && this.others < blockOthersWanted) return false;
    return !this.encoder.unfinished || !this.hasRoom;
  }

  /** Rows of the next block, including those that are in small blocks now. */
  private get rows(): number {
    return this.tail.rows + this.encoder.rows;
  }

  private get others(): number {
    return this.tail.others + this.encoder.others;
  }

  private get hasRoom(): boolean {
    return this.rows < blockRowsMax && this.others < blockOthersMax;
  }

  /** Writes a gap in the ring's numbers as lost records. */
  private async fillGap(sequence: number, words: Int32Array, at: number): Promise<void> {
    const count = next(sequence, -this.lastSequence! - 1);
    assert(count > 0 && count < 2 ** 31, `records come in order (${sequence} after ${this.lastSequence})`);
    this.missing += count;
    const record = new Int32Array(stride);
    const tsc = (BigInt(words[at + 3]! >>> 0) << 32n) | BigInt(words[at + 2]! >>> 0);
    writeRecord(new DataView(record.buffer), 0, { tsc, cpu: noCpu, kind: RecordKind.lost, value: [BigInt(count), 0n] });
    if (!this.hasRoom) await this.finishBlock();
    this.encoder.add(record, 0);
    this.tail.add(new Uint8Array(record.buffer));
  }

  /** Places an update after the records taken so far. */
  async note(update: TraceUpdate): Promise<void> {
    this.throwFailure();
    this.notes.push(update);
    await this.writeNotes();
  }

  /** Writes waiting updates, unless an event's records haven't all come: then they wait for its end. */
  private async writeNotes(): Promise<void> {
    if (this.notes.length === 0 || this.encoder.unfinished) return;
    await this.finishBlock();
    for (const update of this.notes.splice(0)) await this.writeJson(BlockType.update, update);
  }

  /**
   * Writes everything taken so far into the file, except an event whose last record hasn't come. The small blocks may later be
   * replaced by one with the same events, where a reader finds them again (TraceReader.refresh).
   */
  async flush(): Promise<void> {
    this.throwFailure();
    const { encoder, tail } = this;
    if (encoder.unfinished || encoder.records === 0) return;
    if (!tail.flush()) {
      await this.finishBlock();
      return;
    }
    const { rows, others } = encoder;
    const start = { ...this.place, offset: this.output.length, indexLength: this.index.length };
    tail.flushed(start, rows, others, await this.writeEvents());
  }

  /** Writes the summary and the index, and closes the file. Does nothing after a failure. */
  async close(summary: TraceSummary): Promise<void> {
    if (this.closed || this.failure !== undefined) return;
    this.closed = true;
    await this.finishBlock();
    await this.writeNotes();
    await this.writeJson(BlockType.summary, this.missing === 0 ? summary : this.withMissing(summary));
    await this.writeIndex();
    await this.output.close();
  }

  /** Closes the file unfinished: for a trace that is of no use. */
  async abandon(): Promise<void> {
    this.closed = true;
    await this.output.close();
  }

  private withMissing(summary: TraceSummary): TraceSummary {
    const sentence = `${countOf(this.missing, "record is", "records are")} missing between the ring and the trace`;
    return { ...summary, lost: summary.lost + this.missing, incomplete: [...summary.incomplete, sentence] };
  }

  private get place(): { firstRecord: number; firstEvent: number } {
    return { firstRecord: this.firstRecord, firstEvent: this.firstEvent };
  }

  /** Ends the block for good: all that follows goes into another one. */
  private async finishBlock(): Promise<void> {
    const { encoder, tail } = this;
    if (encoder.records + tail.parts === 0) return;
    this.rowsWanted = Math.min(2 * this.rowsWanted, blockRowsWanted);
    if (tail.worthMerging(encoder.rows) && (await this.mergeTail())) return;
    tail.seal(encoder.records > 0 ? await this.writeEvents() : []);
  }

  /** Replaces the tail's small blocks by one with all its records; returns false if that isn't possible. */
  private async mergeTail(): Promise<boolean> {
    const { encoder, tail } = this;
    encoder.reset();
    encoder.addAll(tail.records);
    const { block, content, events } = await encodeEvents(encoder, tail.state, tail.start, this.codec);
    let replaced = false;
    await this.write(async () => {
      replaced = await this.output.replace(tail.start.offset, block);
    });
    encoder.reset();
    if (!replaced) {
      encoder.addAll(tail.unflushedRecords);
      return false;
    }
    // Apply the small blocks' events once more: the last one wins, as before; but each DMA buffer gets a number once.
    this.state.dma.reset(tail.state.dma.next, tail.state.dma.values());
    for (const event of events) this.state.apply(event);
    this.index.length = tail.start.indexLength;
    this.index.push(indexEntry(tail.start.offset, block));
    this.firstRecord = tail.start.firstRecord + content.records;
    this.firstEvent = tail.start.firstEvent + content.events;
    tail.seal(events, true);
    return true;
  }

  /** Writes the encoder's content as a block at the end; returns its events except accesses. */
  private async writeEvents(): Promise<TraceEvent[]> {
    const { block, content, events } = await encodeEvents(this.encoder, this.state, this.place, this.codec);
    for (const event of events) this.state.apply(event);
    await this.writeBlock(block);
    this.firstRecord += content.records;
    this.firstEvent += content.events;
    this.encoder.reset();
    return events;
  }

  private async writeJson(type: number, value: unknown): Promise<void> {
    const payload = await encodeJson(value, this.codec);
    await this.writeBlock(encodeBlock(type, payload, this.place, undefined, this.codec.crc32));
  }

  private async writeBlock(block: Uint8Array): Promise<void> {
    const entry = indexEntry(this.output.length, block);
    await this.write(() => this.output.append(block));
    this.index.push(entry);
  }

  private async writeIndex(): Promise<void> {
    const raw = new Uint8Array(this.index.length * (8 + blockHeader_bytes));
    this.index.forEach((entry, position) => {
      raw.set(entry, position * entry.length);
    });
    const packed = await this.codec.deflate(raw, "small");
    const payload = new Uint8Array(4 + packed.length);
    new DataView(payload.buffer).setUint32(0, raw.length, true);
    payload.set(packed, 4);
    const trailer = new Uint8Array(trailer_bytes);
    new DataView(trailer.buffer).setBigUint64(0, BigInt(this.output.length), true);
    trailer.set(trailerMagic, 8);
    const block = encodeBlock(BlockType.index, payload, this.place, undefined, this.codec.crc32);
    const both = new Uint8Array(block.length + trailer.length);
    both.set(block);
    both.set(trailer, block.length);
    await this.write(() => this.output.append(both));
  }

  private async write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failure = error as UserError;
      throw error;
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

function sequenceAt(words: Int32Array, at: number): number {
  return words[at]! >>> 0;
}

/** Adds to a ring's number, which counts modulo 2^32. */
function next(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}

// Moves records from a source into a trace until the source ends, without ever making the driver wait. The recording gives the
// source and the trace.
import { freemem } from "node:os";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../../base/errors.js";
import type { TraceSummary, TraceUpdate } from "../../trace/header.js";
import { record_bytes } from "../../trace/record.js";
import { Backlog } from "./backlog.js";
import { type BatchNews, BatchScan } from "./batch-scan.js";
import type { RecordSource } from "./record-source.js";
import { RunExpander } from "./run-expander.js";
import type { SiteNames } from "./site-names.js";

/** The drain's interface to a trace's writer. */
export interface TraceSink {
  append(records: Uint8Array): void | Promise<void>;
  note(update: TraceUpdate): void | Promise<void>;
  flush(): void | Promise<void>;
  close(summary: TraceSummary): void | Promise<void>;
}

/** Records given to the trace at once. */
const recordsAtOnce = 16_384;
/** Pause between reads: without it a system call would read only a few records; the ring holds those that come meanwhile. */
const batchPause_ms = 10;
/** The most that a `kill -9` of the recorder may cost. */
const flushEvery_ms = 500;

/** Most memory for what waits to be written, in sizes of the ring, and as a part of the free memory. */
const backlogMax = { rings: 4, freePart: 1 / 4 };

export class Drain {
  private readonly expander = new RunExpander(recordsAtOnce);
  private readonly scan = new BatchScan();
  private readonly source: RecordSource;
  private readonly sink: TraceSink;
  private readonly onNews: (news: BatchNews) => TraceUpdate | undefined | Promise<TraceUpdate | undefined>;
  private readonly onFailure: (failure: UserError) => void;
  private readonly siteNames: SiteNames | undefined;
  private readonly batch_bytes: number;
  private readonly backlog: Backlog;
  private readonly flusher: NodeJS.Timeout;
  /** The operations on the sink, one after the other. */
  private sinkQueue: Promise<void> = Promise.resolve();
  private unflushed = false;
  private written = 0;
  private stopping = false;
  private failed: UserError | undefined;
  /** Settles when the source is at its end. */
  readonly done: Promise<void>;

  /**
   * `onNews` gets new mappings and modules, and returns an update that goes into the trace before those records.
   * `onFailure` is called once if the trace can't be written any more; records are thrown away from then on.
   * `siteNames` changes symbols before they are written.
   * Up to four times the ring's size waits in this process's memory to be written.
   */
  constructor(
    source: RecordSource,
    sink: TraceSink,
    onNews: (news: BatchNews) => TraceUpdate | undefined | Promise<TraceUpdate | undefined>,
    onFailure: (failure: UserError) => void,
    ring_bytes: number,
    siteNames?: SiteNames,
  ) {
    this.batch_bytes = Math.min(recordsAtOnce * record_bytes, ring_bytes - (ring_bytes % record_bytes));
    const backlog_bytes = Math.min(backlogMax.rings * ring_bytes, backlogMax.freePart * freemem());
    this.backlog = new Backlog(this.batch_bytes, Math.max(2, Math.floor(backlog_bytes / this.batch_bytes)));
    this.source = source;
    this.sink = sink;
    this.onNews = onNews;
    this.onFailure = onFailure;
    this.siteNames = siteNames;
    this.flusher = setInterval(() => this.flush(), flushEvery_ms);
    this.done = this.run().finally(() => clearInterval(this.flusher));
  }

  /** Number of READ and WRITE events in the trace so far. */
  get accesses(): number {
    return this.written;
  }

  /** The ring's number of the last place that was read. */
  get places(): number {
    return this.expander.taken;
  }

  /** The reason why the trace couldn't be written to its end, or undefined. */
  get failure(): UserError | undefined {
    return this.failed;
  }

  /** Tells that no more records are being made: it reads on without pauses. */
  hurry(): void {
    this.stopping = true;
  }

  /** Puts an update into the trace. */
  async note(update: TraceUpdate): Promise<void> {
    await this.toSink(() => this.sink.note(update));
  }

  /** Closes the trace, after `done`. If writing failed before, the readable part stays unchanged. */
  async close(summary: TraceSummary): Promise<void> {
    await this.toSink(() => this.sink.close(summary));
  }

  private async run(): Promise<void> {
    const reading = this.readAll();
    for (;;) {
      const batch = await this.backlog.take();
      if (batch === undefined) break;
      await this.take(batch);
      this.backlog.give(batch);
    }
    const rest = this.siteNames?.rest();
    if (rest !== undefined && rest.length > 0) await this.takeRecords(rest);
    await reading;
  }

  /** Reads ahead of the writing, up to the backlog's limit: the ring has to have room at all times. */
  private async readAll(): Promise<void> {
    for (;;) {
      const buffer = await this.backlog.room();
      const bytes = await this.endOnError(this.source.readRecords(buffer));
      if (bytes === 0) break;
      this.backlog.put(buffer, bytes);
      if (bytes < this.batch_bytes / 2 && !this.stopping) await sleep(batchPause_ms);
    }
    this.backlog.end();
  }

  private async endOnError(read: Promise<number>): Promise<number> {
    try {
      return await read;
    } catch (error) {
      this.fail(new UserError(`reading records from the core failed: ${messageOf(error)}`, { cause: error }));
      return 0;
    }
  }

  private async take(batch: Uint8Array): Promise<void> {
    if (this.failed !== undefined) return;
    try {
      for (const records of this.expander.expand(batch)) {
        await this.takeRecords(this.siteNames?.take(records) ?? records);
        // or no read that has ended would be heard of
        await nextTurn();
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.fail(error);
    }
  }

  private async takeRecords(batch: Uint8Array): Promise<void> {
    if (batch.length === 0) return;
    const news = this.scan.scan(batch);
    const { accesses } = this.scan;
    const update = news.mapped.length > 0 || news.modules.length > 0 ? await this.onNews(news) : undefined;
    await this.toSink(async () => {
      if (update !== undefined) await this.sink.note(update);
      await this.sink.append(batch);
      this.written = accesses;
      this.unflushed = true;
    });
  }

  private flush(): void {
    if (!this.unflushed) return;
    this.unflushed = false;
    void this.toSink(() => this.sink.flush());
  }

  private toSink(work: () => void | Promise<void>): Promise<void> {
    this.sinkQueue = this.sinkQueue.then(async () => {
      if (this.failed !== undefined) return;
      try {
        await work();
      } catch (error) {
        this.fail(
          error instanceof UserError
            ? error
            : new UserError(`writing the trace failed: ${messageOf(error)}`, { cause: error }),
        );
      }
    });
    return this.sinkQueue;
  }

  private fail(failure: UserError): void {
    if (this.failed !== undefined) return;
    this.failed = failure;
    this.onFailure(failure);
  }
}

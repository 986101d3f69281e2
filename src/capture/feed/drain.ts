// Moves records from the core's ring into a trace, without ever making the driver wait, until the ring is at its end.
// Where the records come from and where they go are given; a recording puts it together.
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../../base/errors.js";
import type { TraceSummary, TraceUpdate } from "../../trace/header.js";
import { record_bytes } from "../../trace/record.js";
import { type BatchNews, BatchScan } from "./batch-scan.js";
import type { RecordSource } from "./record-source.js";

/** What the drain needs of a trace's writer. */
export interface TraceSink {
  append(records: Uint8Array): void | Promise<void>;
  note(update: TraceUpdate): void | Promise<void>;
  flush(): void | Promise<void>;
  close(summary: TraceSummary): void | Promise<void>;
}

/** 16,384 records. */
const batch_bytes = 16_384 * record_bytes;
/** A reader that comes back at once gets a handful of records a system call; the ring holds what comes meanwhile. */
const batchPause_ms = 10;
/** What a `kill -9` of the recorder may cost at most. */
const flushEvery_ms = 500;

export class Drain {
  private readonly scan = new BatchScan();
  private readonly source: RecordSource;
  private readonly sink: TraceSink;
  private readonly onNews: (news: BatchNews) => TraceUpdate | undefined | Promise<TraceUpdate | undefined>;
  private readonly onFailure: (failure: UserError) => void;
  private readonly buffers: [Uint8Array, Uint8Array] = [new Uint8Array(batch_bytes), new Uint8Array(batch_bytes)];
  private readonly flusher: NodeJS.Timeout;
  /** Everything done to the sink, one after the other. */
  private sinkQueue: Promise<void> = Promise.resolve();
  private unflushed = false;
  private written = 0;
  private stopping = false;
  private failed: UserError | undefined;
  /** Settles when the source is at its end. */
  readonly done: Promise<void>;

  /**
   * `onNews` hears of mappings and modules, and returns what the trace should be told before those records.
   * `onFailure` hears once that the trace can't be written any more; records are thrown away from then on.
   */
  constructor(
    source: RecordSource,
    sink: TraceSink,
    onNews: (news: BatchNews) => TraceUpdate | undefined | Promise<TraceUpdate | undefined>,
    onFailure: (failure: UserError) => void,
  ) {
    this.source = source;
    this.sink = sink;
    this.onNews = onNews;
    this.onFailure = onFailure;
    this.flusher = setInterval(() => this.flush(), flushEvery_ms);
    this.done = this.run().finally(() => clearInterval(this.flusher));
  }

  /** READ and WRITE events that the trace has got so far. */
  get accesses(): number {
    return this.written;
  }

  /** Why the trace could not be written to its end, or undefined. */
  get failure(): UserError | undefined {
    return this.failed;
  }

  /** No more records are being made: read on without pauses. */
  hurry(): void {
    this.stopping = true;
  }

  /** Tells the trace something in between. */
  async note(update: TraceUpdate): Promise<void> {
    await this.toSink(() => this.sink.note(update));
  }

  /** Closes the trace, after `done`. Where writing had failed before, what is readable stays as it is. */
  async close(summary: TraceSummary): Promise<void> {
    await this.toSink(() => this.sink.close(summary));
  }

  private async run(): Promise<void> {
    const [one, other] = this.buffers;
    let [reading, writing] = [one, other];
    let read = this.source.readRecords(reading);
    for (;;) {
      const bytes = await this.endOnError(read);
      if (bytes === 0) return;
      [reading, writing] = [writing, reading];
      // While this batch is being written, the next one is being read.
      read = this.readNext(reading, bytes);
      // What it throws is seen when it is awaited above; until then it isn't unhandled.
      read.catch(() => {});
      await this.take(writing.subarray(0, bytes));
    }
  }

  private async readNext(buffer: Uint8Array, before_bytes: number): Promise<number> {
    if (before_bytes < batch_bytes / 2 && !this.stopping) await sleep(batchPause_ms);
    return this.source.readRecords(buffer);
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
    const news = this.scan.scan(batch);
    const { accesses } = this.scan;
    const update = news.mapped || news.modules.length > 0 ? await this.onNews(news) : undefined;
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

// The process that reads the records and writes the trace for a recorder with -Z. It gives up root's rights before it reads anything;
// it inherits the open descriptors of an engine's source and of the trace's file. When the recorder is gone, it writes the remaining
// records into the file, and ends. The program itself is in each engine's folder: it only calls runDrainWorker with a function that
// opens the engine's source.
import { chdir } from "node:process";
import { assertUnreachable } from "../../base/assert.js";
import { messageOf, UserError } from "../../base/errors.js";
import { TraceWriter } from "../../trace/file/writer.js";
import type { TraceUpdate } from "../../trace/header.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { Output } from "../../trace/node/output.js";
import type { BatchNews } from "./batch-scan.js";
import { Drain } from "./drain.js";
import {
  type BeginOrder,
  type Counts,
  inherited,
  type NewsAnswer,
  type Order,
  type Report,
  type SourceParameters,
} from "./drain-messages.js";
import type { WorkerSource } from "./record-source.js";
import { type SiteNames, siteNamesOf } from "./site-names.js";
import { becomeUser } from "./unprivileged-user.js";

const tellEvery_ms = 200;

function tell(report: Report, then: () => void = () => {}): void {
  if (process.connected) process.send!(report, undefined, undefined, then);
}

function tellFailure(error: unknown): void {
  const advice = error instanceof UserError ? error.advice : undefined;
  tell({ told: "failure", message: messageOf(error), advice });
}

class DrainWorker {
  private readonly source: WorkerSource;
  private readonly writer: TraceWriter;
  private readonly ring_bytes: number;
  private readonly siteNames: SiteNames | undefined;
  private drain: Drain | undefined;
  private teller: NodeJS.Timeout | undefined;
  private asked = 0;
  private readonly waiting = new Map<number, (update: TraceUpdate | undefined) => void>();

  constructor(source: WorkerSource, writer: TraceWriter, ring_bytes: number, siteNames: SiteNames | undefined) {
    this.source = source;
    this.writer = writer;
    this.ring_bytes = ring_bytes;
    this.siteNames = siteNames;
  }

  answer({ news, update }: NewsAnswer): void {
    this.waiting.get(news)?.(update ?? undefined);
    this.waiting.delete(news);
  }

  async obey(order: Order): Promise<void> {
    switch (order.order) {
      case "drain":
        this.begin();
        break;
      case "hurry":
        this.drain?.hurry();
        break;
      case "emptied":
        await this.source.emptied?.();
        tell({ told: "counts", counts: this.counts });
        break;
      case "end":
        await this.source.end?.();
        break;
      case "close-source":
        await this.source.close?.();
        break;
      case "note":
        await this.drain?.note(order.update);
        break;
      case "close":
        await this.drain?.close(order.summary);
        break;
      default:
        assertUnreachable(order);
    }
    tell({ told: "answer", number: order.number });
  }

  private begin(): void {
    const ask = (news: BatchNews) => this.ask(news);
    this.drain = new Drain(this.source, this.writer, ask, tellFailure, this.ring_bytes, this.siteNames);
    this.teller = setInterval(() => tell({ told: "counts", counts: this.counts }), tellEvery_ms);
    void this.drain.done.then(() => {
      clearInterval(this.teller);
      tell({ told: "end", counts: this.counts });
    });
  }

  /** Asks the recorder, which may read everything, for the update about news. */
  private ask(news: BatchNews): Promise<TraceUpdate | undefined> | undefined {
    if (!process.connected) return undefined;
    const number = this.asked++;
    return new Promise((settle) => {
      this.waiting.set(number, settle);
      tell({ told: "news", number, news });
    });
  }

  private get counts(): Counts {
    const { lost = 0, unknown = 0, mappings = 0, livingMappings = 0 } = this.source;
    const { accesses = 0, places = 0 } = this.drain ?? {};
    return { accesses, places, lost, unknown, mappings, livingMappings };
  }

  /** Finishes after the recorder's end: nothing more will be recorded. */
  async finish(): Promise<void> {
    for (const settle of this.waiting.values()) settle(undefined);
    this.waiting.clear();
    const { drain } = this;
    if (drain === undefined) return;
    this.source.abandon();
    drain.hurry();
    await drain.done;
    if (drain.failure === undefined) await this.writer.flush();
  }
}

/** Opens an engine's source on the inherited descriptor. */
type OpenSource = (descriptor: number, parameters: SourceParameters) => WorkerSource;

async function begin(
  { begin: { parameters, name, regular, header, moved } }: BeginOrder,
  openSource: OpenSource,
): Promise<DrainWorker> {
  const output = Output.inherited(inherited.trace, name, regular);
  const source = openSource(inherited.records, parameters);
  const writer = await TraceWriter.into(output, header, nodeCodec);
  const made = new DrainWorker(source, writer, header.options.ring_bytes, siteNamesOf(moved));
  tell({ told: "ready" });
  return made;
}

/** Becomes the user named in the process's arguments, and follows the recorder's orders until that is gone. Called once. */
export function runDrainWorker(openSource: OpenSource): void {
  const [name, uid, gid] = process.argv.slice(2);
  // Ctrl-C is for the recorder, which then ends us.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  try {
    chdir("/");
    becomeUser({ name: name!, uid: Number(uid), gid: Number(gid) });
    obeyRecorder(openSource);
  } catch (error) {
    process.stderr.write(`mmiostrider: ${messageOf(error)}\n`);
    process.exit(1);
  }
}

function obeyRecorder(openSource: OpenSource): void {
  let working: Promise<DrainWorker> | undefined;
  process.on("message", async (message: BeginOrder | Order | NewsAnswer) => {
    try {
      if ("begin" in message) working = begin(message, openSource);
      const worker = await working;
      if ("news" in message) worker?.answer(message);
      else if ("order" in message) await worker?.obey(message);
    } catch (error) {
      tellFailure(error);
    }
  });
  process.on("disconnect", async () => {
    // the failure to begin a trace was reported before
    const worker = await working?.catch(() => undefined);
    await worker?.finish().catch(() => {});
    process.exit();
  });
}

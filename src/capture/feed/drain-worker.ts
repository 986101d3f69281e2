// The process that reads the records and writes the trace for a recorder that was asked to give up root's rights. It gives them up
// before it reads anything; what it needs of root's it inherits: the end of the core's ring (or of mmiotrace's text) and the
// trace's file. When the recorder is gone, it brings what there is into the file, and goes too.
import { chdir } from "node:process";
import { messageOf, UserError } from "../../base/errors.js";
import { TraceWriter } from "../../trace/file/writer.js";
import type { TraceUpdate } from "../../trace/header.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { Output } from "../../trace/node/output.js";
import { RingEnd } from "../emulate/control-device.js";
import { parseRange } from "../recording-scope.js";
import { MmiotraceSource } from "../singlestep/mmiotrace-source.js";
import type { BatchNews } from "./batch-scan.js";
import { Drain } from "./drain.js";
import {
  type BeginOrder,
  type Counts,
  inherited,
  type NewsAnswer,
  type Order,
  type RecordsFrom,
  type Report,
} from "./drain-messages.js";
import { becomeUser } from "./unprivileged-user.js";

const tellEvery_ms = 200;
/** A driver that never rests isn't waited for, once there is no recorder: mmiotrace may go on a while. The ring has an end. */
const orphanText_ms = 2_000;

function tell(report: Report, then: () => void = () => {}): void {
  if (process.connected) process.send!(report, undefined, undefined, then);
}

function tellFailure(error: unknown): void {
  const advice = error instanceof UserError ? error.advice : undefined;
  tell({ told: "failure", message: messageOf(error), advice });
}

class DrainWorker {
  private readonly ring: RingEnd | undefined;
  private readonly text: MmiotraceSource | undefined;
  private readonly writer: TraceWriter;
  private drain: Drain | undefined;
  private teller: NodeJS.Timeout | undefined;
  private asked = 0;
  private readonly waiting = new Map<number, (update: TraceUpdate | undefined) => void>();

  constructor(from: RecordsFrom, writer: TraceWriter) {
    this.writer = writer;
    if (from.kind === "ring") this.ring = new RingEnd(inherited.records);
    else {
      const ranges = from.ranges === "all" ? "all" : from.ranges.map(parseRange);
      this.text = new MmiotraceSource(ranges, inherited.records);
    }
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
        await this.text?.emptied();
        tell({ told: "counts", counts: this.counts });
        break;
      case "end":
        this.text?.end();
        break;
      case "close-source":
        this.text?.close();
        break;
      case "note":
        await this.drain?.note(order.update);
        break;
      case "close":
        await this.drain?.close(order.summary);
        break;
    }
    tell({ told: "answer", number: order.number });
  }

  private begin(): void {
    const source = this.ring ?? this.text!;
    this.drain = new Drain(source, this.writer, (news) => this.ask(news), tellFailure);
    this.teller = setInterval(() => tell({ told: "counts", counts: this.counts }), tellEvery_ms);
    void this.drain.done.then(() => {
      clearInterval(this.teller);
      tell({ told: "end", counts: this.counts });
    });
  }

  /** Has the recorder, which may look everywhere, say what the trace should be told. */
  private ask(news: BatchNews): Promise<TraceUpdate | undefined> | undefined {
    if (!process.connected) return undefined;
    const number = this.asked++;
    return new Promise((settle) => {
      this.waiting.set(number, settle);
      tell({ told: "news", number, news });
    });
  }

  private get counts(): Counts {
    const { text } = this;
    return {
      accesses: this.drain?.accesses ?? 0,
      lost: text?.lost ?? 0,
      unknown: text?.unknown ?? 0,
      mappings: text?.mappings ?? 0,
      livingMappings: text?.livingMappings ?? 0,
    };
  }

  /** The recorder is gone: what was recorded until now is all there will be. */
  async finish(): Promise<void> {
    for (const settle of this.waiting.values()) settle(undefined);
    this.waiting.clear();
    const { drain } = this;
    if (drain === undefined) return;
    this.ring?.stop();
    this.text?.end(orphanText_ms);
    drain.hurry();
    await drain.done;
    if (drain.failure === undefined) await this.writer.flush();
  }
}

async function begin({ begin: { from, name, regular, header } }: BeginOrder): Promise<DrainWorker> {
  const output = Output.inherited(inherited.trace, name, regular);
  const made = new DrainWorker(from, await TraceWriter.into(output, header, nodeCodec));
  tell({ told: "ready" });
  return made;
}

const [name, uid, gid] = process.argv.slice(2);
// Ctrl-C is for the recorder, which tells us when to end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
let working: Promise<DrainWorker> | undefined;
try {
  chdir("/");
  becomeUser({ name: name!, uid: Number(uid), gid: Number(gid) });
  process.on("message", async (message: BeginOrder | Order | NewsAnswer) => {
    try {
      if ("begin" in message) working = begin(message);
      const worker = await working;
      if ("news" in message) worker?.answer(message);
      else if ("order" in message) await worker?.obey(message);
    } catch (error) {
      tellFailure(error);
    }
  });
  process.on("disconnect", async () => {
    // a trace that couldn't be begun was told when it was asked for
    const worker = await working?.catch(() => undefined);
    await worker?.finish().catch(() => {});
    process.exit();
  });
} catch (error) {
  process.stderr.write(`mmiostrider: ${messageOf(error)}\n`);
  process.exit(1);
}

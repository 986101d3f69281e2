// The recorder's side of the process without root's rights that reads the records and writes the trace instead of the recorder
// (drain-worker.ts). Its messages can do no more than a user may: drain-messages.ts.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { assertUnreachable } from "../../base/assert.js";
import { UserError } from "../../base/errors.js";
import type { MovedModule } from "../../machine/rewritten-module.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "../../trace/header.js";
import type { Output } from "../../trace/node/output.js";
import type { BatchNews } from "./batch-scan.js";
import {
  type BeginOrder,
  type Counts,
  type NewsAnswer,
  type Order,
  parseReport,
  type SourceParameters,
} from "./drain-messages.js";
import type { TextSource } from "./record-source.js";
import type { UnprivilegedUser } from "./unprivileged-user.js";

/** An engine's program for the process, and the parameters for opening its source. */
export interface WorkerEntry {
  /** The program's file, beside the engine's own compiled or bundled files (scripts/bundle.mjs). */
  url: URL;
  parameters: SourceParameters;
}

type OrderOf<T> = T extends unknown ? Omit<T, "number"> : never;

export class DrainProcess {
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private readonly answers = new Map<number, () => void>();
  private orders = 0;
  private counts: Counts = { accesses: 0, places: 0, lost: 0, unknown: 0, mappings: 0, livingMappings: 0 };
  private failed: UserError | undefined;
  private closing = false;
  private onNews: (news: BatchNews) => TraceUpdate | undefined = () => undefined;
  private onFailure: (failure: UserError) => void = () => {};
  private onReady: () => void = () => {};
  private onEnd: () => void = () => {};
  /** Settles when the source is at its end, or its reader is gone. */
  readonly done: Promise<void>;

  /**
   * Starts the process. When this settles, the process has become the user's and has begun the trace in `file`, which is closed
   * here. Throws UserError; then there is no process and no file.
   */
  static async start(request: {
    user: UnprivilegedUser;
    /** Descriptor of the records' source. */
    records: number;
    file: Output;
    header: TraceHeader;
    worker: WorkerEntry;
    moved: readonly MovedModule[];
  }): Promise<DrainProcess> {
    const { user, records, file, header, worker, moved } = request;
    const started = new DrainProcess(worker.url, user, records, file.descriptor);
    const ready = new Promise<void>((settle) => {
      started.onReady = settle;
    });
    const { name, regular } = file;
    started.send({ begin: { parameters: worker.parameters, name, regular, header, moved } } satisfies BeginOrder);
    await Promise.race([ready, started.exited]);
    if (started.failed === undefined) {
      file.close();
      return started;
    }
    file.discard();
    await started.end();
    throw started.failed;
  }

  private constructor(program: URL, user: UnprivilegedUser, records: number, trace: number) {
    this.child = fork(fileURLToPath(program), [user.name, String(user.uid), String(user.gid)], {
      execArgv: [],
      // io_uring would keep the rights that it was set up with
      env: { UV_USE_IO_URING: "0" },
      stdio: ["ignore", "ignore", "inherit", "ipc", records, trace],
      serialization: "json",
    });
    this.done = new Promise((settle) => {
      this.onEnd = settle;
    });
    this.child.on("message", (message) => this.hear(message));
    this.exited = new Promise((settle) => {
      const gone = (why: string) => {
        this.gone(why);
        settle();
      };
      this.child.once("error", (error) => gone(`could not be started: ${error.message}`));
      this.child.once("exit", (code, signal) =>
        gone(`ended ${signal === null ? `with code ${code}` : `by ${signal}`}`),
      );
    });
  }

  begin(onNews: typeof this.onNews, onFailure: typeof this.onFailure): this {
    this.onNews = onNews;
    this.onFailure = onFailure;
    if (this.failed === undefined) void this.order({ order: "drain" });
    else onFailure(this.failed);
    return this;
  }

  get accesses(): number {
    return this.counts.accesses;
  }

  get places(): number {
    return this.counts.places;
  }

  get failure(): UserError | undefined {
    return this.failed;
  }

  /** The stand-in for its source, if that is text. */
  get source(): TextSource {
    const counts = () => this.counts;
    return {
      get lost() {
        return counts().lost;
      },
      get unknown() {
        return counts().unknown;
      },
      get mappings() {
        return counts().mappings;
      },
      get livingMappings() {
        return counts().livingMappings;
      },
      emptied: () => this.order({ order: "emptied" }),
      end: () => this.order({ order: "end" }),
      close: () => this.order({ order: "close-source" }),
    };
  }

  hurry(): void {
    void this.order({ order: "hurry" });
  }

  async note(update: TraceUpdate): Promise<void> {
    await this.order({ order: "note", update });
  }

  /** Closes the trace and ends the process; then the device is closed, too. */
  async close(summary: TraceSummary): Promise<void> {
    await this.order({ order: "close", summary });
    await this.end();
  }

  private async end(): Promise<void> {
    this.closing = true;
    if (this.child.connected) this.child.disconnect();
    await this.exited;
  }

  private async order(order: OrderOf<Order>): Promise<void> {
    const number = this.orders++;
    const answered = new Promise<void>((settle) => this.answers.set(number, settle));
    this.send({ number, ...order });
    await Promise.race([answered, this.exited]);
    this.answers.delete(number);
  }

  private send(message: object): void {
    // if it is gone, its end reports that
    if (this.child.connected) this.child.send(message, () => {});
  }

  private hear(message: unknown): void {
    const report = parseReport(message);
    switch (report?.told) {
      case "ready":
        this.onReady();
        break;
      case "counts":
        this.counts = report.counts;
        break;
      case "end":
        this.counts = report.counts;
        this.onEnd();
        break;
      case "answer":
        this.answers.get(report.number)?.();
        break;
      case "news":
        this.send({ news: report.number, update: this.onNews(report.news) ?? null } satisfies NewsAnswer);
        break;
      case "failure":
        this.fail(new UserError(report.message, report.advice === undefined ? {} : { advice: report.advice }));
        break;
      case undefined:
        this.fail(
          new UserError(
            "the process that writes the trace sent an invalid message; its messages are ignored from now on",
          ),
        );
        this.child.kill("SIGKILL");
        break;
      default:
        assertUnreachable(report);
    }
  }

  private gone(why: string): void {
    if (!this.closing) {
      this.fail(
        new UserError(`the process that writes the trace ${why}`, {
          advice: "what it had written before can be read",
        }),
      );
    }
    this.onEnd();
  }

  private fail(failure: UserError): void {
    if (this.failed !== undefined) return;
    this.failed = failure;
    this.onFailure(failure);
    // the trace can't be begun
    this.onReady();
  }
}

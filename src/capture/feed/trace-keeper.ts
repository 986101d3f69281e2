// The common part of all engines' recordings: the drain, the machine's changes for the trace, the devices that go back to their
// drivers, and the problems on the way.
import { messageOf } from "../../base/errors.js";
import { MachineWatch } from "../../machine/describe-machine.js";
import { type Binding, bind } from "../../machine/driver-binding.js";
import type { TraceHeader, TraceSummary } from "../../trace/header.js";
import type { PortWatch } from "../port-watch.js";
import type { RecordingResult } from "../recording.js";
import type { Draining, TraceFeed } from "./trace-feed.js";

const lookEvery_ms = 1_000;
/** Shorter than most drivers stay. */
const portsEvery_ms = 200;

export interface KeeperOptions {
  onLook?: () => void;
  ports?: PortWatch | undefined;
}

export class TraceKeeper {
  private readonly watch: MachineWatch;
  private readonly drain: Draining;
  private readonly timers: NodeJS.Timeout[];
  private readonly ports: PortWatch | undefined;
  /** Problems that don't make the trace incomplete, one sentence each. */
  readonly problems: string[] = [];
  /** Settles if the trace can't be written any more. */
  readonly broken: Promise<void>;

  /** Begins to move records. `onLook` is called once a second until stopping begins; `ports` says what wasn't recorded. */
  constructor(feed: TraceFeed<unknown>, header: TraceHeader, { onLook, ports }: KeeperOptions = {}) {
    this.ports = ports;
    this.watch = new MachineWatch(header.pciFunctions);
    let tellBroken = () => {};
    this.broken = new Promise((settle) => {
      tellBroken = settle;
    });
    this.drain = feed.begin((news) => {
      this.watch.addModules(news.modules);
      for (const address of news.mapped) ports?.addMapping(BigInt(address));
      return this.watch.update();
    }, tellBroken);
    const look = () => {
      onLook?.();
      void this.noteChanges();
    };
    this.timers = [setInterval(look, lookEvery_ms), setInterval(() => ports?.look(), portsEvery_ms)];
  }

  /** READ and WRITE events in the trace so far. */
  get accesses(): number {
    return this.drain.accesses;
  }

  /** Returns the number of places of the core's ring behind those that were read; 0 if the trace is broken anyhow. */
  unread(written: number): number {
    return this.drain.failure === undefined ? Math.max(0, written - this.drain.places) : 0;
  }

  /** Does a step that may fail. A failure becomes a problem, and does not prevent the other steps. */
  attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.problems.push(messageOf(error));
    }
  }

  /** Gives devices back to their drivers. A driver that doesn't take its device is a problem of the recording, not its end. */
  async bindAgain(bindings: readonly Binding[]): Promise<void> {
    for (const binding of bindings) await bind(binding).catch((error: unknown) => this.problems.push(messageOf(error)));
  }

  /** No more regular looks. */
  stopLooking(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.ports?.look();
  }

  /** Takes the remaining records: no more are being made. */
  async drainRest(): Promise<void> {
    this.drain.hurry();
    await this.drain.done;
  }

  /** Writes the machine's last changes into the trace, and closes it. */
  async close(summary: Omit<TraceSummary, "accesses">): Promise<RecordingResult> {
    await this.noteChanges();
    const incomplete = [...summary.incomplete, ...(this.ports?.sentences() ?? [])];
    const counts = { accesses: this.accesses, ...summary, incomplete };
    await this.drain.close(counts);
    return { ...counts, failure: this.drain.failure, problems: this.problems };
  }

  private async noteChanges(): Promise<void> {
    const update = this.watch.update();
    if (update !== undefined) await this.drain.note(update);
  }
}

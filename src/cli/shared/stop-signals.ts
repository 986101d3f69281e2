// Ctrl-C and its relatives while something runs that must be ended in order.

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
const signals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** From its making to `release`, the first of the signals doesn't end the process but settles `first`; so does none after it. */
export class StopSignals {
  /** Settles with the first signal. */
  readonly first: Promise<StopSignal>;
  private got: StopSignal | undefined;
  private readonly listener: (signal: StopSignal) => void;

  constructor() {
    let settle: (signal: StopSignal) => void = () => {};
    this.first = new Promise((done) => {
      settle = done;
    });
    this.listener = (signal) => {
      this.got ??= signal;
      settle(signal);
    };
    for (const signal of signals) process.on(signal, this.listener);
  }

  /** The first signal, or undefined as long as there was none. */
  get received(): StopSignal | undefined {
    return this.got;
  }

  release(): void {
    for (const signal of signals) process.off(signal, this.listener);
  }
}

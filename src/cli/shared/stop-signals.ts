// Ctrl-C and the like while something runs that must be ended in order.

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
const signals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** From its making to `release`, the first signal settles `first` instead of ending the process. Later signals are ignored. */
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

  /** The first signal, or undefined before it. */
  get received(): StopSignal | undefined {
    return this.got;
  }

  release(): void {
    for (const signal of signals) process.off(signal, this.listener);
  }
}

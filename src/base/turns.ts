// Long work that lets other work have its turn, in Node and in a page alike.

/** The end of a channel as pages know it; Node has it, too, but not in its types. */
interface Port {
  onmessage: () => void;
  postMessage(message: null): void;
  close(): void;
}

/** Lets signals, timers, input and a page's clicks be heard; settles at once where there are none. */
export function letOthersRun(): Promise<void> {
  // A timer would cost a page four milliseconds each time.
  const { port1, port2 } = new MessageChannel() as unknown as { port1: Port; port2: Port };
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

export function sleep(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}

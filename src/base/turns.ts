// Lets other work have its turn during long work, in Node and in a page alike.

/** One end of a channel, as in pages; Node has it, too, but not in its types. */
interface Port {
  onmessage: () => void;
  postMessage(message: null): void;
  close(): void;
}

/** Lets pending signals, timers, input and a page's clicks be handled; settles at once if there are none. */
export function letOthersRun(): Promise<void> {
  // In a page a timer would cost four milliseconds each time.
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

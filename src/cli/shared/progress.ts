// A line on a terminal's standard error with the progress of work that takes longer than a second.

const first_ms = 1_000;
const every_ms = 100;

export class Progress {
  private readonly what: string;
  private readonly terminal: boolean;
  private next_ms = performance.now() + first_ms;
  private shown = false;

  /** `whilePrinting`: results are printed meanwhile; on a terminal they show the progress themselves. */
  constructor(what: string, { whilePrinting = false } = {}) {
    this.what = what;
    this.terminal = process.stderr.isTTY === true && !(whilePrinting && process.stdout.isTTY === true);
  }

  /** Shows that `part` of `whole` is done. */
  update(part: number, whole: number): void {
    if (!this.terminal) return;
    const now_ms = performance.now();
    if (now_ms < this.next_ms) return;
    this.next_ms = now_ms + every_ms;
    const fraction = whole <= 0 ? 0 : Math.min(Math.max(part / whole, 0), 1);
    const bar = "=".repeat(Math.round(20 * fraction)).padEnd(20);
    process.stderr.write(`\r${this.what} [${bar}] ${Math.floor(100 * fraction)} %\x1b[K`);
    this.shown = true;
  }

  /** Removes the line. */
  end(): void {
    if (this.shown) process.stderr.write("\r\x1b[K");
    this.shown = false;
  }
}

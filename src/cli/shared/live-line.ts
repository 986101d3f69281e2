// A line on a terminal that is overwritten again and again; nothing at all if stderr isn't a terminal.

const every_ms = 500;

export class LiveLine {
  private readonly timer: NodeJS.Timeout | undefined;
  private shown = false;

  /** `text` gives the line's current content; an error of it ends the line. */
  constructor(text: (seconds: number) => string) {
    if (process.stderr.isTTY !== true) return;
    let before_ms = performance.now();
    this.timer = setInterval(() => {
      const now_ms = performance.now();
      try {
        const line = text((now_ms - before_ms) / 1000).slice(0, Math.max((process.stderr.columns || 80) - 1, 20));
        process.stderr.write(`\r${line}\x1b[K`);
        this.shown = true;
      } catch {
        this.end();
      }
      before_ms = now_ms;
    }, every_ms);
  }

  /** Clears the line; then another line can be printed. */
  clear(): void {
    if (this.shown) process.stderr.write("\r\x1b[K");
    this.shown = false;
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
  }
}

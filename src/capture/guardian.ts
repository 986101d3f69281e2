// A small shell that undoes an engine's changes to the machine when the recorder is gone, however it has ended: also by kill -9.
import { type ChildProcess, spawn } from "node:child_process";

export class Guardian {
  private readonly shell: ChildProcess;
  private readonly ended: Promise<number | null>;

  /** Starts it, before anything is changed: `script` runs when the recorder says so, or is gone. */
  constructor(script: string) {
    // its own session: neither Ctrl-C nor the end of our terminal reaches it
    this.shell = spawn("/bin/sh", ["-c", `cat > /dev/null\n${script}`], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      cwd: "/",
    });
    this.shell.stdin?.on("error", () => {});
    this.ended = new Promise((settle) => {
      this.shell.on("error", () => settle(null));
      this.shell.on("close", settle);
    });
  }

  /** Has the script run, and waits for its end. Returns its exit code; null if it took longer than `limit_ms`, or couldn't start. */
  async undo(limit_ms: number): Promise<number | null> {
    this.shell.stdin?.end();
    const timer = setTimeout(() => this.shell.kill("SIGKILL"), limit_ms);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }
}

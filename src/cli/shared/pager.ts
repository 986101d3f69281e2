// Sends output through a pager if standard output is a terminal.
import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { findTool } from "../../base/run-tool.js";

export class Pager {
  /** The stream to print to. */
  readonly input: Writable;
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.input = child.stdin!;
    this.ended = new Promise((resolve) => {
      child.once("close", () => resolve());
      child.once("error", () => resolve());
    });
    // Ctrl-C is for the pager, as everywhere.
    process.on("SIGINT", ignore);
  }

  /** Starts $PAGER, else less; undefined if output isn't a terminal, PAGER is empty or cat, or none is installed. */
  static start(): Pager | undefined {
    if (process.stdout.isTTY !== true || process.env.TERM === "dumb") return undefined;
    const chosen = process.env.PAGER;
    if (chosen === "" || chosen === "cat") return undefined;
    if (chosen === undefined && findTool("less") === undefined) return undefined;
    // -F: no pager for output that fits the screen; -R: colours; -S: long lines scroll sideways; -X: the text stays afterwards.
    const environment = { LESS: "FRSX", ...process.env };
    return new Pager(spawn(chosen ?? "less", { stdio: ["pipe", "inherit", "inherit"], shell: true, env: environment }));
  }

  /** Waits until the user ends the pager. */
  async end(): Promise<void> {
    this.input.end();
    await this.ended;
    process.off("SIGINT", ignore);
    this.child.unref();
  }
}

function ignore(): void {}

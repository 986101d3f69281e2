// Sends output through a pager if standard output is a terminal.
import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { UserError } from "../../base/errors.js";
import { findTool } from "../../base/run-tool.js";

/** A shell's exit codes for a command that it can't execute, and that it can't find. */
const cannotRun = 126;
const notFound = 127;

export class Pager {
  /** The stream to print to. */
  readonly input: Writable;
  private readonly child: ChildProcess;
  private readonly command: string;
  /** Settles with its exit code; null where a signal ended it, or it couldn't be started. */
  private readonly ended: Promise<number | null>;

  private constructor(command: string, child: ChildProcess) {
    this.command = command;
    this.child = child;
    this.input = child.stdin!;
    this.ended = new Promise((resolve) => {
      child.once("close", (code) => resolve(code));
      child.once("error", () => resolve(null));
    });
    // Ctrl-C is for the pager, as everywhere.
    process.on("SIGINT", ignore);
  }

  /**
   * Starts $PAGER, else less; undefined if output isn't a terminal, PAGER is empty or cat, or none is installed. If there is no such
   * program, says so and returns undefined.
   */
  static start(): Pager | undefined {
    if (process.stdout.isTTY !== true || process.env.TERM === "dumb") return undefined;
    const chosen = process.env.PAGER;
    if (chosen === "" || chosen === "cat") return undefined;
    if (chosen === undefined && findTool("less") === undefined) return undefined;
    const [program] = (chosen ?? "less").trim().split(/\s+/);
    if (/^[\w./+-]+$/.test(program!) && findTool(program!) === undefined) {
      process.stderr.write(
        `mmiostrider: note: PAGER is ${chosen}, but there is no program ${program}; printing without it\n`,
      );
      return undefined;
    }
    // -F: no pager for output that fits the screen; -R: colours; -S: long lines scroll sideways; -X: the text stays afterwards.
    const environment = { LESS: "FRSX", ...process.env };
    const command = chosen ?? "less";
    return new Pager(command, spawn(command, { stdio: ["pipe", "inherit", "inherit"], shell: true, env: environment }));
  }

  /** Waits until the user ends the pager. Throws UserError if the shell couldn't run it. */
  async end(): Promise<void> {
    this.input.end();
    const code = await this.ended;
    process.off("SIGINT", ignore);
    this.child.unref();
    if (code !== cannotRun && code !== notFound) return;
    throw new UserError(`the shell couldn't run the pager \`${this.command}\`: it ended with exit code ${code}`, {
      advice: "--no-pager prints without one",
    });
  }
}

function ignore(): void {}

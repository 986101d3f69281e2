// The command that `record` runs while recording: starts it, waits for it, passes signals on, and describes its end.
import { type ChildProcess, spawn } from "node:child_process";
import { UserError } from "../../base/errors.js";
import { printable } from "../../base/printable.js";
import { findTool } from "../../base/run-tool.js";

export interface CommandEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Throws UserError if the command's program doesn't exist, before anything is started. */
export function requireProgram(command: readonly string[]): void {
  const program = command[0];
  if (program !== undefined && findTool(program) === undefined) {
    throw new UserError(`there is no program "${program}" to run`);
  }
}

export class TracedCommand {
  /** Its name in messages: its words between backticks, in one line. */
  readonly name: string;
  private readonly child: ChildProcess;
  /** Settles when it has ended; never rejects. */
  readonly ended: Promise<CommandEnd | Error>;

  /** `stdout` is its output: not ours if that carries the trace. */
  constructor(words: readonly string[], stdout: "inherit" | "stderr") {
    this.name = `\`${printable(words.join(" "))}\``;
    const [program, ...parameters] = words;
    this.child = spawn(findTool(program!) ?? program!, parameters, {
      argv0: program!,
      stdio: ["inherit", stdout === "stderr" ? 2 : "inherit", "inherit"],
    });
    this.ended = new Promise((done) => {
      this.child.once("error", done);
      this.child.once("exit", (code, signal) => done({ code, signal }));
    });
  }

  /** Passes on a signal that only we got. A terminal's Ctrl-C reaches the command itself. */
  signal(signal: NodeJS.Signals): void {
    if (signal !== "SIGINT") this.child.kill(signal);
  }

  /** Passes the signal on and leaves the command: our own end doesn't wait for it. */
  leave(signal: NodeJS.Signals): void {
    this.signal(signal);
    this.child.unref();
  }

  /** Returns in one sentence why its end is a failure; undefined if it isn't. */
  failure(end: CommandEnd | Error): string | undefined {
    const name = `the command ${this.name}`;
    if (end instanceof Error) return `${name} could not be started: ${end.message}`;
    if (end.signal !== null) return `${name} was ended by ${end.signal}`;
    return end.code === 0 ? undefined : `${name} failed with exit code ${end.code}`;
  }
}

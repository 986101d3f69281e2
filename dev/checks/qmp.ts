// Speaks QEMU's machine protocol (QMP) on a Unix socket: a command, its answer, one at a time.
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { UserError } from "../../src/base/errors.js";

/** QEMU answers at once, or never. */
const answer_ms = 20_000;

interface Answer {
  return?: unknown;
  error?: { desc: string };
  event?: string;
  QMP?: unknown;
}

export class Qmp {
  private readonly socket: Socket;
  private readonly waiting: ((answer: Answer) => void)[] = [];
  private last: Promise<unknown> = Promise.resolve();

  /** Connects. Throws UserError. */
  static async connect(path: string): Promise<Qmp> {
    const socket = createConnection(path);
    await new Promise<void>((done, failed) => {
      socket.once("connect", done);
      socket.once("error", (error) => failed(new UserError(`connecting to QEMU at ${path} failed: ${error.message}`)));
    });
    const qmp = new Qmp(socket);
    await qmp.command("qmp_capabilities", {});
    return qmp;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    // a machine that goes down closes the socket: a waiting command then fails by its time limit
    socket.on("error", () => {});
    createInterface(socket).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.event === undefined && answer.QMP === undefined) this.waiting.shift()?.(answer);
    });
  }

  /** Runs one command after the earlier ones. Throws UserError with QEMU's own message. */
  command(execute: string, parameters: Record<string, unknown>): Promise<unknown> {
    const mine = this.last.catch(() => {}).then(() => this.ask(execute, parameters));
    this.last = mine;
    return mine;
  }

  private ask(execute: string, parameters: Record<string, unknown>): Promise<unknown> {
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new UserError(`QEMU gave no answer to ${execute}`)), answer_ms);
      this.waiting.push((answer) => {
        clearTimeout(timer);
        if (answer.error === undefined) done(answer.return);
        else failed(new UserError(`QEMU refused ${execute}: ${answer.error.desc}`));
      });
      this.socket.write(`${JSON.stringify({ execute, arguments: parameters })}\n`);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

// The fence: bytes that the recorder writes to I/O port 0x80 in the lab, so that QEMU's own log of the device accesses
// shows where the recording began and ended. Port 0x80 is the POST code port: nothing listens.
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf, UserError } from "../base/errors.js";
import { isLockedDown, lockdownLevel } from "./lockdown.js";

const postPort = 0x80;
const begin = [0x4d, 0x4d, 0x53, 0x01];
const end = [0x4d, 0x4d, 0x53, 0x02];

export class Fence {
  /** Eight hexadecimal digits, as the trace's header has them. */
  readonly id: string;
  private readonly idBytes: Buffer;
  private readonly device: string;

  constructor(device = "/dev/port") {
    this.device = device;
    this.idBytes = randomBytes(4);
    this.id = this.idBytes.toString("hex");
  }

  /** A fence when this is the lab (MMIOSTRIDER_LAB=1) and its kernel lets us write one, else undefined. */
  static inLab(say: (line: string) => void, environment: NodeJS.ProcessEnv = process.env): Fence | undefined {
    if (environment.MMIOSTRIDER_LAB !== "1") return undefined;
    const fence = new Fence();
    if (!isLockedDown() || fence.isWritable()) return fence;
    say(`no fence in QEMU's log: this kernel is locked down (${lockdownLevel()}), which forbids ${fence.device}`);
    return undefined;
  }

  private isWritable(): boolean {
    try {
      closeSync(openSync(this.device, "r+"));
      return true;
    } catch {
      return false;
    }
  }

  /** Just before `start`. Throws UserError. */
  writeBegin(): void {
    this.write(begin);
  }

  /** Just after `stop`. Throws UserError. */
  writeEnd(): void {
    this.write(end);
  }

  /** A byte a write, all to the one port: the file's position is the port's number. */
  private write(kind: readonly number[]): void {
    try {
      const descriptor = openSync(this.device, "r+");
      try {
        for (const byte of [...kind, ...this.idBytes]) writeSync(descriptor, Uint8Array.of(byte), 0, 1, postPort);
      } finally {
        closeSync(descriptor);
      }
    } catch (error) {
      throw new UserError(`writing the lab's fence to ${this.device} failed: ${messageOf(error)}`, {
        advice: "outside the lab, unset MMIOSTRIDER_LAB",
        cause: error,
      });
    }
  }
}

// The fence: bytes written to I/O port 0x80 in the lab, which mark the recording's beginning and end in QEMU's own log of the
// device accesses. Port 0x80 is the POST code port: nothing listens. The core writes its recordings' fences itself, while no
// access is being made; mmiotrace has no such moment, and its fences are written here.
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf, UserError } from "../base/errors.js";
import { fenceBytes } from "../base/fence-bytes.js";
import { isLockedDown, lockdownLevel } from "../machine/lockdown.js";

const postPort = 0x80;

/** Makes a new fence's eight hexadecimal digits for the trace's header; undefined outside the lab (MMIOSTRIDER_LAB=1). */
export function newFenceId(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return environment.MMIOSTRIDER_LAB === "1" ? randomBytes(4).toString("hex") : undefined;
}

export class Fence {
  readonly id: string;
  private readonly device: string;

  private constructor(id: string, device = "/dev/port") {
    this.id = id;
    this.device = device;
  }

  /** Makes a fence if this is the lab and its kernel lets us write one, else undefined. */
  static inLab(say: (line: string) => void, environment: NodeJS.ProcessEnv = process.env): Fence | undefined {
    const id = newFenceId(environment);
    if (id === undefined) return undefined;
    const fence = new Fence(id);
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

  /** Writes the fence's beginning, just before recording begins. Throws UserError. */
  writeBegin(): void {
    this.write(1);
  }

  /** Writes the fence's end, just after recording has ended. Throws UserError. */
  writeEnd(): void {
    this.write(2);
  }

  /** Writes the bytes one by one to the port: the file's position is the port's number. */
  private write(kind: 1 | 2): void {
    try {
      const descriptor = openSync(this.device, "r+");
      try {
        for (const byte of fenceBytes(kind, this.id)) writeSync(descriptor, Uint8Array.of(byte), 0, 1, postPort);
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

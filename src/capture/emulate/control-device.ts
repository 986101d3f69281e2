// The core's control device, described in docs/control-device.md: opening, commands, the status text, records.
// Doesn't load the core (core-load.ts), and knows nothing about the recording (emulate-recording.ts).
import {
  close,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  read,
  readFileSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import type { AddressRange } from "../../base/address-range.js";
import { isSystemError, messageOf, UserError } from "../../base/errors.js";
import { lockdownAdvice, lockdownLevel } from "../../machine/lockdown.js";
import { shortSymbol } from "../../trace/text.js";
import { type UnrecordedWay, unrecordedWays } from "../../trace/unrecorded.js";
import type { WorkerSource } from "../feed/record-source.js";

export const controlDevice = "/dev/mmiostrider";
/** Longest command line, including the newline. */
const command_bytesMax = 1024;

const readAsync = promisify(read);
const closeAsync = promisify(close);

/** A mapping that has a decoy, alive now. */
export interface LivingDecoy extends AddressRange {
  id: number;
  decoy: bigint;
  /** The present recording didn't select it: an earlier one did. */
  silent: boolean;
}

/** Mappings of wanted memory without a decoy, by one caller in one way for one process. */
export interface UnrecordedGroup extends AddressRange {
  way: UnrecordedWay;
  calls: number;
  /** The process's; 0 for a mapping of the kernel's own. */
  pid: number;
  /** The caller's symbol, or empty. */
  caller: string;
}

/** A function of the kernel that the core can't watch, or not always. */
export interface UnwatchedFunction {
  way: UnrecordedWay;
  name: string;
  /** The kernel's error for the probe, negative; 0 if there is a probe. -2: there is no such function. */
  error: number;
  /** Calls that went past the probe. */
  missed: number;
}

/** The commands that turn events on. */
export type EventSource = "interrupts" | "dma";

/** A function or a tracepoint of the kernel whose events the core can't see, or not always. */
export interface UnseenFunction {
  source: EventSource;
  name: string;
  /** The kernel's error, negative; 0 if it is watched. */
  error: number;
  /** Calls that went past the probe, for any device. */
  missed: number;
}

export interface CoreStatus {
  state: "idle" | "recording" | "stopped";
  abi: number;
  records: number;
  lost: number;
  escaped: number;
  missed: number;
  /** Mappings of wanted memory that got no decoy since the start. */
  unrecorded: number;
  /** Accesses to the recorded functions' configuration space that weren't recorded. */
  past: number;
  /** Accesses since the start that rewritten drivers made by calling the core. */
  rewritten: number;
  /** Decoys alive now. */
  mappings: number;
  /** Mappings recorded since the start, decoys of earlier recordings among them. */
  recorded: number;
  tsc_khz: number;
  /** The TSC when the status was read. */
  tsc: bigint;
  /** The reason why the last command failed, or undefined. */
  error: string | undefined;
  living: LivingDecoy[];
  unrecordedGroups: UnrecordedGroup[];
  unwatched: UnwatchedFunction[];
  unseen: UnseenFunction[];
}

/** Parses the status text; skips unknown keys. Throws UserError if a needed key is missing. */
export function parseStatus(text: string): CoreStatus {
  const values = new Map<string, string>();
  const living: LivingDecoy[] = [];
  const unrecordedGroups: UnrecordedGroup[] = [];
  const unwatched: UnwatchedFunction[] = [];
  const unseen: UnseenFunction[] = [];
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    if (space < 0) continue;
    const [key, value] = [line.slice(0, space), line.slice(space + 1)];
    const mapping = key === "mapping" ? /^(\d+) ([0-9a-fx]+)-([0-9a-fx]+) ([0-9a-fx]+)( silent)?$/i.exec(value) : null;
    const group = key === "way" ? parseGroup(value) : undefined;
    const function_ = key === "unwatched" ? parseUnwatched(value) : undefined;
    const event = key === "unseen" ? parseUnseen(value) : undefined;
    if (event !== undefined) unseen.push(event);
    else if (group !== undefined) unrecordedGroups.push(group);
    else if (function_ !== undefined) unwatched.push(function_);
    else if (mapping !== null) {
      living.push({
        id: Number(mapping[1]),
        first: hexadecimal(mapping[2]!),
        last: hexadecimal(mapping[3]!),
        decoy: hexadecimal(mapping[4]!),
        silent: mapping[5] !== undefined,
      });
    } else values.set(key, value);
  }
  const number = (key: string) => {
    const value = Number(values.get(key) ?? Number.NaN);
    if (!Number.isSafeInteger(value)) throw new UserError(`the core's status has no number "${key}"`);
    return value;
  };
  const state = values.get("state");
  if (state !== "idle" && state !== "recording" && state !== "stopped") {
    throw new UserError(`the core's status says state "${state ?? ""}", which isn't one that this version knows`);
  }
  const error = values.get("error");
  const tsc = /^0x[0-9a-f]{1,16}$/i.exec(values.get("tsc") ?? "")?.[0];
  if (tsc === undefined) throw new UserError('the core\'s status has no number "tsc"');
  return {
    state,
    abi: number("abi"),
    records: number("records"),
    lost: number("lost"),
    escaped: number("escaped"),
    missed: number("missed"),
    unrecorded: number("unrecorded"),
    past: number("past"),
    rewritten: number("rewritten"),
    mappings: number("mappings"),
    recorded: number("recorded"),
    tsc_khz: number("tsc_khz"),
    tsc: hexadecimal(tsc),
    error: error === undefined || error === "-" ? undefined : error,
    living,
    unrecordedGroups,
    unwatched,
    unseen,
  };
}

function wayNamed(name: string): UnrecordedWay {
  return unrecordedWays.find((way) => way === name) ?? "several";
}

function parseGroup(text: string): UnrecordedGroup | undefined {
  const match = /^(\w+) ([0-9a-fx]+)-([0-9a-fx]+) (\d+) (\d+) (.+)$/i.exec(text);
  if (match === null) return undefined;
  return {
    way: wayNamed(match[1]!),
    first: hexadecimal(match[2]!),
    last: hexadecimal(match[3]!),
    calls: Number(match[4]),
    pid: Number(match[5]),
    caller: match[6] === "-" ? "" : shortSymbol(match[6]!),
  };
}

function parseUnwatched(text: string): UnwatchedFunction | undefined {
  const match = /^(\w+) (\w+) (-?\d+) (\d+)$/.exec(text);
  if (match === null) return undefined;
  return { way: wayNamed(match[1]!), name: match[2]!, error: Number(match[3]), missed: Number(match[4]) };
}

function parseUnseen(text: string): UnseenFunction | undefined {
  const match = /^(interrupts|dma) (\w+) (-?\d+) (\d+)$/.exec(text);
  if (match === null) return undefined;
  const source = match[1] as EventSource;
  return { source, name: match[2]!, error: Number(match[3]), missed: Number(match[4]) };
}

function hexadecimal(text: string): bigint {
  return BigInt(text.startsWith("0x") ? text : `0x${text}`);
}

/** Reads the status; root can do this at any time. */
export function readStatus(device: string = controlDevice): CoreStatus {
  return parseStatus(readFileSync(device, "utf8"));
}

/** Returns true if the core's device exists and is a device. */
export function isCoreThere(path: string = controlDevice): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isCharacterDevice() === true;
}

/**
 * Throws UserError if something that isn't a device has the name of the core's device: then the kernel silently makes no node
 * there. A shell makes such a file when a command is written to a core that has just gone.
 */
export function requirePlaceForDevice(path: string = controlDevice): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isCharacterDevice()) throw placeTaken(path, found);
}

function placeTaken(path: string, found: Stats): UserError {
  const what = found.isFile()
    ? "an ordinary file"
    : found.isDirectory()
      ? "a folder"
      : found.isSymbolicLink()
        ? "a symbolic link"
        : "something else";
  return new UserError(`${what} lies at ${path}, where the core's device belongs`, {
    advice: `see what it is, and remove it: rm ${found.isDirectory() ? "-r " : ""}${path}`,
  });
}

/** Opens the device, but nothing else with its name. Throws the system's error. */
function openDevice(path: string, flags: number): number {
  requirePlaceForDevice(path);
  const descriptor = openSync(path, flags);
  const found = fstatSync(descriptor);
  if (found.isCharacterDevice()) return descriptor;
  closeSync(descriptor);
  throw placeTaken(path, found);
}

/** The part of the recorder's end of the device that works with its descriptor alone. */
export class RingEnd implements WorkerSource {
  private readonly descriptor: number;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /**
   * Waits for records and reads all that fit into `buffer`, on a thread of the pool.
   * Returns their bytes; 0 after `stop` and the last one.
   */
  async readRecords(buffer: Uint8Array): Promise<number> {
    for (;;) {
      try {
        return (await readAsync(this.descriptor, buffer, 0, buffer.length, null)).bytesRead;
      } catch (error) {
        if (!isSystemError(error, "EINTR")) throw error;
      }
    }
  }

  /** Stops the recording; records in the ring can still be read. A second call does nothing. */
  abandon(): void {
    try {
      writeSync(this.descriptor, "stop\n");
    } catch (error) {
      if (!isSystemError(error, "EBUSY")) throw error;
    }
  }
}

/** The core lets nobody in whom the kernel keeps from devices and from its memory. */
function openingFailed(path: string, error: unknown): UserError {
  const refused = isSystemError(error, "EPERM");
  const advice =
    lockdownLevel() === "confidentiality"
      ? lockdownAdvice()
      : "the right to raw I/O (CAP_SYS_RAWIO) is needed, which this process has given up";
  return new UserError(`opening ${path} failed: ${messageOf(error)}`, {
    cause: error,
    ...(refused && advice !== undefined ? { advice } : {}),
  });
}

/** The recorder's end of the control device. */
export class ControlDevice {
  private readonly path: string;
  readonly descriptor: number;
  private readonly end: RingEnd;
  private closed = false;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.end = new RingEnd(descriptor);
  }

  /** Opens it as the only recorder. Throws UserError: another one is running, not root, no core. */
  static open(path: string = controlDevice): ControlDevice {
    try {
      return new ControlDevice(path, openDevice(path, constants.O_RDWR));
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (isSystemError(error, "EBUSY")) {
        throw new UserError("another recording is running: the core takes one recorder at a time", {
          advice: "wait until it is done, or stop it with Ctrl-C",
          cause: error,
        });
      }
      throw openingFailed(path, error);
    }
  }

  /** Sends one command. Throws UserError with the core's own reason. */
  command(text: string): void {
    try {
      writeSync(this.descriptor, `${text}\n`);
    } catch (error) {
      let why: string | undefined;
      try {
        why = this.status().error;
      } catch {
        // Use the system's message.
      }
      throw new UserError(`the core refused "${text}": ${why ?? messageOf(error)}`, { cause: error });
    }
  }

  status(): CoreStatus {
    return readStatus(this.path);
  }

  /** See RingEnd. */
  readRecords(buffer: Uint8Array): Promise<number> {
    return this.end.readRecords(buffer);
  }

  /** Closing ends the recording and frees the ring. Not while a read waits: send `stop` first. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await closeAsync(this.descriptor);
  }
}

/** Puts a marker into the running recording. Throws UserError if there is none, or the text doesn't fit. */
export function sendMark(text: string, path: string = controlDevice): void {
  const line = `mark ${text}`;
  if (/[\n\0]/.test(text)) throw new UserError("a marker is one line of text");
  if (Buffer.byteLength(line) + 1 > command_bytesMax) {
    throw new UserError(
      `the marker is too long: ${Buffer.byteLength(text)} bytes, of which ${command_bytesMax - "mark \n".length} fit`,
    );
  }
  const nothingRuns = "no recording is running, so there is nothing to put a marker into";
  let descriptor: number;
  try {
    descriptor = openDevice(path, constants.O_WRONLY);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENXIO") || isSystemError(error, "ENODEV")) {
      throw new UserError(nothingRuns, { advice: "start one with `mmiostrider record`", cause: error });
    }
    if (isSystemError(error, "EACCES")) {
      throw new UserError("setting a marker failed: only root may", { advice: "try again with sudo", cause: error });
    }
    throw openingFailed(path, error);
  }
  try {
    writeSync(descriptor, `${line}\n`);
  } catch (error) {
    if (isSystemError(error, "EBUSY")) {
      throw new UserError(nothingRuns, { advice: "start one with `mmiostrider record`", cause: error });
    }
    throw new UserError(`setting the marker failed: ${messageOf(error)}`, { cause: error });
  } finally {
    closeSync(descriptor);
  }
}

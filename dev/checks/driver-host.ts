// The host's part in the workloads of `npm run check:drivers`: on request it plugs in a keyboard and types, or looks at the
// screen; afterwards it checks the played sound.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../../src/base/errors.js";
import { Qmp } from "./qmp.js";

/** The typed keys; the workload expects their numbers in Linux. */
const typed = ["a", "b", "c", "d", "e"];
const screenWidth = 800;
const screenHeight = 600;
const screenTries = 40;
const screenPause_ms = 250;

/** Answers the machine's signals, one after the other. */
export class DriverHost {
  private readonly socketPath: string;
  private readonly share: string;
  private qmp: Promise<Qmp> | undefined;
  private queue: Promise<void> = Promise.resolve();
  /** The problems, with the device: `screen8`. */
  readonly problems: { where: string; what: string }[] = [];

  constructor(socketPath: string, share: string) {
    this.socketPath = socketPath;
    this.share = share;
  }

  /** `plug usb8`, `type usb8`, `unplug usb8`, `screen screen8`. */
  signal(words: readonly string[]): void {
    this.queue = this.queue.then(async () => {
      try {
        await this.answer(words);
      } catch (error) {
        this.problems.push({ where: words[1] ?? "", what: `${words.join(" ")}: ${messageOf(error)}` });
      }
    });
  }

  async close(): Promise<void> {
    await this.queue;
    (await this.qmp?.catch(() => undefined))?.close();
  }

  private async answer([what, where = ""]: readonly string[]): Promise<void> {
    this.qmp ??= Qmp.connect(this.socketPath);
    const qmp = await this.qmp;
    const id = `keyboard-${where}`;
    if (what === "plug") await qmp.command("device_add", { driver: "usb-kbd", id, bus: `${where}.0` });
    else if (what === "unplug") await qmp.command("device_del", { id });
    else if (what === "type") await this.type(qmp);
    else if (what === "screen") await this.look(qmp, where);
    else throw new UserError(`the machine asks for ${what}, which nobody knows`);
  }

  private async type(qmp: Qmp): Promise<void> {
    const key = (data: string, down: boolean) => ({ type: "key", data: { down, key: { type: "qcode", data } } });
    for (const letter of typed) {
      await qmp.command("input-send-event", { events: [key(letter, true)] });
      await pause(60);
      await qmp.command("input-send-event", { events: [key(letter, false)] });
      await pause(60);
    }
  }

  /** Looks until the picture is there, which may take a while. Tells the workload in either case. */
  private async look(qmp: Qmp, device: string): Promise<void> {
    const file = join(this.share, `${device}.ppm`);
    let wrong = "";
    for (let tries = 0; tries < screenTries; tries += 1) {
      await qmp.command("screendump", { filename: file, device });
      wrong = pictureFault(readFileSync(file));
      if (wrong === "") break;
      await pause(screenPause_ms);
    }
    writeFileSync(join(this.share, `${device}.seen`), "");
    if (wrong !== "") throw new UserError(wrong);
  }
}

function pause(time_ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, time_ms));
}

/** Returns the fault of the screen (a PPM file), which should show mode-set.c's picture; "" if there is none. */
export function pictureFault(ppm: Buffer): string {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(ppm.toString("latin1", 0, 64));
  if (head === null) return "QEMU's screendump is no picture";
  if (Number(head[1]) !== screenWidth || Number(head[2]) !== screenHeight) {
    return `the screen has ${head[1]} by ${head[2]} pixels, not ${screenWidth} by ${screenHeight}`;
  }
  let at = head[0].length;
  let wrong = 0;
  for (let y = 0; y < screenHeight; y += 1) {
    for (let x = 0; x < screenWidth; x += 1, at += 3) {
      if (ppm[at] !== (x & 255) || ppm[at + 1] !== (y & 255) || ppm[at + 2] !== ((x ^ y) & 255)) wrong += 1;
    }
  }
  return wrong === 0 ? "" : `${wrong} pixels of the screen are wrong`;
}

const wavHead_bytes = 44;
const frames = 44_100;
/** Fewest frames that must have come: QEMU's sound card drops pieces of 2,048 frames on a busy host, recorded or not. */
const framesMin = frames / 2;

/**
 * Counts play.c's samples in a WAV file: most of them, in their order. Throws UserError if something else was played: a frame
 * that is neither silent nor one of them.
 */
export function playedTimes(path: string): number {
  if (!existsSync(path)) return 0;
  const bytes = readFileSync(path);
  let times = 0;
  let last = frames;
  let played = 0;
  for (let at = wavHead_bytes; at + 4 <= bytes.length; at += 4) {
    const frame = frameOf(bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2));
    if (frame === undefined) throw new UserError(`frame ${(at - wavHead_bytes) / 4} of the sound was never played`);
    // the first frame is silent, like the time between
    if (frame === 0) continue;
    if (frame <= last) played = 0;
    played += 1;
    last = frame;
    if (played === framesMin) times += 1;
  }
  return times;
}

/** Returns the number of play.c's frame with these two samples (unsigned numbers); undefined if there is none. */
function frameOf(left: number, right: number): number | undefined {
  for (const frame of [right, right + 0x8000]) {
    if (frame < frames && Math.imul(frame, 0x9e3779b1) >>> 16 === left) return frame;
  }
  return undefined;
}

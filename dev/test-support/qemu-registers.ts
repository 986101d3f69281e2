// For tests only: QEMU's devices without any guest, through its test protocol (qtest): PCI set-up and MMIO accesses.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";

const program = "qemu-system-x86_64";
const answer_ms = 20_000;

/** Returns the reason why tests with QEMU can't run, else undefined. In CI they must run. */
export function whyNoQemu(): string | undefined {
  if (spawnSync(program, ["--version"]).error === undefined) return undefined;
  const why = "no qemu-system-x86_64: install Debian's package qemu-system-x86";
  if (process.env.CI === "true") throw new Error(`in CI no test may be skipped, but: ${why}`);
  return why;
}

/** Address of the first BAR; each gets 16 MiB. The machine itself has nothing there. */
const firstBar = 0xa000_0000;

export class QtestMachine {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  #barsPlaced = 0;

  /** Starts a PC (q35) with `devices`, arguments of `-device`, on its bus from slot 4 on. */
  constructor(devices: readonly string[]) {
    const placed = devices.flatMap((device, index) => ["-device", `${device},addr=0x${(index + 4).toString(16)}`]);
    this.#process = spawn(program, [
      ...["-machine", "q35", "-accel", "tcg", "-S", "-nodefaults", "-display", "none", "-vga", "none"],
      ...["-qtest", "stdio", "-qtest-log", "/dev/null", ...placed],
    ]);
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    let complaint = "";
    this.#process.stderr.on("data", (chunk) => {
      complaint += chunk;
    });
    this.#process.on("exit", (code) => {
      if (code !== 0 && code !== null) process.stderr.write(`QEMU ended with ${code}: ${complaint}\n`);
    });
  }

  /** Sends one command; returns the number in the answer, 0 if it has none. */
  async command(text: string): Promise<bigint> {
    this.#process.stdin.write(`${text}\n`);
    for (;;) {
      const line = await this.#nextLine(text);
      if (line.startsWith("OK")) return BigInt(line.slice(3).trim() || "0");
      if (line.startsWith("FAIL") || line.startsWith("ERR")) throw new Error(`qtest: "${text}" was answered ${line}`);
    }
  }

  async #nextLine(asked: string): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`qtest: no answer to "${asked}" within ${answer_ms} ms`)), answer_ms);
    });
    try {
      const next = await Promise.race([this.#answers.next(), late]);
      if (next.done === true) throw new Error(`qtest: QEMU ended before it answered "${asked}"`);
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  }

  async readConfig(slot: number, offset: number): Promise<number> {
    await this.command(`outl 0xcf8 0x${(0x8000_0000 + slot * 0x800 + offset).toString(16)}`);
    return Number(await this.command("inl 0xcfc"));
  }

  async writeConfig(slot: number, offset: number, value: number): Promise<void> {
    await this.command(`outl 0xcf8 0x${(0x8000_0000 + slot * 0x800 + offset).toString(16)}`);
    await this.command(`outl 0xcfc 0x${value.toString(16)}`);
  }

  async configSpace(slot: number): Promise<Uint8Array> {
    const words = new Uint32Array(64);
    for (let index = 0; index < words.length; index++) words[index] = await this.readConfig(slot, index * 4);
    return new Uint8Array(words.buffer);
  }

  /** Gives a BAR an address, lets the function answer there and be bus master; returns the address. */
  async placeBar(slot: number, bar: number): Promise<number> {
    const address = firstBar + 0x100_0000 * this.#barsPlaced++;
    await this.writeConfig(slot, 0x10 + bar * 4, address);
    // The next register is a 64-bit BAR's upper half, or else the next BAR, which is placed later, if at all.
    if (((await this.readConfig(slot, 0x10 + bar * 4)) & 0x4) !== 0) await this.writeConfig(slot, 0x14 + bar * 4, 0);
    await this.writeConfig(slot, 0x04, 0x6);
    return address;
  }

  read(address: number, width_bytes: 1 | 2 | 4 | 8): Promise<bigint> {
    return this.command(`read${"_bw_l___q"[width_bytes]} 0x${address.toString(16)}`);
  }

  async write(address: number, width_bytes: 1 | 2 | 4 | 8, value: bigint): Promise<void> {
    await this.command(`write${"_bw_l___q"[width_bytes]} 0x${address.toString(16)} 0x${value.toString(16)}`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#process.on("close", () => resolve());
      this.#process.kill("SIGKILL");
    });
  }
}

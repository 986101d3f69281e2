// For tests and benchmarks: makes a mmiotrace log like a GPU driver's from envytools' own database: accesses to registers
// of every array and stripe, and to addresses without registers; and runs envytools' demmio, which decodes it.
import { spawnSync } from "node:child_process";
import { hex } from "../../src/base/hex.js";
import type { Node } from "../../src/registers/compile.js";
import { builtInDirectory, loadDatabase } from "../../src/registers/files/load.js";

/** Addresses of the made-up GPU's BARs. */
const gpuBar0 = 0xf200_0000;
const bar0_bytes = 0x100_0000;

/** Makes numbers from 0 up to, but without, 1: the same for the same seed (Numerical Recipes' linear congruential generator). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Returns an offset for each register: of one copy somewhere in its arrays. */
export function registerOffsets(nodes: readonly Node[], random: () => number, base = 0): number[] {
  return nodes.flatMap((node) => {
    const copies = Math.min(node.offsets?.length ?? node.length, 64);
    const copy = Math.floor(random() * copies);
    const start = base + (node.offsets?.[copy] ?? node.offset + copy * node.stride);
    return node.register === undefined ? registerOffsets(node.children, random, start) : [start];
  });
}

export interface GpuAccess {
  write: boolean;
  width_bytes: number;
  /** From BAR 0's start. */
  offset: number;
  value: number;
}

/**
 * Returns true for the parts of BAR 0 that demmio doesn't name register by register, but decodes otherwise: I²C buses,
 * scripts, indexed registers of other domains, RAM.
 */
function isDecodedOtherwise(offset: number): boolean {
  const ranges = [
    [0x1400, 0x1600],
    [0xe000, 0xf000],
    [0x80000, 0x80200],
    [0x10a1c4, 0x10a1c8],
    [0x400324, 0x40032c],
    [0x6013d4, 0x6013d8],
    [0x6033d4, 0x6033d8],
    [0x700000, 0x800000],
  ] as const;
  return ranges.some(([first, end]) => offset + 7 >= first && offset < end);
}

/** Makes accesses of a GPU of this chipset (a number): to all of its registers in turn, and to `others` other addresses. */
export function gpuAccesses(rnndb: string, chipset: number, others: number, seed = 1): GpuAccess[] {
  const random = seededRandom(seed);
  const domain = "NV_MMIO";
  const database = loadDatabase(`${rnndb}/nv_mmio.xml`, domain).withVariant("chipset", `0x${chipset.toString(16)}`);
  const offsets = registerOffsets(database.view(domain).nodes, random);
  for (let n = 0; n < others; n += 1) offsets.push(Math.floor((random() * bar0_bytes) / 4) * 4);
  const accesses = offsets
    .filter((offset) => offset > 0 && offset < bar0_bytes - 8 && !isDecodedOtherwise(offset))
    .map((offset) => {
      // A byte register is accessed as one byte, or as part of four.
      const width_bytes =
        offset % 4 !== 0 || (database.lookup(0, offset, 1)?.parts[0]?.register?.width_bits === 8 && random() < 0.5)
          ? 1
          : 4;
      const bits = random() < 0.3 ? Math.floor(random() * 16) : Math.floor(random() * 2 ** (8 * width_bytes));
      return { write: random() < 0.5, width_bytes, offset, value: bits };
    });
  // The identification register tells the chipset: from NV10 on, bits 20 to 28, and bit 7 is set.
  return [{ write: false, width_bytes: 4, offset: 0, value: chipset * 2 ** 20 + 0xa1 }, ...accesses];
}

/** Formats the accesses as the kernel's mmiotrace does, after the GPU's devices and mapping. */
export function gpuLog(accesses: readonly GpuAccess[]): string {
  const lines = accesses.map(({ write, width_bytes, offset, value }, n) => {
    const time = (10 + n / 100_000).toFixed(6);
    return `${write ? "W" : "R"} ${width_bytes} ${time} 1 ${hex(gpuBar0 + offset)} ${hex(value)} 0x0 0`;
  });
  const bars = `f2000000 e000000c 0 f000000c 0 0 0 ${bar0_bytes.toString(16)} 10000000 0 2000000 0 0 0`;
  return [
    "VERSION 20070824",
    `PCIDEV 0100 10de1040 10 ${bars} nvidia`,
    `MAP 9.000000 1 0x${gpuBar0.toString(16)} 0xffffc90010000000 ${hex(bar0_bytes)} 0x0 0`,
    ...lines,
    "",
  ].join("\n");
}

const demmio = process.env.MMIOSTRIDER_DEMMIO ?? "demmio";

/** Returns the reason why envytools' demmio can't be run, else undefined: `$MMIOSTRIDER_DEMMIO`, or `demmio` on the path. */
export function whyNoDemmio(): string | undefined {
  const found = spawnSync(demmio, ["-h"]).error === undefined;
  return found ? undefined : `no demmio: build envytools' and put it on the path, or set MMIOSTRIDER_DEMMIO to it`;
}

/** Runs demmio on the file `log`, with the database in the folder `rnndb`; returns its output if `keep`. */
export function runDemmio(log: string, rnndb: string, keep = true): string {
  const { status, stdout, stderr } = spawnSync(demmio, ["-c", "-f", log], {
    stdio: ["ignore", keep ? "pipe" : "ignore", "pipe"],
    // Building envytools makes rnndb's list of chipsets; ours is the same enum.
    env: { ...process.env, RNN_PATH: `${rnndb}:${builtInDirectory}` },
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`demmio failed: ${stderr}`);
  return stdout ?? "";
}

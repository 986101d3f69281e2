// Speed of importing mmiotrace's text: lines a second, read from memory, only parsed, and made into a whole trace; and of the
// regular expressions that a reader of such lines usually has. Inputs: a recorded e1000 log, repeated, and a log with the mix of
// a GPU's driver.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { hex } from "../../src/base/hex.js";
import { projectDirectory } from "../../src/base/paths.js";
import { importText } from "../../src/trace/import/log-import.js";
import { MmiotraceImport } from "../../src/trace/import/mmiotrace.js";
import { createTrace } from "../../src/trace/node/create-trace.js";
import { workFolder } from "../checks/run-check.js";
import { randomNumbers } from "../test-support/made-up-records.js";

const linesWanted = 1_000_000;
const chunk_bytes = 1 << 20;
const rounds = 3;

/** Makes a log that repeats the recorded log's accesses. */
function recordedLog(): Buffer {
  const text = gunzipSync(readFileSync(join(projectDirectory, "test/data/e1000-mmiotrace.txt.gz"))).toString();
  const events = text.slice(text.indexOf("\nR ") + 1, text.lastIndexOf("UNMAP"));
  const times = Math.ceil(linesWanted / (events.split("\n").length - 1));
  return Buffer.from(text.slice(0, text.indexOf("\nR ") + 1) + events.repeat(times));
}

/** Makes a log with few hot registers, pushes of commands and data with new values, and rising times. */
function gpuLog(): Buffer {
  const random = randomNumbers(7);
  const lines = ["VERSION 20070824", "MAP 1.000000 1 0xf4000000 0xffffc90000080000 0x1000000 0x0 0"];
  let time_us = 2_000_000;
  for (let line = 0; line < linesWanted; line += 1) {
    time_us += random() % 9;
    const time = `${Math.floor(time_us / 1e6)}.${(time_us % 1e6).toString().padStart(6, "0")}`;
    const kind = random() % 10;
    const [letter, offset, value] =
      kind < 4
        ? ["R", 0x9000 + 4 * (random() % 8), random() % 3]
        : kind < 7
          ? ["W", 0x400000 + 4 * (random() % 4096), random() % 2 ** 31]
          : ["W", 0x100000 + 4 * (random() % 512), random() % 256];
    lines.push(`${letter} 4 ${time} 1 ${hex(0xf4000000 + (offset as number))} ${hex(value as number)} 0x0 0`);
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunk_bytes) yield bytes.subarray(at, at + chunk_bytes);
}

/** Reads one access a line, as a script would. */
function withExpressions(bytes: Buffer): void {
  const access = /^([RW]) (\d+) (\d+\.\d+) (\d+) 0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) (\d+)$/;
  let sum = 0;
  for (const line of bytes.toString("latin1").split("\n")) {
    const found = access.exec(line);
    if (found !== null)
      sum += Number.parseFloat(found[3]!) + Number.parseInt(found[5]!, 16) + Number.parseInt(found[6]!, 16);
  }
  if (!(sum > 0)) throw new Error("nothing was read");
}

function parseAlone(bytes: Buffer): void {
  const reader = new MmiotraceImport("the log");
  for (let at = 0; at < bytes.length; at += chunk_bytes) {
    reader.push(bytes.subarray(at, at + chunk_bytes));
    reader.pieces();
  }
  reader.finish();
  if (reader.totals.accesses < linesWanted) throw new Error("accesses are missing");
}

export async function run(): Promise<void> {
  const folder = workFolder("bench");
  const trace = join(folder, "trace.mmt");
  try {
    for (const [title, bytes] of [
      ["e1000, recorded", recordedLog()],
      ["a GPU's driver, made up", gpuLog()],
    ] as const) {
      const lines = bytes.toString("latin1").split("\n").length - 1;
      const contenders: [string, () => void | Promise<void>][] = [
        [
          "import into a trace",
          async () => {
            await importText(new MmiotraceImport("the log"), pieces(bytes), (header) => createTrace(trace, header));
          },
        ],
        ["parse into ring records", () => parseAlone(bytes)],
        ["a regular expression a line", () => withExpressions(bytes)],
      ];
      const best = contenders.map(() => Number.POSITIVE_INFINITY);
      for (let round = 0; round < rounds; round += 1) {
        for (const [index, [, work]] of contenders.entries()) {
          // The process's own time: the machine's other work doesn't count.
          const before = process.cpuUsage();
          await work();
          const { user, system } = process.cpuUsage(before);
          best[index] = Math.min(best[index]!, (user + system) / 1e6);
        }
      }
      process.stdout.write(
        `import: ${title}: ${lines} lines of mmiotrace, ${(bytes.length / lines).toFixed(1)} bytes a line\n`,
      );
      for (const [index, [name]] of contenders.entries()) {
        const rate = (lines / best[index]! / 1e6).toFixed(2);
        const ratio = (best[index]! / best[0]!).toFixed(2);
        process.stdout.write(
          `  ${name.padEnd(44)} ${rate.padStart(8)} million lines a second of CPU time, ×${ratio}\n`,
        );
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

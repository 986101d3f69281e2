// The trace file: bytes an event beside mmiotrace's text (plain, and under `zstd -19`), events a second written and scanned, and
// the time to open a large trace in the middle. Inputs: e1000 as recorded, in the pieces that the recorder flushed; and
// $MMIOSTRIDER_BENCH_EVENTS (default: 10 million) made-up events with the mix of a GPU's driver, ten times as many for the
// large trace.

import { spawnSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { installTools } from "../../src/lab/debian.js";
import { benchTools } from "../../src/lab/needs.js";
import { EventRecords } from "../../src/trace/event-records.js";
import { createTrace } from "../../src/trace/node/create-trace.js";
import { openTrace } from "../../src/trace/node/file-source.js";
import { workFolder } from "../checks/run-check.js";
import { madeUpSummary } from "../test-support/made-up-records.js";
import { GpuMix, gpuHeader } from "./measure-gpu-mix.js";
import { type Profile, profiled, sharesText } from "./measure-shares.js";

const buffer_bytes = 1 << 20;
/** Events whose text `zstd -19` compresses: it takes a second for two megabytes. */
const textEvents = 300_000;
const profiledEvents = 3_000_000;
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Measures the process's own time in seconds: the machine's other work doesn't count. */
async function cpuTime_s(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Writes about `events` of the GPU's mix; returns their number, and the time of writing alone. */
async function writeGpu(path: string, events: number): Promise<{ events: number; time_s: number }> {
  const mix = new GpuMix();
  const buffer = new Uint8Array(buffer_bytes);
  const writer = await createTrace(path, gpuHeader());
  let time_s = 0;
  while (mix.count < events) {
    const records = mix.fill(buffer);
    time_s += await cpuTime_s(() => writer.append(records));
  }
  time_s += await cpuTime_s(() => writer.close(madeUpSummary));
  return { events: mix.count, time_s };
}

/** Decodes every column of every row, and reads some of them. */
async function scan(path: string): Promise<number> {
  const reader = await openTrace(path);
  let rows = 0;
  let sum = 0;
  for (let number = 0; number < reader.blocks.length; number += 1) {
    const columns = await reader.readColumns(number);
    const { word, task, ticks, tasks, wordAddress, wordLow, address, addressShape, shapes } = columns;
    for (let row = 0; row < columns.rows; row += 1) {
      const index = word[row]!;
      const place = wordAddress[index]!;
      const shape = addressShape[place]!;
      sum += ticks[row]! + wordLow[index]! + address[place]! + shapes.width_bytes[shape]! + tasks.pid[task[row]!]!;
    }
    rows += columns.rows;
  }
  await reader.close();
  if (!(sum > 0)) throw new UserError("nothing was scanned");
  return rows;
}

/** Writes the recorded trace again, flushed at the places where its recorder flushed. */
async function recordAgain(path: string): Promise<void> {
  const reader = await openTrace(join(projectDirectory, "test/data/e1000.mmt"));
  const writer = await createTrace(path, reader.header);
  const records = new EventRecords();
  let updates = 0;
  for await (const { block, events } of reader.batches()) {
    for (; (reader.updates[updates]?.firstRecord ?? Number.POSITIVE_INFINITY) <= block.firstRecord; updates += 1) {
      await writer.note(reader.updates[updates]!.update);
    }
    for (const event of events) records.add(event);
    await writer.append(records.take());
    await writer.flush();
  }
  for (const { update } of reader.updates.slice(updates)) await writer.note(update);
  await writer.close(reader.summary ?? madeUpSummary);
  await reader.close();
}

async function compareSize(title: string, path: string): Promise<void> {
  const reader = await openTrace(path);
  const { events } = reader;
  await reader.close();
  const text = `${path}.txt`;
  const program = join(projectDirectory, "bin/mmiostrider.js");
  const converted = spawnSync(process.execPath, [program, "convert", path, text, "--to", "mmiotrace"]);
  if (converted.status !== 0) throw new UserError(`converting ${path} failed: ${converted.stderr}`);
  const ours = statSync(path).size;
  const line = (name: string, bytes: number) =>
    say(
      `  ${name.padEnd(30)} ${(bytes / events).toFixed(2).padStart(7)} bytes an event, ×${(bytes / ours).toFixed(2)}`,
    );
  say(`trace: ${title}: ${events} events`);
  line("trace", ours);
  line("mmiotrace's text", statSync(text).size);
  const packed = spawnSync("zstd", ["-19", "-q", "-f", text, "-o", `${text}.zst`]);
  if (packed.status !== 0) throw new UserError(`zstd failed: ${packed.error?.message ?? packed.stderr}`);
  line("mmiotrace's text, zstd -19", statSync(`${text}.zst`).size);
  say("  (bars: at most 6 bytes an event, and smaller than the text under zstd -19: the last ratio above 1)");
}

export async function run(): Promise<void> {
  const wanted = Number(process.env.MMIOSTRIDER_BENCH_EVENTS ?? 10_000_000);
  await installTools(benchTools, (line) => process.stderr.write(`${line}\n`));
  const folder = workFolder("bench");
  try {
    await recordAgain(join(folder, "e1000.mmt"));
    await compareSize("e1000, as recorded", join(folder, "e1000.mmt"));
    await writeGpu(join(folder, "small.mmt"), Math.min(wanted, textEvents));
    await compareSize("a GPU's driver, made up", join(folder, "small.mmt"));
    const path = join(folder, "gpu.mmt");
    const written = await writeGpu(path, wanted);
    const rate = (events: number, time_s: number) => (events / time_s / 1e6).toFixed(2);
    say(`  written: ${rate(written.events, written.time_s)} million events a second of CPU time (bar: 3)`);
    let best_s = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round += 1) best_s = Math.min(best_s, await cpuTime_s(() => scan(path)));
    say(`  scanned: ${rate(written.events, best_s)} million events a second of CPU time (bar: 15)`);
    // Find what limits both: once more with a smaller trace, because a profiler makes everything slower.
    const some = Math.min(wanted, profiledEvents);
    const limit = (profile: Profile) => say(`    limited by: ${sharesText(profile)}`);
    limit(await profiled("writing", () => writeGpu(join(folder, "some.mmt"), some)));
    limit(await profiled("scanning", () => scan(join(folder, "some.mmt"))));
    const large = await writeGpu(path, 10 * wanted);
    const start = process.hrtime.bigint();
    const reader = await openTrace(path);
    await reader.readColumns(reader.blockOfEvent(Math.floor(large.events / 2)));
    const opened_ms = Number(process.hrtime.bigint() - start) / 1e6;
    await reader.close();
    say(`  opened in the middle of ${large.events} events: ${opened_ms.toFixed(1)} ms (bar: 100)`);
    say(
      `  memory: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB at most, with making the events (bar: 200 MB)`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

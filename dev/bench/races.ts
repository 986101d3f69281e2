// Speed of finding races: events a second of CPU time in a made-up trace of ten million events, read from memory: parsing alone, each
// algorithm with it, and happens-before on events that are parsed already.
import type { Detector } from "../../src/analysis/races/detector.js";
import { EventBatch } from "../../src/analysis/races/event-batch.js";
import { findRaces, raceAlgorithms } from "../../src/analysis/races/find-races.js";
import { HappensBefore } from "../../src/analysis/races/happens-before.js";
import { RaceTally } from "../../src/analysis/races/race-tally.js";
import { StdReader } from "../../src/analysis/races/std.js";
import { randomNumbers } from "../test-support/made-up-records.js";

const partEvents = 1_000_000;
/** The trace is one part again and again; every part ends with all locks free. */
const parts = 10;
const chunk_bytes = 1 << 20;
const rounds = 3;
const threads = 8;
const locks = 64;
const lockedVariables = 500;
const ownVariables = 5000;
const kernelSpace = 0xffff_8880_0000_0000n;

/** Makes a part: threads that run for a while each, with variables of their own, and others that they use under locks. */
function madeUpPart(): Buffer {
  const random = randomNumbers(5);
  /** A number below `limit`: the lower, the more often. */
  const skewed = (limit: number) => Math.floor(limit * ((random() % 1e6) / 1e6) ** 3);
  const address = (variable: number) => `0x${(kernelSpace + 8n * BigInt(variable)).toString(16)}`;
  const holds = new Array<number>(threads).fill(-1);
  const lines: string[] = [];
  let thread = 0;
  while (lines.length < partEvents - threads) {
    if (random() % 16 === 0) thread = random() % threads;
    const lock = holds[thread]!;
    if (lock < 0 && random() % 20 === 0) {
      const wanted = random() % locks;
      if (holds.includes(wanted)) continue;
      holds[thread] = wanted;
      lines.push(`T${thread}|acq(${wanted})|${random() % 100}`);
    } else if (lock >= 0 && random() % 10 === 0) {
      holds[thread] = -1;
      lines.push(`T${thread}|rel(${lock})|${random() % 100}`);
    } else {
      const place =
        lock >= 0
          ? lock * lockedVariables + skewed(lockedVariables)
          : locks * lockedVariables + thread * ownVariables + skewed(ownVariables);
      lines.push(`T${thread}|${random() % 3 === 0 ? "w" : "r"}(${address(place)})|${random() % 5000}`);
    }
  }
  for (const [held, lock] of holds.entries()) lines.push(lock < 0 ? `T${held}|begin|0` : `T${held}|rel(${lock})|0`);
  return Buffer.from(`${lines.join("\n")}\n`);
}

function* chunks(part: Buffer): Generator<Buffer> {
  for (let round = 0; round < parts; round += 1) {
    for (let at = 0; at < part.length; at += chunk_bytes) yield part.subarray(at, at + chunk_bytes);
  }
}

function parse(part: Buffer, take: (batch: EventBatch) => void): void {
  const reader = new StdReader("the trace", take);
  for (const chunk of chunks(part)) reader.push(chunk);
  reader.finish();
  if (reader.events !== parts * partEvents) throw new Error("events are missing");
}

function copyOf(batch: EventBatch): EventBatch {
  const copy = Object.assign(new EventBatch(), batch);
  for (const column of ["threads", "targets", "locations"] as const)
    Object.assign(copy, { [column]: batch[column].slice() });
  return Object.assign(copy, { kinds: batch.kinds.slice() });
}

export async function run(): Promise<void> {
  const part = madeUpPart();
  const parsed: EventBatch[] = [];
  parse(part, (batch) => void parsed.push(copyOf(batch)));
  const contenders: [string, () => unknown][] = [
    ["parsing alone", () => parse(part, () => {})],
    [
      "hb of parsed events",
      () => {
        const detector: Detector = new HappensBefore(new RaceTally());
        for (const batch of parsed) detector.take(batch);
      },
    ],
    ...raceAlgorithms.map((algorithm): [string, () => unknown] => [
      `${algorithm}, parsing included`,
      () => findRaces(() => chunks(part), { algorithm, file: "the trace" }),
    ]),
  ];
  process.stdout.write(`races: ${parts * partEvents} events, ${(part.length / partEvents).toFixed(1)} bytes a line\n`);
  for (const [name, work] of contenders) {
    let best_s = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round += 1) {
      // The process's own time: the machine's other work doesn't count.
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      best_s = Math.min(best_s, (user + system) / 1e6);
    }
    const rate = ((parts * partEvents) / best_s / 1e6).toFixed(2);
    process.stdout.write(`  ${name.padEnd(28)} ${rate.padStart(8)} million events a second of CPU time\n`);
  }
}

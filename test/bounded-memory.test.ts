// tier: quick
// Commands that walk through a trace need no more memory for a large one than for a small one, and less than 200 MB: the kernel's
// peak value decides.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GpuMix, gpuHeader } from "../dev/bench/measure-gpu-mix.js";
import { madeUpSummary } from "../dev/test-support/made-up-records.js";
import { programFile } from "../dev/test-support/program.js";
import { casesByTier } from "../dev/test-support/tiers.js";
import { registersMax } from "../src/analysis/statistics/statistics.js";
import { createTrace } from "../src/trace/node/create-trace.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-memory-"));
afterAll(() => rmSync(directory, { recursive: true }));

const small = 200_000;
const large = 1_000_000;
/** Events after which stat's tables have reached their limits; before that they grow. */
const full = 600_000;
/** Limit for each of these commands. */
const most_bytes = 200e6;
/** Allowed growth: the garbage collector's leftovers vary. Keeping 800,000 more events, at 40 bytes each, would need more. */
const growth_bytes = 30e6;

const path = (events: number, extension: string) => join(directory, `${events}.${extension}`);
const note = join(directory, "note.mjs");

async function makeTrace(events: number): Promise<void> {
  const mix = new GpuMix();
  const buffer = new Uint8Array(1 << 20);
  const writer = await createTrace(path(events, "mmt"), gpuHeader());
  while (mix.count < events) await writer.append(mix.fill(buffer));
  await writer.close(madeUpSummary);
}

beforeAll(async () => {
  for (const events of [small, full, large]) await makeTrace(events);
  writeFileSync(
    note,
    `import { writeFileSync } from "node:fs";
process.on("exit", () => writeFileSync(${JSON.stringify(join(directory, "rss"))}, String(process.resourceUsage().maxRSS)));
`,
  );
});

/** Runs a command, and returns its peak memory. */
function peak_bytes(parameters: string[]): number {
  rmSync(join(directory, "rss"), { force: true });
  // started as a user does: the program's first line has a flag for Node
  const { status, stderr } = spawnSync(programFile, parameters, {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    timeout: 580_000,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, NODE_OPTIONS: `--import ${note}` },
  });
  const lines = stderr.split("\n").filter((line) => !/^$|^[\d,]+ events|^mmiostrider: (?:\S+: )?note: /.test(line));
  expect([status, lines]).toEqual([0, []]);
  return 1024 * Number(readFileSync(join(directory, "rss"), "utf8"));
}

type Command = [name: string, parameters: (trace: string, events: number) => string[]];

const commands = casesByTier<Command>({
  quick: [
    ["report", (trace) => ["report", trace]],
    ["stat", (trace) => ["stat", trace]],
    ["convert to CSV", (trace) => ["convert", "--to", "csv", trace, "/dev/null"]],
    ["convert to Parquet", (trace, events) => ["convert", trace, path(events, "parquet")]],
    ["cut", (trace, events) => ["cut", "--from", "@1000", trace, "-o", path(events, "cut.mmt")]],
  ],
  rest: [
    ["report --fold", (trace) => ["report", "--fold", trace]],
    ["stat --json", (trace) => ["stat", "--json", trace]],
    ["grep", (trace) => ["grep", "-c", "BAR", trace]],
    ["convert to JSON Lines", (trace) => ["convert", "--to", "jsonl", trace, "/dev/null"]],
    ["convert to Perfetto's JSON", (trace) => ["convert", "--to", "perfetto", trace, "/dev/null"]],
    ["convert to a data set", (trace, events) => ["convert", "--partition", "cpu,op", trace, path(events, "set")]],
    ["convert to mmiotrace's text", (trace, events) => ["convert", trace, path(events, "txt")]],
    ["convert from mmiotrace's text", (_trace, events) => ["convert", path(events, "txt"), path(events, "again.mmt")]],
    ["merge", (trace, events) => ["merge", trace, path(events, "cut.mmt"), "-o", path(events, "all.mmt")]],
  ],
});

test("stat's table of registers is full", () => {
  const { stdout } = spawnSync(process.execPath, [programFile, "stat", "--json", path(full, "mmt")], {
    encoding: "utf8",
    maxBuffer: 256 << 20,
  });
  expect(JSON.parse(stdout).registers.length).toBeGreaterThan(registersMax);
});

for (const [name, parameters] of commands) {
  test(name, () => {
    const fewer = name.startsWith("stat") ? full : small;
    const few = peak_bytes(parameters(path(fewer, "mmt"), fewer));
    const many = peak_bytes(parameters(path(large, "mmt"), large));
    expect(many).toBeLessThan(most_bytes);
    expect(many - few).toBeLessThan(growth_bytes);
  });
}

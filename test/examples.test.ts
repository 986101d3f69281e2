// tier: quick
// The examples, run as a user runs them: compiled, importing "mmiostrider". Held against the kernel's own text.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTrace } from "../src/index.js";

const project = fileURLToPath(new URL("..", import.meta.url));
const kernelLog = join(project, "test/data/e1000-mmiotrace.txt.gz");
const kernelText = gunzipSync(readFileSync(kernelLog)).toString();
/** `R width time map address value pc pid` */
const accesses = kernelText
  .split("\n")
  .filter((line) => /^[RW] /.test(line))
  .map((line) => line.split(" "));
const offsetOf = (words: readonly string[]) => BigInt(words[4]!) & 0x1ffffn;

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-examples-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => {
  if (!existsSync(compiled("poll-finder"))) throw new Error("run `npm run build` first");
});

function compiled(name: string): string {
  return join(project, "dist/examples", `${name}.js`);
}

function run(name: string, ...words: string[]): { status: number | null; lines: string[]; output: Buffer } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiled(name), ...words], { maxBuffer: 1 << 28 });
  expect(stderr.toString()).toBe("");
  return { status, lines: stdout.toString().trimEnd().split("\n"), output: stdout };
}

test("each example has a test here", () => {
  const names = readdirSync(join(project, "examples"))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.replace(/\.ts$/, ""));
  const text = readFileSync(fileURLToPath(import.meta.url), "utf8");
  expect(names.length).toBe(5);
  expect(names.filter((name) => !text.includes(`"${name}"`))).toEqual([]);
});

test("initialisation-table: every write of the kernel's text, with its value", () => {
  const { status, lines } = run("initialisation-table", kernelLog);
  expect(status).toBe(0);
  // the kernel's text doesn't tell interrupts: all of its writes count
  const values = lines.slice(2).map((line) => line.replaceAll("\\|", "").split(" | ")[2]);
  const wanted = accesses.filter(([op]) => op === "W").map((words) => words[5]);
  expect(values).toEqual(wanted);
  const first = lines[2]!.split(" | ");
  expect(first[1]).toBe("IMC");
});

test("initialisation-table: ends where interrupts begin", () => {
  const { lines } = run("initialisation-table", join(project, "test/data/e1000.mmt"));
  // e1000_open() enables the interrupts last
  expect(lines.at(-1)).toMatch(/\| IMS \| 0x9d \| .* \| e1000_open \|$/);
});

test("poll-finder: finds the poll that was put into the kernel's text, and nothing else", () => {
  const lines = kernelText.split("\n");
  const at = lines.findIndex((line) => line.startsWith("R ") && offsetOf(line.split(" ")) === 0x8n);
  const words = lines[at]!.split(" ");
  const waiting = [...words.slice(0, 5), `0x${(BigInt(words[5]!) & ~2n).toString(16)}`, ...words.slice(6)].join(" ");
  const later = (line: string, us: number) => line.replace(/(\d+\.\d{3})\d{3}/, (_, head) => `${head}${100 + us}`);
  lines.splice(at, 1, ...[0, 1, 2, 3].map((us) => later(waiting, us)), later(lines[at]!, 24));
  const log = join(folder, "waiting.txt");
  writeFileSync(log, lines.join("\n"));
  const { status, lines: told } = run("poll-finder", log);
  expect(status).toBe(0);
  expect(told).toEqual([expect.stringMatching(/^STATUS: 5 reads in 24\.0 µs, until bit 1 set \(LU\); by /), "1 polls"]);
  expect(run("poll-finder", kernelLog).lines).toEqual(["0 polls"]);
});

test("fifo-dump: every byte that was written to the register, in order", () => {
  const eecd = accesses.filter((words) => words[0] === "W" && offsetOf(words) === 0x10n);
  expect(eecd.length).toBeGreaterThan(5_000);
  const wanted = Buffer.alloc(4 * eecd.length);
  eecd.forEach((words, index) => {
    wanted.writeUInt32LE(Number(words[5]), 4 * index);
  });
  expect(run("fifo-dump", kernelLog, "write", "EECD").output.equals(wanted)).toBe(true);
  expect(run("fifo-dump", kernelLog, "write", "BAR0+0x10").output.equals(wanted)).toBe(true);
});

test("compare-runs: a log that lacks a write and has another value", () => {
  const lines = kernelText.split("\n");
  const writeTo = (offset: bigint) =>
    lines.findIndex((line) => line.startsWith("W ") && offsetOf(line.split(" ")) === offset);
  lines.splice(writeTo(0x400n), 1);
  const rctl = writeTo(0x100n);
  const words = lines[rctl]!.split(" ");
  const before = words[5]!;
  words[5] = "0x12345678";
  lines[rctl] = words.join(" ");
  const broken = join(folder, "broken.txt");
  writeFileSync(broken, lines.join("\n"));
  const { status, lines: told } = run("compare-runs", kernelLog, broken);
  expect(status).toBe(1);
  expect(told).toContainEqual(expect.stringMatching(/^- write TCTL 0x8 by /));
  expect(told).toContainEqual(expect.stringMatching(new RegExp(`^! write RCTL ${before} by .*, then 0x12345678$`)));
  expect(told.at(-1)).toMatch(/1 written differently, 1 missing, 0 extra$/);
  expect(run("compare-runs", kernelLog, kernelLog).status).toBe(0);
});

test("live-follow: prints what is written while it is recorded, and ends with the recorder", async () => {
  const path = join(folder, "growing.mmt");
  const writer = await createTrace(path);
  const child = spawn(process.execPath, [compiled("live-follow"), path], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const told: string[] = [];
  let value = 0;
  const write = async () => {
    value += 1;
    await writer.add({ kind: "write", time_s: value, address: 0x1000n, width_bytes: 4, value: BigInt(value) });
    await writer.flush();
  };
  await write();
  let rest = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      told.push(line);
      // each is written only when the one before was printed: it is shown as it comes
      if (value < 4) await write();
      else if (told.length === 4) await writer.close();
    }
  }
  expect(await exited).toBe(0);
  expect(told).toEqual([1, 2, 3, 4].map((at) => `${at}.000000 0x1000 = 0x${at}`).concat("ended: 4 accesses"));
});

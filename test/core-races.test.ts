// tier: quick
// The core's order of accesses and its ring, with several CPUs at once: access.c, ring.c, device.c and rewritten.c run in a process whose CPUs
// take turns by a seed, which brings up what needs luck on a machine. Each check notices the mistake that it is for.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { sourcePath, warningFlags } from "../dev/core-proof/native.js";
import { projectDirectory } from "../src/base/paths.js";

const core = join(projectDirectory, "core");
const sources = ["access.c", "ring.c", "device.c"].map((name) => `kernel/${name}`);
const rewritten = "kernel/rewritten.c";
const folder = mkdtempSync(join(tmpdir(), "mmiostrider-races-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cpuFlags = new Set(/^flags\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" "));

/** Builds a program of the harness with this copy of core/. The kernel's headers all become the harness's one. */
function buildProgram(name: "races" | "drain", directory: string): string {
  const program = join(mkdtempSync(join(folder, "program-")), name);
  const harness = dirname(sourcePath(directory, `harness/${name}.c`));
  const headers = readdirSync(join(directory, "kernel")).filter((file) => file.endsWith(".h"));
  const texts = [...sources, rewritten, ...headers.map((file) => `kernel/${file}`)].map((file) =>
    readFileSync(join(directory, file), "latin1"),
  );
  for (const [, header] of texts.join("").matchAll(/<((?:linux|asm)\/[\w/-]+\.h)>/g)) {
    const path = join(dirname(program), "include", header!);
    mkdirSync(dirname(path), { recursive: true });
    const made = join(harness, "kernel-headers", header!);
    writeFileSync(path, `#include "${existsSync(made) && header!.startsWith("asm/") ? made : "kernel-words.h"}"\n`);
  }
  // the kernel's code has unused parameters and compares signs; the red zone: drain.c pushes flags beside the compiler's back
  const flags = ["-O2", "-std=gnu11", ...warningFlags, "-Wno-unused-parameter", "-Wno-sign-compare", "-mno-red-zone"];
  const include = [join(dirname(program), "include"), harness, directory, join(directory, "kernel")];
  const own = [...sources, ...(name === "races" ? [rewritten] : [])];
  const files = [`harness/${name}.c`, "harness/cpus.c", ...own].map((file) => sourcePath(directory, file));
  const options = ["-D__KERNEL__", ...include.map((path) => `-I${path}`), "-o", program];
  execFileSync("gcc", [...flags, ...options, ...files]);
  return program;
}

/** Runs a scenario with so many orders of turns; returns its lines. */
function runRaces(scenario: string, directory = core): string[] {
  return execFileSync(buildProgram("races", directory), [scenario, "1000"], { encoding: "utf8" }).trimEnd().split("\n");
}

type Change = [from: string, to: string];

/** Returns a copy of core/ in which texts of a file are others. */
function coreWith(file: string, changes: readonly Change[]): string {
  const copy = mkdtempSync(join(folder, "core-"));
  cpSync(core, copy, { recursive: true });
  let text = readFileSync(join(copy, file), "utf8");
  for (const [from, to] of changes) {
    expect(text.split(from).length, `${file} has the text to change once`).toBe(2);
    text = text.replace(from, to);
  }
  writeFileSync(join(copy, file), text);
  return copy;
}

test.each(["whole", "short"])("%s: every record is read, each loss is told once, and none is left", (scenario) => {
  const told = runRaces(scenario).join("\n");
  const [, accesses, losses] = /^ok (\d+) (\d+)$/.exec(told) ?? [];
  expect(Number(losses), told).toBeGreaterThan(1_000);
  expect(Number(accesses)).toBeGreaterThan(Number(losses) + 1_000);
});

test("no access stands before its site's symbol, though several CPUs come upon the site at once", () => {
  expect(runRaces("symbols")).toEqual(["ok 24000 0"]);
});

test.each(["vector", "string"])(
  "with relaxed order a read-modify-write undoes no store by a %s that lies across the bytes of its lock",
  (scenario) => {
    expect(runRaces(scenario)).toEqual(["ok 20000 0"]);
  },
);

const giveBack = "\t\tatomic64_add(due, &mms_ring.lost_unsaid);\n";
const untilWritten = "if (!there || there == unwritten)";

test.each<[what: string, scenario: string, file: string, changes: Change[], noticed: RegExp]>([
  [
    "each writer that sees a loss tells it",
    "whole",
    "ring.c",
    [
      ["due = atomic64_xchg(&mms_ring.lost_unsaid, 0);\n\tif", "due = 1;\n\tif"],
      [giveBack, ""],
      ["lost.value[0] = due;", "lost.value[0] = atomic64_xchg(&mms_ring.lost_unsaid, 0);"],
    ],
    /^seed \d+: a loss of nothing is told$/,
  ],
  [
    "a loss that was taken isn't given back where there is no room to tell it",
    "whole",
    "ring.c",
    [[giveBack, ""]],
    /^seed \d+: \d+ of \d+ losses are told$/,
  ],
  [
    "the last losses aren't told",
    "whole",
    "ring.c",
    [["\t\t\tring_put_last_loss();", "\t\t\t(void)ring_put_last_loss;"]],
    /^seed \d+: \d+ of \d+ losses are told$/,
  ],
  [
    "the reader takes the recording's end for the ring's",
    "whole",
    "ring.c",
    [["\t\t\tsynchronize_rcu();\n", ""]],
    /^seed \d+: \d+ of \d+ records are read$/,
  ],
  [
    "the short way makes records of accesses behind the recording's end",
    "short",
    "rewritten.c",
    [["!smp_load_acquire(&mms_ring.recording) ||", ""]],
    /^seed \d+: \d+ of \d+ records are read$/,
  ],
  [
    "the short way loads the wrong register's value",
    "short",
    "rewritten.c",
    [
      [
        "mms_device_load(mms_access_real(address), value, bytes)",
        "mms_device_load(mms_access_real(address + 64), value, bytes)",
      ],
    ],
    /^seed \d+: a register has the value /,
  ],
  [
    "a symbol on its way into the ring counts as written",
    "symbols",
    "ring.c",
    [[untilWritten, "if (there == unwritten)\n\t\t\treturn NULL;\n\t\tif (!there)"]],
    /^seed \d+: access \d+ stands before its symbol$/,
  ],
  ...["vector", "string"].map((scenario): [string, string, string, Change[], RegExp] => [
    `only the first address's lock is taken by a ${scenario}`,
    scenario,
    "access.c",
    [["rol64(BIT_ULL(count) - 1, first % MMS_LOCKS_MAX)", "BIT_ULL(first % MMS_LOCKS_MAX)"]],
    new RegExp(`^seed \\d+: a store by a ${scenario} is undone$`),
  ]),
])("a mistake is noticed: %s", (_what, scenario, file, changes, noticed) => {
  expect(runRaces(scenario, coreWith(`kernel/${file}`, changes))[0]).toMatch(noticed);
});

/** enum mms_memory_type and enum mms_store_kind. */
const [uncached, writeCombining, writeBack] = [0, 1, 3];
const [plain, nonTemporal, direct] = [0, 1, 2];

const drains: [what: string, type: number, kind: number, bytes: number, count: number, words: string, flag?: string][] =
  [
    ["a register", uncached, plain, 4, 1, "store unlock"],
    ["a vector", uncached, plain, 16, 1, "store unlock"],
    ["a string", uncached, plain, 8, 4, "store store store store unlock"],
    ["a non-temporal store", uncached, nonTemporal, 4, 1, "store drain unlock"],
    ["a non-temporal vector", uncached, nonTemporal, 16, 1, "store drain unlock"],
    ["a direct store", uncached, direct, 8, 1, "store drain unlock", "movdiri"],
    ["64 bytes at once", uncached, direct, 64, 1, "store drain unlock", "movdir64b"],
    ["a register, write-combining", writeCombining, plain, 4, 1, "store drain unlock"],
    ["a vector, write-combining", writeCombining, plain, 16, 1, "store drain unlock"],
    ["a string, write-combining", writeCombining, plain, 8, 4, "store store store store drain unlock"],
    ["a register, write-back", writeBack, plain, 1, 1, "store drain unlock"],
  ];
const possible = drains.filter(([, , , , , , flag]) => flag === undefined || cpuFlags.has(flag));

function drainWords(directory: string): [what: string, words: string][] {
  const input = possible.map(([, ...numbers]) => `${numbers.slice(0, 4).join(" ")}\n`).join("");
  const lines = execFileSync(buildProgram("drain", directory), { input, encoding: "utf8" }).split("\n");
  return possible.map(([what], at) => [what, lines[at]!]);
}

test("stores that may linger in a buffer are drained before the lock goes to the next CPU, others aren't", () => {
  expect(drainWords(core)).toEqual(possible.map(([what, , , , , words]) => [what, words]));
});

const sfence = '\t\tasm volatile("sfence" : : : "memory");\n';
const note = "\t\taccess_note_store(cpu, ";
const wide = "bytes,\n\t\t\t\t\tcpu->machine.store_kind);\n";
const drained = possible.filter(([, , , , , words]) => words.includes("drain")).map(([what]) => what);

test.each<[what: string, from: string, to: string, noticed: string[]]>([
  ["nothing is drained", sfence, "", drained],
  [
    "the lock goes first",
    "\tif (cpu->drain) {",
    "\tif (cpu->locks)\n\t\taccess_unlock_all(cpu->locks);\n\tif (cpu->drain) {",
    possible.map(([what]) => what),
  ],
  [
    "a vector's stores aren't noted",
    `${wide}${note}a.mapping);\n`,
    wide,
    ["a non-temporal vector", "64 bytes at once", "a vector, write-combining"],
  ],
  ["a string's stores aren't noted", `${note}cpu->mapping);\n`, "", ["a string, write-combining"]],
  [
    "lingering mappings aren't noted",
    " ||\n\t    m->memory_type != MMS_UNCACHED",
    " || !m",
    drained.filter((what) => what.includes(", write-")),
  ],
])("a mistake is noticed: %s", (_what, from, to, noticed) => {
  const words = drainWords(coreWith("kernel/access.c", [[from, to]]));
  const wrong = words.filter(([, line], at) => line !== possible[at]![5]).map(([what]) => what);
  expect(wrong).toEqual(noticed.filter((what) => possible.some((row) => row[0] === what)));
});

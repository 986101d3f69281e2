// tier: quick
// The records' clock goes on where a suspend has set the time-stamp counter back. QEMU's counter goes on through a suspend and
// can't be set, so that the lab can't show it: here the core's own arithmetic gets the numbers of a counter that begins anew.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sourcePath, warningFlags } from "../dev/core-proof/native.js";
import { projectDirectory } from "../src/base/paths.js";

const core = join(projectDirectory, "core");
const folder = mkdtempSync(join(tmpdir(), "mmiostrider-clock-"));
const program = join(folder, "clock");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  const source = sourcePath(core, "harness/clock.c");
  const include = [`-I${dirname(source)}/kernel-headers`, `-I${core}`];
  execFileSync("gcc", ["-O2", "-std=gnu11", ...warningFlags, ...include, "-o", program, source]);
});

interface Waking {
  offset?: bigint;
  before: bigint;
  slept_ns: bigint;
  counter: bigint;
  khz: bigint;
}

function clockAfter({ offset = 0n, before, slept_ns, counter, khz }: Waking): bigint {
  const input = [offset & 0xffff_ffff_ffff_ffffn, before, slept_ns, counter, khz].join(" ");
  return BigInt(execFileSync(program, { input, encoding: "utf8" }).trim());
}

const second_ns = 1_000_000_000n;
const khz = 2_400_000n;
const second = khz * 1_000n;

test("a counter that goes on is the clock", () => {
  expect(clockAfter({ before: 90n * second, slept_ns: 5n * second_ns, counter: 95n * second, khz })).toBe(95n * second);
  // it may have stood still meanwhile
  expect(clockAfter({ before: 90n * second, slept_ns: 5n * second_ns, counter: 90n * second, khz })).toBe(90n * second);
});

test("a counter that begins anew is continued, with the time asleep; and again, from where it was", () => {
  const once = clockAfter({ before: 90n * second, slept_ns: 5n * second_ns, counter: 123n, khz });
  expect(once).toBe(95n * second);
  const offset = once - 123n;
  const before = 10n * second + offset;
  expect(clockAfter({ offset, before, slept_ns: second_ns / 2n, counter: 7n, khz })).toBe(before + second / 2n);
});

test("years asleep don't overflow", () => {
  const slept_ns = 3n * 365n * 86_400n * second_ns + 1n;
  const [before, fast] = [90n * 5_000_000_000n, 5_000_000n];
  expect(clockAfter({ before, slept_ns, counter: 0n, khz: fast })).toBe(before + (slept_ns * fast) / 1_000_000n);
});

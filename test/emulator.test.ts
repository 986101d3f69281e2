// tier: quick
// The emulator against the CPU: a sample of `npm run check:emulator`, and proof that it notices mistakes.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "iced-x86";
import { describe, expect, test } from "vitest";
import { checkEmulator } from "../dev/core-proof/emulator-check.js";
import { projectDirectory } from "../src/base/paths.js";

const sample = 400_000;
const cpuFlags = new Set(/^flags\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" "));

describe("the emulator does what the CPU does", () => {
  for (const seed of [20261123, Date.now() % 2 ** 32]) {
    test(`seed ${seed}`, async () => {
      const outcome = await checkEmulator(sample, seed);
      expect(outcome.mismatches).toEqual([]);
      expect(outcome.cases).toBeGreaterThan(sample / 2);
      const executed = [...outcome.forms].filter(([, form]) => form.executed > 0).map(([code]) => Code[code]!);
      const evex = executed.filter((name) => name.startsWith("EVEX_"));
      expect(executed.length - evex.length).toBeGreaterThan(600);
      // only a CPU with AVX-512 can execute its instructions
      if (cpuFlags.has("avx512bw")) expect(evex.length).toBeGreaterThan(50);
    });
  }
});

/** Typical mistakes: a sample must notice each. */
const mistakes: [what: string, file: string, from: string, to: string][] = [
  [
    "XADD returns the sum",
    "emulate.c",
    "mms_write_register(m, i, i->reg, bytes, old);\n\treturn MMS_DONE;\n}\n\n/* The destination",
    "mms_write_register(m, i, i->reg, bytes, sum);\n\treturn MMS_DONE;\n}\n\n/* The destination",
  ],
  ["32-bit results keep the upper half", "operand.h", "} else if (bytes >= 4) {", "} else if (bytes >= 8) {"],
  ["AH is taken for SPL", "operand.h", "number >= 4 && number < 8", "number >= 5 && number < 8"],
  ["a bit's number reaches too far", "emulate.c", "bytes == 8 ? 6 :", "bytes == 8 ? 5 :"],
  ["backward strings go forward", "emulate-string.c", "? *r - step : *r + step", "? *r + step : *r + step"],
  ["a backward string is announced as a forward one", "emulate-string.c", "down ? -stride : stride", "stride"],
  ["a load clears less than the CPU", "emulate-vector.c", "CLEAR_TO_16 : CLEAR_ALL", "CLEAR_TO_16 : CLEAR_TO_16"],
  ["the carry is lost", "arithmetic.c", "return (flags & 0xff) << 8;", "return (flags & 0xfe) << 8;"],
  [
    "an access is split",
    "emulate.c",
    "uint64_t value = mms_load(m, address, bytes);",
    "uint64_t value = mms_load(m, address, 1) | mms_load(m, address, bytes);",
  ],
];

describe("a mistake in the emulator is noticed", () => {
  for (const [what, file, from, to] of mistakes) {
    test(what, async () => {
      const work = mkdtempSync(join(tmpdir(), "mmiostrider-mistake-"));
      try {
        cpSync(join(projectDirectory, "core"), work, { recursive: true });
        const text = readFileSync(join(work, file), "utf8");
        expect(text.split(from).length, `${file} has the text to change once`).toBe(2);
        writeFileSync(join(work, file), text.replace(from, to));
        const outcome = await checkEmulator(sample, 1, work);
        expect(outcome.mismatchCount).toBeGreaterThan(0);
        expect(outcome.mismatches[0]!.disassembly).not.toBe("");
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    });
  }
});

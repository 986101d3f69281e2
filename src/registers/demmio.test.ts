// tier: quick
// envytools' demmio and we decode the same mmiotrace log with the same database: both give the same names of registers,
// the same fields and values, for GPUs of all generations. Some of demmio's answers are kept for machines without it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type GpuAccess, gpuAccesses, gpuLog, runDemmio, whyNoDemmio } from "../../dev/test-support/gpu-log.js";
import { rnndbDirectory, whyNoRnndb } from "../../dev/test-support/rnndb.js";
import { hexText } from "./bits.js";
import type { RegisterDatabase } from "./database.js";
import { loadDatabase } from "./files/load.js";
import { partOf, type RegisterPart } from "./match.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-demmio-"));
afterAll(() => rmSync(folder, { recursive: true }));

const whyNot = whyNoRnndb() ?? whyNoDemmio();

/** Parses demmio's answer for each access: a `NAME = VALUE` a register. */
function demmioAnswers(text: string): string[][] {
  const answers: string[][] = [];
  for (const line of text.split("\n")) {
    const one = /^\[0\] [\d.]+ MMIO\d+ [RW] 0x[0-9a-f]+ 0x[0-9a-f]+ (.*) (?:<=|=>) (.*)$/.exec(line);
    const more = /^ {20,}(.*) (?:<=|=>) (.*)$/.exec(line);
    if (one !== null) answers.push([`${one[1]} = ${one[2]}`]);
    else if (more !== null) answers.at(-1)?.push(`${more[1]} = ${more[2]}`);
  }
  return answers;
}

/** Makes our answer for an access: a `NAME = VALUE` a register; only the name if the values can't agree. */
function ourAnswer(database: RegisterDatabase, { width_bytes, offset, value }: GpuAccess): string[] {
  const match = database.lookup(0, offset, width_bytes);
  if (match === undefined) return [`${hexText(offset)} = ${hexText(value)}`];
  const words = database.describe(0, offset, width_bytes, BigInt(value), { style: "full" });
  const first = match.parts[0] as RegisterPart;
  // demmio takes an access that begins inside a register for one at its beginning.
  if (first.registerOffset_bytes > 0) return [`${first.name} = `];
  if (match.parts.length > 1) {
    // Here a zero is 0x0, because nothing else is beside it.
    return (words as string).split("; ").map((part) => part.replace(": ", " = ").replace(/ = 0x0$/, " = 0"));
  }
  if (first.register !== undefined) {
    const { kind } = database.view("NV_MMIO").typeOf(first.register);
    // demmio falls through from booleans to floating-point numbers, and takes bits that an access doesn't cover for zero.
    if ((kind === "boolean" && value > 1) || first.register.width_bits > 8 * width_bytes) return [`${match.name} = `];
  }
  return [`${match.name} = ${words ?? hexText(Number(partOf(BigInt(value), first)))}`];
}

/** Corrects demmio's answer: arrays without a name are `(null)` there, and eat an index. */
function corrected(answer: readonly string[], ours: readonly string[]): string[] {
  // When demmio splits four bytes, it also names bytes without a register.
  const named = answer.length === 1 ? answer : answer.filter((part) => !/^\S+\+0x[0-9a-f]+ = /.test(part));
  return named.map((part, n) => {
    const renamed = part.replace(/\(null\)(\[\w+\])\.(\w+)/, "$2$1");
    return ours[n]?.endsWith(" = ") ? renamed.replace(/ = .*/, " = ") : renamed;
  });
}

/** Compares demmio's answers with ours: returns the accesses on which they differ, and the number of whole comparisons. */
function compare(accesses: readonly GpuAccess[], theirs: readonly (readonly string[])[]) {
  let database = loadDatabase(join(rnndbDirectory, "nv_mmio.xml"), "NV_MMIO");
  let whole = 0;
  const different: { access: string; theirs: string; ours: string }[] = [];
  for (const [n, access] of accesses.entries()) {
    if (!access.write) database = database.observe(0, access.offset, access.width_bytes, BigInt(access.value));
    const ours = ourAnswer(database, access);
    const their = corrected(theirs[n] as string[], ours);
    if (!ours[0]!.endsWith(" = ")) whole += 1;
    if (ours.join("; ") !== their.join("; ")) {
      const { offset, width_bytes, value } = access;
      const text = `${width_bytes} bytes at ${hexText(offset)}: ${hexText(value)}`;
      different.push({ access: text, theirs: their.join("; "), ours: ours.join("; ") });
    }
  }
  return { different, whole };
}

// envytools isn't in Debian: demmio itself runs only if somebody has built it; its answers below are checked everywhere.
if (whyNot === undefined) {
  describe("demmio", () => {
    it.each([0x10, 0x17, 0x35, 0x43, 0x50, 0x84, 0xa3, 0xc0, 0xd9, 0xe4])("names the same on chipset %i", (chipset) => {
      const accesses = gpuAccesses(rnndbDirectory, chipset, 5_000);
      const log = join(folder, "log.txt");
      writeFileSync(log, gpuLog(accesses));
      const theirs = demmioAnswers(runDemmio(log, rnndbDirectory));
      expect(theirs.length).toBe(accesses.length);
      const { different, whole } = compare(accesses, theirs);
      expect(different).toEqual([]);
      expect(whole).toBeGreaterThan(0.95 * accesses.length);
      expect(new Set(theirs.flat()).size).toBeGreaterThan(1_000);
    });
  });
}

// Columns: chipset, operation, bytes, offset in BAR 0, value, demmio's answer. Made from the logs above; the values are
// random, and the names only as complete as demmio's.
describe.skipIf(whyNoRnndb() !== undefined)(`demmio's answers, kept${whyNoRnndb() ? ` (${whyNoRnndb()})` : ""}`, () => {
  const rows = readFileSync(new URL("../../test/data/demmio-answers.tsv", import.meta.url), "utf8")
    .trim()
    .split("\n");

  it("are ours", () => {
    expect(rows.length).toBeGreaterThan(50);
    for (const row of rows) {
      const [chipset, operation, width, offset, value, answer] = row.split("\t") as [
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      const database = loadDatabase(join(rnndbDirectory, "nv_mmio.xml"), "NV_MMIO").withVariant("chipset", chipset);
      const access = {
        write: operation === "W",
        width_bytes: Number(width),
        offset: Number(offset),
        value: Number(value),
      };
      const ours = ourAnswer(database, access);
      expect(ours.join("; "), row).toBe(corrected(answer.split("; "), ours).join("; "));
    }
  });
});

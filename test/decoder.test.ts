// tier: quick
// The core's decoder against iced-x86: a sample of `npm run check:decoder`, and proof that it notices mistakes.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ByteStrings, Random, stringStride } from "../dev/core-proof/byte-strings.js";
import { runComparisonJob } from "../dev/core-proof/comparison-job.js";
import { CoreDecoder, coreDecoder, DecodeResults, Field } from "../dev/core-proof/decode-batch.js";
import { DecoderComparison } from "../dev/core-proof/decoder-comparison.js";
import { collectRows } from "../dev/core-proof/opcode-rows.js";
import { renderOpcodeFiles } from "../dev/core-proof/opcode-table.js";
import { shrinkMismatch } from "../dev/core-proof/shrink-mismatch.js";
import { casesByTier } from "../dev/test-support/tiers.js";
import { projectDirectory } from "../src/base/paths.js";
import { prepareKernel } from "../src/lab/kernel-package.js";

const scratch = mkdtempSync(join(tmpdir(), "mmiostrider-decoder-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const core = join(projectDirectory, "core");
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Some made-up strings with their offsets. */
function madeUpStrings(seed: number, count: number): { bytes: Uint8Array; offsets: Uint32Array } {
  const bytes = new Uint8Array(count * stringStride);
  new ByteStrings(new Random(seed)).fill(bytes, count);
  return { bytes, offsets: Uint32Array.from({ length: count }, (_, n) => n * stringStride) };
}

test("core/*.gen.h are what `npm run generate` writes", () => {
  for (const [name, content] of Object.entries(renderOpcodeFiles())) {
    // not toBe(content): printing the difference of files this long takes minutes
    expect(readFileSync(join(core, name), "utf8") === content, `core/${name} is current`).toBe(true);
  }
});

/** Fixed seeds, beside which each run takes a new one: a failure names its seed. */
const fixedSeeds = [1, 2];
const freshSeed = Date.now() % 2 ** 32;
const met = new Set<number>();

test.each([...fixedSeeds, freshSeed])(
  "strings of seed %i decode as iced-x86 decodes them",
  { timeout: 120_000 },
  (seed) => {
    const outcome = runComparisonJob({ kind: "strings", seed, stream: 0, count: 1_000_000 });
    expect(outcome.mismatches.map(shrinkMismatch).map((found) => ({ ...found, bytes: hex(found.bytes) }))).toEqual([]);
    expect(outcome.compared).toBe(1_000_000);
    for (const [code, count] of outcome.met.entries()) if (count > 0 && seed !== freshSeed) met.add(code);
  },
);

test("the strings of the fixed seeds reach every form in the table", () => {
  expect(
    collectRows()
      .filter((row) => !met.has(row.code))
      .map((row) => row.text),
  ).toEqual([]);
});

test("the C library's code decodes as iced-x86 decodes it", () => {
  // compiled code, and string functions written by hand for every vector extension
  const outcome = runComparisonJob({ kind: "files", files: ["/lib/x86_64-linux-gnu/libc.so.6"] });
  expect(outcome.mismatches.map((found) => ({ ...found, bytes: hex(found.bytes) }))).toEqual([]);
  expect(outcome.valid).toBeGreaterThan(300_000);
}, 60_000);

test.each(casesByTier({ quick: [], rest: ["debian:6.1"] }))(
  "the whole text of %s decodes as iced-x86 decodes it",
  { timeout: 15 * 60_000 },
  async (name) => {
    const kernel = await prepareKernel(name, (line) => process.stderr.write(`${line}\n`));
    const outcome = runComparisonJob({ kind: "files", files: [kernel.imagePath] });
    expect(outcome.mismatches.map((found) => ({ ...found, bytes: hex(found.bytes) }))).toEqual([]);
    expect(outcome.valid).toBeGreaterThan(3_000_000);
  },
);

test("an instruction needs all of its bytes, and none of those behind it", () => {
  const count = 50_000;
  const { bytes, offsets } = madeUpStrings(4, count);
  const whole = new DecodeResults(count);
  coreDecoder().batch(bytes, offsets, new Uint8Array(count).fill(15), count, whole);
  const lengths = Uint8Array.from({ length: count }, (_, n) => whole.byte(n, Field.length));
  const exact = new DecodeResults(count);
  coreDecoder().batch(bytes, offsets, lengths, count, exact);
  expect(Buffer.compare(new Uint8Array(exact.buffer), new Uint8Array(whole.buffer))).toBe(0);
  const cut = new DecodeResults(count);
  coreDecoder().batch(
    bytes,
    offsets,
    lengths.map((length) => Math.max(0, length - 1)),
    count,
    cut,
  );
  expect(cut.bytes.every((byte) => byte === 0)).toBe(true);
});

/** Mistakes that a decoder could have: the text in decode.c, and its replacement. */
const mistakes = [
  ["the displacement isn't sign-extended", "decode_sign_extend(decode_take(c), 1)", "decode_take(c)"],
  ["REX.X is forgotten", "((sib >> 3) & 7) | (i->rex & 2) << 2", "((sib >> 3) & 7)"],
  ["a second segment prefix doesn't win", "i->segment = MMS_SEGMENT_GS;", "i->segment = MMS_SEGMENT_FS;"],
  ["REX counts before a prefix", "if (decode_is_legacy_prefix(byte) || (byte & 0xf0) == 0x40)\n\t\t\t\tcontinue;", ""],
  ["rbp is taken for no base behind a SIB byte", "if (rm == 5 && mod == 0)\n\t\t\ti->base = MMS_NO_REGISTER;", ""],
  [
    "66 outweighs F3",
    "if (c->situation & MANDATORY_NONE)\n\t\t\tc->situation ^= MANDATORY_NONE | MANDATORY_66;",
    "c->situation = MANDATORY_66;",
  ],
  ["EVEX's disp8 isn't scaled", "*= decode_disp8_scale(row->tuple, i->broadcast);", "*= 1;"],
  ["a moffs address is short", "i->prefixes & MMS_PREFIX_67 ? 4 : 8);", "4);"],
  ["LOCK is let through", "!(row->flags & MMS_O_LOCK) || !i->memory", "!i->memory"],
] as const;

test.each(mistakes)("the comparison notices when %s", (_, right, wrong) => {
  const directory = mkdtempSync(join(scratch, "core-"));
  cpSync(core, directory, { recursive: true });
  const source = readFileSync(join(core, "decode.c"), "utf8");
  expect(source.split(right).length).toBe(2);
  writeFileSync(join(directory, "decode.c"), source.replace(right, wrong));
  const flags = ["-Wno-unused-function"];
  const comparison = new DecoderComparison(new CoreDecoder({ name: "decode-mistaken", directory, flags }));
  try {
    const count = 32_768;
    const { bytes, offsets } = madeUpStrings(5, count);
    expect(comparison.compare(bytes, offsets, count, 1).length).toBe(1);
  } finally {
    comparison.free();
  }
});

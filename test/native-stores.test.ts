// tier: quick
// A store keeps its kind on its way to the device: non-temporal and direct ones stay so, and 64 bytes that a driver stores at once
// arrive at once. The core's emulator and core/kernel/device.c run on this CPU, step by step; iced-x86 names the instructions.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Decoder, DecoderOptions, Mnemonic } from "iced-x86";
import { afterAll, expect, test } from "vitest";
import { sourcePath, warningFlags } from "../dev/core-proof/native.js";
import { projectDirectory } from "../src/base/paths.js";

const core = join(projectDirectory, "core");
const sources = [
  ...["harness/native-stores.c", "harness/plain-machine.c", "kernel/device.c", "arithmetic.c", "decode.c", "move.c"],
  ...["emulate.c", "emulate-string.c", "emulate-vector.c"],
];
const folder = mkdtempSync(join(tmpdir(), "mmiostrider-stores-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cpuFlags = new Set(/^flags\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" "));

/** Bytes of an instruction that stores to [rdi]; the native instruction that makes the store; the CPU's flag for both. */
const stores: [text: string, bytes: string, native: keyof typeof Mnemonic, flag?: string][] = [
  ["mov [rdi], al", "8807", "Mov"],
  ["mov [rdi], eax", "8907", "Mov"],
  ["movnti [rdi], eax", "0fc307", "Movnti"],
  ["movnti [rdi], rax", "480fc307", "Movnti"],
  ["movdiri [rdi], eax", "0f38f907", "Movdiri", "movdiri"],
  ["movdiri [rdi], rax", "480f38f907", "Movdiri", "movdiri"],
  ["movdqu [rdi], xmm0", "f30f7f07", "Movdqu"],
  ["movntdq [rdi], xmm0", "660fe707", "Movntdq"],
  ["movntps [rdi], xmm0", "0f2b07", "Movntdq"],
  ["vmovdqu [rdi], ymm0", "c5fe7f07", "Vmovdqu", "avx"],
  ["vmovntdq [rdi], ymm0", "c5fde707", "Vmovntdq", "avx"],
  ["vmovdqu64 [rdi], zmm0", "62f1fe487f07", "Vmovdqu64", "avx512f"],
  ["vmovntdq [rdi], zmm0", "62f17d48e707", "Vmovntdq", "avx512f"],
  ["movdir64b rdi, [rsi]", "660f38f83e", "Movdir64b", "movdir64b"],
];

/** Builds the program of this copy of core/, and returns its answers: the names of the instructions that stored, for each store. */
function storingInstructions(directory: string, instructions: readonly string[]): string[][] {
  const program = join(mkdtempSync(join(folder, "program-")), "native-stores");
  const harness = sourcePath(core, "harness/native-stores.c").replace(/\/[^/]*$/, "");
  const include = [`-I${harness}/kernel-headers`, `-I${directory}`, `-I${harness}`];
  // the red zone: the program pushes flags beside the compiler's back
  const flags = ["-O2", "-std=gnu11", ...warningFlags, "-mno-red-zone", "-Wl,--wrap=mms_machine_store"];
  execFileSync("gcc", [...flags, ...include, "-o", program, ...sources.map((name) => sourcePath(directory, name))]);
  const output = execFileSync(program, { input: instructions.map((bytes) => `${bytes}\n`).join(""), encoding: "utf8" });
  return output
    .split("\n")
    .slice(0, -1)
    .map((line) =>
      line
        .split(" ")
        .filter((word) => word !== "")
        .map(mnemonicOf),
    );
}

function mnemonicOf(bytes: string): string {
  const decoder = new Decoder(64, Buffer.from(bytes, "hex"), DecoderOptions.None);
  const instruction = decoder.decode();
  const name = Mnemonic[instruction.mnemonic]!;
  instruction.free();
  decoder.free();
  return name;
}

const possible = stores.filter(([, , , flag]) => flag === undefined || cpuFlags.has(flag));

test("each store is made by one instruction of its kind", () => {
  const made = storingInstructions(
    core,
    possible.map(([, bytes]) => bytes),
  );
  const answers = possible.map(([text], at) => [text, made[at]]);
  expect(answers).toEqual(possible.map(([text, , native]) => [text, [native]]));
  for (const [text] of stores.filter((store) => !possible.includes(store)))
    process.stderr.write(`this CPU hasn't: ${text}\n`);
});

const direct = "case MMS_MN_MOVDIRI: case MMS_MN_MOVDIR64B:\n\t\treturn MMS_STORE_DIRECT;";
const whole = "bytes == 64 && (kind == MMS_STORE_DIRECT || !avx512)";
const mistakes: [what: string, file: string, from: string, to: string, noticed: string][] = [
  ["64 bytes at once become a vector's store", "kernel/device.c", whole, "bytes == 64 && !avx512", "660f38f83e"],
  ["direct stores become plain ones", "emulate.c", direct, direct.replace("DIRECT;", "PLAIN;"), "0f38f907"],
  [
    "a non-temporal store becomes a plain one",
    "emulate.c",
    "return MMS_STORE_NON_TEMPORAL;",
    "return MMS_STORE_PLAIN;",
    "660fe707",
  ],
];

const noticeable = mistakes.filter(([, , , , bytes]) => possible.some((store) => store[1] === bytes));

test.each(noticeable)("a mistake is noticed: %s", (_what, file, from, to, bytes) => {
  const store = possible.find((row) => row[1] === bytes)!;
  const copy = mkdtempSync(join(folder, "core-"));
  cpSync(core, copy, { recursive: true });
  const text = readFileSync(join(copy, file), "utf8");
  expect(text.split(from).length, `${file} has the text to change once`).toBe(2);
  writeFileSync(join(copy, file), text.replace(from, to));
  expect(storingInstructions(copy, [bytes])[0]).not.toEqual([store[2]]);
});

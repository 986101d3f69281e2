// Compares the emulator with the CPU: builds harness/emulate-check.c, feeds it byte strings, reads its findings.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Code, Decoder, Formatter, FormatterSyntax, Instruction, RflagsBits } from "iced-x86";
import { UserError } from "../../src/base/errors.js";
import { cacheDirectory, projectDirectory } from "../../src/base/paths.js";
import { ByteStrings, Random, stringStride } from "./byte-strings.js";
import { headersBeside, sourcePath, warningFlags } from "./native.js";

/** The core's emulator, and the program that compares it. */
export const emulatorSources = [
  "decode.c",
  "emulate.c",
  "move.c",
  "emulate-string.c",
  "emulate-vector.c",
  "arithmetic.c",
] as const;

/** Entries of the table of undefined flags; more than iced-x86 has forms. */
const formsMax = 8192;
/** Random states that each string is tried in: see harness/emulate-check.c. */
const statesAString = 6;
const stringsABatch = 4096;

export interface EmulatorMismatch {
  /** iced-x86's name of the form, and the instruction as text. */
  form: string;
  bytes: string;
  disassembly: string;
  /** The difference, and the shrunk state that shows it. */
  what: string;
}

export interface EmulatorOutcome {
  /** Instructions executed both ways. */
  cases: number;
  mismatchCount: number;
  /** The first few. */
  mismatches: EmulatorMismatch[];
  /** By iced-x86's Code: the times that the emulator executed the form, and the times that it refused. */
  forms: Map<Code, { executed: number; refused: number }>;
}

/**
 * Runs about `count` cases. Only instructions with a memory operand count.
 *
 * `sourceDirectory` is core/ or a changed copy of it. Throws UserError when there is no compiler, or the program fails.
 */
export async function checkEmulator(
  count: number,
  seed: number,
  sourceDirectory = join(projectDirectory, "core"),
): Promise<EmulatorOutcome> {
  const program = buildProgram(sourceDirectory);
  const child = spawn(program, [String(seed), String(statesAString)], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  child.stdin.on("error", () => {}); // `ended` reports the program's end
  child.stdin.write(undefinedFlags());
  const strings = new ByteStrings(new Random(seed));
  // nearly a seventh of all strings and states are cases
  const batches = Math.ceil((count * 7.2) / statesAString / stringsABatch);
  for (let batch = 0; batch < batches && child.exitCode === null; batch++) {
    const bytes = new Uint8Array(stringsABatch * stringStride);
    strings.fill(bytes, stringsABatch);
    if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, "drain"), ended]);
  }
  child.stdin.end();
  const [code, signal] = await ended;
  if (code !== 0) {
    throw new UserError(`the emulator's comparison ended with ${signal ?? `exit code ${code}`}, seed ${seed}`);
  }
  return parse(output);
}

/** Compiles the program into the cache, or beside a changed copy of the sources. */
function buildProgram(directory: string): string {
  const own = directory === join(projectDirectory, "core");
  const sources = [...emulatorSources, "harness/plain-machine.c", "harness/emulate-check.c"];
  const hash = createHash("sha256");
  for (const name of [...sources, ...headersBeside(directory)]) {
    hash.update(name).update(readFileSync(sourcePath(directory, name)));
  }
  const place = own ? cacheDirectory("native") : directory;
  const path = join(place, `emulate-check-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(path)) return path;
  // fixed addresses below 2 GiB need a program that isn't moved; the emulator's pushes must not meet a red zone
  const flags = ["-O2", "-std=gnu11", "-mno-red-zone", "-fno-pie", "-no-pie", ...warningFlags];
  const unfinished = `${path}.${process.pid}`;
  try {
    execFileSync(
      process.env.CC ?? "gcc",
      [...flags, `-I${directory}`, "-o", unfinished, ...sources.map((name) => sourcePath(directory, name))],
      {
        stdio: ["ignore", "pipe", "pipe"],
        encoding: "utf8",
      },
    );
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw new UserError(
      `harness/emulate-check.c could not be compiled: ${(error as { stderr?: string }).stderr ?? "no compiler"}`,
      { advice: "apt-get install gcc", cause: error },
    );
  }
  renameSync(unfinished, path);
  return path;
}

/** Returns the flags that each form leaves undefined, as the CPU's flag bits: these needn't be equal. */
function undefinedFlags(): Buffer {
  const bits: [iced: number, cpu: number][] = [
    [RflagsBits.CF, 1 << 0],
    [RflagsBits.PF, 1 << 2],
    [RflagsBits.AF, 1 << 4],
    [RflagsBits.ZF, 1 << 6],
    [RflagsBits.SF, 1 << 7],
    [RflagsBits.DF, 1 << 10],
    [RflagsBits.OF, 1 << 11],
  ];
  const table = new Uint32Array(formsMax);
  const instruction = new Instruction();
  for (const code of Object.values(Code)) {
    if (typeof code !== "number") continue;
    instruction.code = code;
    const undefinedBits = instruction.rflagsUndefined;
    for (const [iced, cpu] of bits) if ((undefinedBits & iced) !== 0) table[code]! |= cpu;
  }
  instruction.free();
  return Buffer.from(table.buffer);
}

function parse(output: string): EmulatorOutcome {
  const outcome: EmulatorOutcome = { cases: 0, mismatchCount: 0, mismatches: [], forms: new Map() };
  for (const line of output.split("\n")) {
    const [kind, first, second, third] = line.split(" ");
    if (kind === "form") {
      outcome.forms.set(Number(first), { executed: Number(second), refused: Number(third) });
    } else if (kind === "cases") outcome.cases = Number(first);
    else if (kind === "mismatches") outcome.mismatchCount = Number(first);
    else if (kind === "mismatch") {
      outcome.mismatches.push({
        form: Code[Number(first)] ?? `form ${first}`,
        bytes: second!,
        disassembly: disassemble(second!),
        what: line.split(" ").slice(3).join(" "),
      });
    }
  }
  return outcome;
}

function disassemble(bytes: string): string {
  const decoder = new Decoder(64, Buffer.from(bytes, "hex"), 0);
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const instruction = decoder.decode();
  try {
    return formatter.format(instruction);
  } finally {
    instruction.free();
    formatter.free();
    decoder.free();
  }
}

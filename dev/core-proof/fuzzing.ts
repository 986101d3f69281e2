// The fuzzing targets of harness/, their build, and their corpora. `npm run check:fuzz` is check-fuzz.ts.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError, messageOf, UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { emulatorSources } from "./emulator-check.js";
import { sourcePath, warningFlags } from "./native.js";

/** One target: a C file that defines LLVMFuzzerTestOneInput, with what it tests. */
export interface FuzzTarget {
  name: string;
  /** See sourcePath. */
  sources: string[];
  /** Path, below the project, of the inputs to start from: one a line in hexadecimal. */
  corpus: string;
  /** Most bytes of an input. */
  inputBytesMax: number;
}

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: "decode",
    sources: ["decode.c", "harness/fuzz-decode.c"],
    corpus: "test/corpus/decode.txt",
    inputBytesMax: 20,
  },
  {
    name: "emulate",
    sources: [...emulatorSources, "harness/plain-machine.c", "harness/fuzz-emulate.c"],
    corpus: "test/corpus/emulate.txt",
    inputBytesMax: 31,
  },
];

/** Debian's packages needed to build with clang and libFuzzer. */
export const clangPackages = [
  { tool: "clang", debianPackage: "clang" },
  { tool: "clang", debianPackage: "libclang-rt-14-dev" },
] as const;

const sanitizers = "address,undefined";

/**
 * Builds a target, with libFuzzer (clang only) or with a main that reads inputs from standard input.
 *
 * @returns the program's path below `into`. Throws UserError when the compiler refuses or is missing.
 */
export function buildFuzzTarget(
  target: FuzzTarget,
  compiler: string,
  driver: "libfuzzer" | "stdin",
  into: string,
): string {
  const core = join(projectDirectory, "core");
  const program = join(into, `fuzz-${target.name}-${driver}`);
  const sources = driver === "stdin" ? [...target.sources, "harness/fuzz-main.c"] : target.sources;
  const flags = [
    "-O1",
    "-g",
    "-std=gnu11",
    "-fno-omit-frame-pointer",
    `-fsanitize=${driver === "libfuzzer" ? "fuzzer," : ""}${sanitizers}`,
    "-fno-sanitize-recover=all",
    ...warningFlags,
  ];
  try {
    execFileSync(
      compiler,
      [...flags, `-I${core}`, "-o", program, ...sources.map((source) => sourcePath(core, source))],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
  } catch (error) {
    throw new UserError(`the fuzzing target ${target.name} could not be built with ${compiler}: ${messageOf(error)}`, {
      ...(driver === "libfuzzer" ? { advice: "apt-get install clang libclang-rt-14-dev" } : {}),
      cause: error,
    });
  }
  return program;
}

/** Reads the inputs of a corpus file. Throws FormatError at a line that is no hexadecimal string. */
export function readCorpus(target: FuzzTarget): Buffer[] {
  const file = join(projectDirectory, target.corpus);
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line, index) => {
      if (!/^([0-9a-f]{2})*$/.test(line)) throw new FormatError(file, "not hexadecimal", { line: index + 1 });
      return Buffer.from(line, "hex");
    });
}

/** Writes a corpus file: shortest input first, none twice. */
export function writeCorpus(target: FuzzTarget, inputs: Buffer[]): void {
  const lines = [...new Set(inputs.map((input) => input.toString("hex")))];
  lines.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  writeFileSync(join(projectDirectory, target.corpus), `${lines.join("\n")}\n`);
}

/** Writes inputs into a directory, a file each, as libFuzzer expects them. */
export function spreadCorpus(inputs: Buffer[], directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const input of inputs) writeFileSync(join(directory, createHash("sha1").update(input).digest("hex")), input);
}

/** Reads the inputs in a directory of libFuzzer's. */
export function gatherCorpus(directory: string): Buffer[] {
  return readdirSync(directory).map((name) => readFileSync(join(directory, name)));
}

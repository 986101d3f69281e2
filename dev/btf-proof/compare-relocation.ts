// Modules with a section .BTF.base, which libbpf makes of real modules, matched with a kernel by us and by libbpf: both must find the
// same types, or both refuse. libbpf comes from the root of a newer Debian in which the newest kernel's modules are compiled.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError, messageOf, UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { type OtherRoot, runToolIn } from "../../src/base/run-in-root.js";
import { Btf } from "../../src/btf/btf.js";
import { decompressedFile } from "../core-proof/executable-code.js";
import type { KernelTypes } from "./compare-kernel.js";
import { rawLines } from "./raw-dump.js";

const tool_ms = 10 * 60_000;

export interface RelocationComparison {
  /** Modules whose types both match with the kernel's. */
  fitting: number;
  /** Modules that both refuse. */
  refused: number;
  /** Of the fitting modules. */
  types: number;
  differences: string[];
}

/** Compares the matching of `modules`, which were built for `kernel`, with the types of `other`. `folder` is for files. Throws UserError. */
export async function compareRelocation(
  root: OtherRoot,
  kernel: KernelTypes,
  other: KernelTypes,
  modules: readonly string[],
  folder: string,
): Promise<RelocationComparison> {
  const work = mkdtempSync(join(folder, "relocation-"));
  try {
    const program = buildProgram(root, work);
    const files = modules.map((file, number) => {
      const path = join(work, `${number}.ko`);
      writeFileSync(path, decompressedFile(file));
      return path;
    });
    const { code, stdout, stderr } = await runToolIn(
      { ...root, folders: [folder] },
      program,
      [kernel.path, other.path, work, ...files],
      { timeout_ms: tool_ms },
    );
    if (code !== 0) throw new UserError(`libbpf failed: ${stderr.trim().split("\n").at(-1)}`);
    const verdicts = stdout.trimEnd().split("\n");
    return addUp(modules.map((name, number) => compareModule(other, name, join(work, `${number}`), verdicts[number])));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Compiles distill.c with this machine's compiler, for the root's libbpf. Returns the program's path. */
function buildProgram(root: OtherRoot, work: string): string {
  const library = join(root.path, "usr/lib/x86_64-linux-gnu/libbpf.so.1");
  if (!existsSync(library)) throw new UserError(`${root.path} has no libbpf`);
  const program = join(work, "distill");
  const source = join(projectDirectory, "dev/btf-proof/distill.c");
  execFileSync("gcc", ["-Wall", "-Werror", "-o", program, source, library, "-Wl,--allow-shlib-undefined"]);
  return program;
}

/** The outcome for one module: its number of types, or undefined if both refuse it, and the differences. */
interface Outcome {
  types: number | undefined;
  differences: string[];
}

function compareModule({ btf: base }: KernelTypes, name: string, path: string, verdict: string | undefined): Outcome {
  const sections = ["--update-section", `.BTF=${path}.split`, "--add-section", `.BTF.base=${path}.base`];
  execFileSync("objcopy", [...sections, `${path}.ko`, `${path}.distilled.ko`]);
  let ours: Btf;
  try {
    ours = Btf.read(readFileSync(`${path}.distilled.ko`), { name, base });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return {
      types: undefined,
      differences: verdict === "fits" ? [`only we refuse: ${messageOf(error)}`] : [],
    };
  }
  if (verdict !== "fits") return { types: undefined, differences: [`${name}: only libbpf refuses it`] };
  const theirs = Btf.read(readFileSync(`${path}.relocated`), { name, base });
  const linesOf = (btf: Btf) =>
    Array.from({ length: btf.count - btf.firstId }, (_, index) => rawLines(btf, btf.firstId + index)).flat();
  const [own, wanted] = [linesOf(ours), linesOf(theirs)];
  const differences = wanted.flatMap((line, index) =>
    own[index] === line ? [] : [`${name}: libbpf has ${line}, we have ${own[index]}`],
  );
  if (own.length !== wanted.length) differences.push(`${name}: libbpf has ${wanted.length} lines, we ${own.length}`);
  return { types: ours.count - ours.firstId, differences };
}

function addUp(outcomes: readonly Outcome[]): RelocationComparison {
  const fitting = outcomes.filter(({ types }) => types !== undefined);
  return {
    fitting: fitting.length,
    refused: outcomes.length - fitting.length,
    types: fitting.reduce((sum, { types }) => sum + types!, 0),
    differences: outcomes.flatMap(({ differences }) => differences),
  };
}

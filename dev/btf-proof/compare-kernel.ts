// A kernel's and its modules' types, read by us and by bpftool, and compared: the files that this takes, and the tools.
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../src/base/errors.js";
import { runTool } from "../../src/base/run-tool.js";
import { Btf } from "../../src/btf/btf.js";
import { ElfFile } from "../../src/elf/elf-file.js";
import type { NeededTool } from "../../src/lab/debian.js";
import { decompressedFile, kernelOfBootImage } from "../core-proof/executable-code.js";
import { compiledChecks } from "./compiled-declarations.js";
import { compareRaw, type RawComparison } from "./raw-dump.js";

export const btfTools: readonly NeededTool[] = [
  { tool: "bpftool", debianPackage: "bpftool" },
  { tool: "gcc", debianPackage: "gcc" },
  { tool: "xz", debianPackage: "xz-utils" },
];

const tool_ms = 10 * 60_000;

/** Runs a tool. Throws UserError with its first line of complaint if it fails. */
async function output(tool: string, parameters: readonly string[]): Promise<string> {
  const result = await runTool(tool, parameters, { timeout_ms: tool_ms });
  if (result.code === 0) return result.stdout;
  throw new UserError(`${tool} ${parameters.join(" ")} failed: ${result.stderr.trim().split("\n")[0]}`);
}

/** The kernel's types in a file of their own, as bpftool wants them, and as we read them. */
export interface KernelTypes {
  path: string;
  btf: Btf;
  opening_ms: number;
}

/** Takes the types out of a boot image, and puts them into a file in `folder`. Throws FormatError and UserError. */
export function kernelTypes(imagePath: string, folder: string): KernelTypes {
  const elf = new ElfFile(imagePath, kernelOfBootImage(imagePath, decompressedFile(imagePath)));
  const section = elf.section(".BTF");
  if (section === undefined) throw new UserError(`${imagePath} has no section .BTF`);
  const bytes = elf.content(section).slice();
  const path = join(folder, `${basename(imagePath)}.btf`);
  writeFileSync(path, bytes);
  const begin_ms = performance.now();
  const btf = Btf.read(bytes, { name: path });
  return { path, btf, opening_ms: performance.now() - begin_ms };
}

/** Compares all types of a kernel with bpftool's dump of them. */
export async function compareKernel({ path, btf }: KernelTypes): Promise<RawComparison> {
  return compareRaw(btf, await output("bpftool", ["btf", "dump", "file", path, "format", "raw"]));
}

/** Compares a module's types; undefined for a module that has none. */
export async function compareModule(
  kernel: KernelTypes,
  file: string,
  folder: string,
): Promise<RawComparison | undefined> {
  const content = decompressedFile(file);
  if (new ElfFile(file, content).section(".BTF") === undefined) return undefined;
  const path = join(folder, "module.ko");
  writeFileSync(path, content);
  const btf = Btf.read(content, { name: file, base: kernel.btf });
  return compareRaw(btf, await output("bpftool", ["-B", kernel.path, "btf", "dump", "file", path, "format", "raw"]));
}

/** Has gcc hold our declarations and sizes against bpftool's definitions. Returns numbers, gcc's complaints, and the file. */
export async function compileDeclarations({ path, btf }: KernelTypes, folder: string) {
  const definitions = await output("bpftool", ["btf", "dump", "file", path, "format", "c"]);
  const { source, ...counts } = compiledChecks(btf);
  const file = join(folder, "declarations.c");
  writeFileSync(file, definitions + source);
  return { counts, file, complaints: await complaintsOfGcc(file) };
}

/** Compiles a file. Returns the errors, the first twenty of them. */
export async function complaintsOfGcc(file: string): Promise<string[]> {
  const options = ["-w", "-std=gnu11", "-ffreestanding", "-fsyntax-only", "-fmax-errors=20"];
  const { code, stderr } = await runTool("gcc", [...options, file], { timeout_ms: tool_ms });
  const complaints = stderr.split("\n").filter((line) => line.includes("error:"));
  return code === 0 ? complaints : [`gcc ended with ${code}`, ...complaints];
}

/** Looks for each named type by its name. Returns the types that weren't found. */
export function typesNotFound(btf: Btf): string[] {
  const lost: string[] = [];
  for (let id = btf.firstId; id < btf.count; id += 1) {
    const name = btf.nameOf(id);
    if (name !== undefined && !btf.idsNamed(name, btf.kindOf(id)).includes(id)) lost.push(`[${id}] ${name}`);
  }
  return lost;
}

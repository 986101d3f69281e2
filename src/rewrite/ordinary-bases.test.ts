// tier: quick
// Pointers to ordinary memory are told from those that may lead to a device, in code that gas has assembled.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ElfFile } from "../elf/elf-file.js";
import { flowGraph } from "./flow-graph.js";
import { readModuleCode } from "./module-code.js";
import { ordinaryBases } from "./ordinary-bases.js";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-bases-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Returns, for each instruction of the code that has a comment, whether its base is ordinary: the comment says it, too. */
function judged(source: string): { found: string[]; said: string[] } {
  const path = join(folder, "code.o");
  execFileSync("as", ["-o", path, "-"], { input: `${source}\n` });
  const module = readModuleCode(new ElfFile("code.o", readFileSync(path)));
  const graphs = flowGraph(module);
  const parts = [...graphs].map(([index, graph]) => ({ graph, content: module.code[index]!.content }));
  const ordinary = ordinaryBases(parts).flatMap((section) => [...section]);
  const lines = source.split("\n").filter((line) => /^\s+[a-z]/.test(line));
  const said = lines.map((line) => /# (device|ordinary)$/.exec(line)?.[1] ?? "");
  return { found: said.map((word, place) => (word === "" ? "" : ordinary[place] === 1 ? "ordinary" : "device")), said };
}

test.each([
  ["moves alone", ["mov 8(%rdi), %eax # device", "mov %eax, 12(%rdi) # device", "mov 16(%rdi), %rax # device"]],
  ["something is added", ["mov 8(%rdi), %eax # ordinary", "addl $1, 4(%rdi) # ordinary", "ret"]],
  ["an extension, and a constant", ["movzbl 8(%rdi), %eax # ordinary", "movl $1, 4(%rsi) # ordinary", "ret"]],
  ["a pointer's way", ["mov 8(%rdi), %rax # ordinary", "mov 4(%rax), %ecx # device", "mov (%rdi), %edx # ordinary"]],
  ["a pointer that is stored", ["mov %rsi, 8(%rdi) # ordinary", "mov (%rsi), %ecx # device", "ret"]],
  ["a loaded number", ["mov 8(%rdi), %rax # device", "add $5, %eax", "mov 4(%rsi), %ecx # device", "ret"]],
  ["another value of the register", ["mov 8(%rdi), %eax # device", "mov %rsi, %rdi", "incl 4(%rdi) # ordinary", "ret"]],
  ["a copy", ["mov %rdi, %rbx", "mov 8(%rdi), %eax # ordinary", "call other", "incl 4(%rbx) # ordinary", "ret"]],
  [
    "another place in the object",
    ["lea 64(%rdi), %rdx", "mov (%rdx), %eax # ordinary", "incl (%rdi) # ordinary", "ret"],
  ],
  ["a step", ["incl (%rdi) # ordinary", "add $8, %rdi", "mov (%rdi), %eax # ordinary", "ret"]],
  ["an unknown distance", ["incl (%rdi) # ordinary", "add %rsi, %rdi", "mov (%rdi), %eax # device", "ret"]],
  ["a call changes it", ["incl (%rdi) # ordinary", "call other", "mov (%rdi), %eax # device", "ret"]],
  ["a call keeps it", ["incl (%rbx) # ordinary", "call other", "mov (%rbx), %eax # ordinary", "ret"]],
  ["the tracer's call", ["incl (%rdi) # ordinary", "call __fentry__", "mov (%rdi), %eax # ordinary", "ret"]],
  [
    "the stack, data, and what the CPU's data points to",
    [
      ...["lea 8(%rsp), %rax", "mov (%rax), %ecx # ordinary", "lea data(%rip), %rax", "mov (%rax), %ecx # ordinary"],
      ...["mov %gs:8, %rax", "mov (%rax), %ecx # ordinary", "mov %gs:(%rdx), %eax # device", "ret"],
    ],
  ],
  [
    "another branch",
    [...["test %esi, %esi", "jne 1f", "mov (%rdi), %eax # ordinary", "ret", "1: incl (%rdi) # ordinary", "ret"]],
  ],
  ["a parameter", ["mov (%rdi), %eax # ordinary", "call 1f", "ret", "1: incl (%rdi) # ordinary", "ret"]],
  [
    "hints, and instructions for devices",
    [...["prefetcht0 (%rdi) # device", "clflush (%rdi) # device", "movnti %eax, (%rdi) # device", "ret"]],
  ],
  ["base and index can't be told apart", ["incl (%rdi,%rsi) # device", "incl (%rdx,%rsi,4) # ordinary", "ret"]],
])("%s", (_, lines) => {
  const { found, said } = judged(`f:\n${lines.map((line) => line.replace(/^(1:)? ?/, " $1 ")).join("\n")}`);
  expect(found).toEqual(said);
});

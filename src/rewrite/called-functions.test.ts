// tier: quick
// Calls of the kernel's functions that access a device get a check of the device's address; what isn't such a call is left alone.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ElfFile } from "../elf/elf-file.js";
import { readRelocations } from "../elf/relocations.js";
import { accessCheck } from "./access-check.js";
import { rewriteModule } from "./rewrite-module.js";
import { site_bytes, siteOffset } from "./sites.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-calls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, "code.o");

function rewritten(source: string, options: { sites?: string[] } = {}): Uint8Array {
  // the reference gives the section a symbol of its own, which compilers' sections have
  const input = `.type f,@function\nf:\n${source}\n.size f,.-f\n.data\n.quad .text\n`;
  execFileSync("as", ["-o", path, "-"], { input });
  return rewriteModule("x.ko", readFileSync(path), accessCheck({ crc: undefined, ...options })).bytes;
}

/** The instructions of .text as objdump prints them: with the symbols that they refer to, without addresses. */
function disassembled(bytes: Uint8Array): string[] {
  writeFileSync(path, bytes);
  const lines = execFileSync("objdump", ["-drw", "-j", ".text", path], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const [, text, symbol] = /^ +[0-9a-f]+:\t[^\t]*\t([^\t]*)(?:\t.* R_X86_64_\w+\t(.*))?$/.exec(line) ?? [];
    if (text === undefined) return [];
    return [symbol === undefined ? text.trim().replace(/ +/, " ") : `${text.trim().split(" ")[0]} ${symbol}`];
  });
}

test("a call has a check of the argument with the device's address, and returns behind the call", () => {
  expect(disassembled(rewritten("call ioread32\n call iowrite8\n ret"))).toEqual([
    ...["bt $0x3e,%rdi", "jae 21 <mms_stubs.text>", "call ioread32-0x4"],
    ...["bt $0x3e,%rsi", "jae 35 <mms_stubs.text+0x14>", "call iowrite8-0x4", "ret"],
    ...["push mms_sites", "call mms_rewritten_access_2-0x4", "jmp b <f+0xb>", "jmp 10 <f+0x10>"],
    ...["push mms_sites+0x28", "call mms_rewritten_access_2-0x4", "jmp 1b <f+0x1b>", "jmp 20 <f+0x20>"],
  ]);
});

test("for a function that ends with a jump to such a function the core returns", () => {
  expect(disassembled(rewritten("jmp memcpy_toio"))).toEqual([
    ...["bt $0x3e,%rdi", "jae 10 <mms_stubs.text>", "jmp memcpy_toio-0x4"],
    ...["push mms_sites", "call mms_rewritten_access_2-0x4", "jmp b <f+0xb>"],
  ]);
});

test.each([
  ["a pointer", "mov $ioread32,%rax\n lea ioread32(%rip),%rdx\n ret"],
  ["a call by a pointer", "call *ioread32(%rip)\n call __x86_indirect_thunk_rax\n ret"],
  ["a jump on a condition", "jne ioread32\n ret"],
  ["another function of the kernel's", "call memset_io\n call memcpy\n call ioread8_\n ret"],
  ["the module's own function of this name", "call ioread32\n ret\n.globl ioread32\nioread32: ret"],
])("%s is left alone", (_, source) => {
  const bytes = rewritten(source);
  expect(new ElfFile("x.ko", bytes).section(".mms_sites")!.size_bytes).toBe(0);
  expect(disassembled(bytes).join("\n")).not.toMatch(/\bbt\b|push/);
});

test("a check may be wanted for one call", () => {
  const lines = disassembled(rewritten("call ioread8\n call ioread8\n ret", { sites: ["f+0x5"] }));
  expect(lines.slice(0, 3)).toEqual(["call ioread8-0x4", "bt $0x3e,%rdi", expect.stringMatching(/^jae /)]);
});

test.each([
  ["ioread16be", { kind: 33, bytes: 2, base: 7, reg: 0, regBytes: 4 }],
  ["iowrite16", { kind: 34, bytes: 2, base: 6, reg: 7, regBytes: 2 }],
  ["__ioread64_hi_lo", { kind: 32, bytes: 8, base: 7, reg: 0, regBytes: 8 }],
  ["iowrite64be_lo_hi", { kind: 35, bytes: 8, base: 6, reg: 7, regBytes: 8 }],
  ["ioread8_rep", { kind: 36, bytes: 1, base: 7, reg: 6, regBytes: 0 }],
  ["iowrite32_rep", { kind: 37, bytes: 4, base: 7, reg: 6, regBytes: 0 }],
  ["memcpy_fromio", { kind: 38, bytes: 0, base: 6, reg: 7, regBytes: 0 }],
  ["__ioread32_copy", { kind: 38, bytes: 4, base: 6, reg: 7, regBytes: 0 }],
  ["__iowrite64_copy", { kind: 39, bytes: 8, base: 7, reg: 6, regBytes: 0 }],
])("the site of a call of %s", (name, fields) => {
  const elf = new ElfFile("x.ko", rewritten(`nop\n call ${name}\n jmp ${name}`));
  const table = Buffer.from(elf.content(elf.section(".mms_sites")!));
  const relocations = readRelocations(elf, elf.section(".rela.mms_sites")!);
  const symbols = elf.symbols();
  for (const [place, jump] of [0, 1].entries()) {
    const start = place * site_bytes;
    const expected = { ...fields, length: 5, index: 0xff, jump };
    const found = Object.fromEntries(
      Object.keys(expected).map((key) => [key, table[start + siteOffset[key as keyof typeof siteOffset]]]),
    );
    expect(found).toEqual(expected);
    const [own, called] = [2 * place, 2 * place + 1];
    expect(relocations.offsets[own]).toBe(start + siteOffset.instruction);
    expect(relocations.addends[own]).toBe([12, 28][place]);
    expect(relocations.offsets[called]).toBe(start + siteOffset.function);
    expect(symbols[relocations.symbols[called]!]!.name).toBe(name);
    expect(relocations.addends[called]).toBe(0);
  }
});

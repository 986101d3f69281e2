// tier: quick
// A module's text, assembled by gas: classes by where the operand in memory can be, and functions with vector instructions.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ElfFile } from "../../src/elf/elf-file.js";
import { readModuleText } from "./module-text.js";

test("general, string, vector and non-temporal instructions are counted by their operand's place", () => {
  const source = `
    .type plain, @function
    plain: mov (%rax), %ecx; mov %ecx, 8(%rbp,%rcx,4); mov %ecx, 8(%rsp); mov %gs:40, %rax; mov value(%rip), %eax
      lea (%rax), %rcx; nopl (%rax); mov %ecx, %edx; prefetchnta (%rax); rep movsl; ret
    .type copy, @function
    copy: movntdqa (%rsi), %xmm0; movntdqa 16(%rsi), %xmm1; movaps %xmm0, (%rdi); movaps %xmm1, (%rsp); addps %xmm0, %xmm1; ret
    .type last, @function
    last: movnti %eax, (%rdi); flds (%rsi); vmovdqu (%rax), %ymm0; ret
    .data
    value: .long 1`;
  const folder = mkdtempSync(join(tmpdir(), "mmiostrider-text-"));
  try {
    const path = join(folder, "x.o");
    execFileSync("as", ["-o", path, "-"], { input: `${source}\n` });
    expect(readModuleText("x", new ElfFile(path, readFileSync(path)))).toEqual({
      module: "x",
      classes: {
        general: { byRegister: 2, elsewhere: 2 },
        string: { byRegister: 1, elsewhere: 0 },
        "non-temporal": { byRegister: 3, elsewhere: 0 },
        vector: { byRegister: 2, elsewhere: 1 },
        x87: { byRegister: 1, elsewhere: 0 },
      },
      functions: [
        { name: "copy", forms: { "movntdqa xmm1, m128": 2, "movaps m128, xmm1": 1 } },
        { name: "last", forms: { "movnti m32, r32": 1, "fld m32fp": 1, "vmovdqu ymm1, m256": 1 } },
      ],
      undecoded: [],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// tier: quick
// Code that gas and gcc made is rewritten and runs as before; hazards are kept right one by one, or refused with their place.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { probe } from "../../dev/test-support/rewrite-probe.js";
import { ElfFile } from "../elf/elf-file.js";
import type { Instrumentation } from "./instrumentation.js";
import { RewriteRefusal } from "./refusal.js";
import { rewriteModule } from "./rewrite-module.js";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-rewrite-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function assembled(source: string): Buffer {
  const path = join(folder, "code.o");
  execFileSync("as", ["-o", path, "-"], { input: `${source}\n` });
  return readFileSync(path);
}

/** The instructions of one section, as objdump prints them after rewriting: without addresses. */
function disassembled(bytes: Uint8Array, section = ".text"): string[] {
  const path = join(folder, "rewritten.o");
  writeFileSync(path, bytes);
  return execFileSync("objdump", ["-drw", "-j", section, path], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^ +[0-9a-f]+:\t[^\t]*\t(.*)$/.exec(line)?.[1]?.trim().replace(/\s+/g, " "))
    .filter((line) => line !== undefined);
}

const rewritten = (source: string, instrumentation: Instrumentation = probe) =>
  rewriteModule("x.ko", assembled(source), instrumentation).bytes;

describe("programs", () => {
  const source = `
    int printf(const char *, ...);
    struct node { struct node *next; int value; char text[9]; };
    static int sum(struct node *n) { int s = 0; for (; n; n = n->next) s += n->value * n->text[3]; return s; }
    static int choose(int k, int *p) {
      switch (k) { case 0: return p[1]; case 1: return p[2] + 1; case 2: return p[3] * 5; case 3: return p[0] - 7;
                   case 4: return p[2] << 2; case 5: *p = 9; return 1; default: return -1; }
    }
    int (*const table[])(int, int *) = { choose };
    int main(void) {
      struct node nodes[40]; int numbers[4] = { 3, 1, 4, 1 }; int total = 0;
      for (int i = 0; i < 40; i++) { nodes[i].next = i < 39 ? &nodes[i + 1] : 0; nodes[i].value = i * i; nodes[i].text[3] = i; }
      for (int k = 0; k < 9; k++) total = total * 3 + table[0](k, numbers);
      printf("%d %d\\n", sum(nodes), total);
      return 0;
    }`;

  test.each([["-O0"], ["-O2"], ["-O2", "-fno-jump-tables"], ["-Os"], ["-O3", "-mno-sse"]])(
    "%s prints the same after rewriting",
    (...options) => {
      const path = join(folder, "program");
      const flags = ["-fno-pic", "-fno-pie", "-fno-asynchronous-unwind-tables", "-fcf-protection=none"];
      execFileSync("gcc", ["-c", ...flags, ...options, "-x", "c", "-o", `${path}.o`, "-"], { input: source });
      const run = (object: string) => {
        execFileSync("gcc", ["-no-pie", "-o", path, object]);
        return execFileSync(path, { encoding: "utf8" });
      };
      const { bytes, inserted } = rewriteModule("program.o", readFileSync(`${path}.o`), probe);
      writeFileSync(`${path}-rewritten.o`, bytes);
      expect(inserted.length).toBeGreaterThan(5);
      expect(run(`${path}-rewritten.o`)).toBe(run(`${path}.o`));
    },
  );
});

describe("layout", () => {
  test("short jumps over inserted code stay short while they reach, and become long ones else", () => {
    const bytes = rewritten(`
      f: jne 1f
         mov (%rax),%ecx
      1: jmp f
         jne 2f
         jmp 3f
         .rept 40
         mov (%rax),%ecx
         .endr
      2: ret
         .rept 40
         nop
         .endr
      3: ret`);
    const [first, , , second, third, fourth] = disassembled(bytes);
    expect([first, second]).toEqual([expect.stringMatching(/^jne /), expect.stringMatching(/^jmp /)]);
    const elf = new ElfFile("x.ko", bytes);
    const text = Buffer.from(elf.content(elf.section(".text")!));
    // jne +5, nopl (%rax), mov (%rax),%ecx, jmp -9; then the long forms
    expect(text.subarray(0, 9).toString("hex")).toBe("7505" + "0f1f00" + "8b08" + "ebf7");
    expect(text.subarray(9, 11).toString("hex")).toBe("0f85");
    expect(text[15]).toBe(0xe9);
    expect([third, fourth]).toEqual([expect.stringMatching(/^jne /), expect.stringMatching(/^jmp /)]);
  });

  test("a conditional jump keeps its hint when it becomes a long one", () => {
    const far = (jump: string) => `f: ${jump} 1f\n.rept 40\n mov (%rax),%ecx\n.endr\n1: ret`;
    const textOf = (jump: string) => {
      const elf = new ElfFile("x.ko", rewritten(far(jump)));
      return Buffer.from(elf.content(elf.section(".text")!))
        .subarray(0, 7)
        .toString("hex");
    };
    // 40 instructions of two bytes, each with three in front
    expect(textOf("jbe,pn")).toBe("2e0f86c8000000");
    expect(textOf("ja,pt")).toBe("3e0f87c8000000");
    expect(disassembled(rewritten(far("jbe,pn")))[0]).toMatch(/^jbe,pn +[0-9a-f]+ /);
  });

  test("a jump to an instruction goes to what is in front of it", () => {
    const bytes = rewritten("f: mov (%rax),%ecx\n dec %ecx\n jne f\n call f\n ret");
    expect(disassembled(bytes)).toEqual([
      ...["nopl (%rax)", "mov (%rax),%ecx", "dec %ecx", "jne 0 <f>", "call 0 <f>", "ret"],
    ]);
  });

  test("functions stay aligned to 16 bytes, and their symbols have the new sizes", () => {
    const bytes = rewritten(`
      .macro function name
      .balign 16
      .globl \\name
      .type \\name,@function
      \\name: mov (%rax),%ecx
      mov (%rdx),%ecx
      ret
      .size \\name,.-\\name
      .endm
      function one
      function two
      .text; function three`);
    const symbols = new ElfFile("x.ko", bytes).symbols().filter(({ type }) => type === 2);
    expect(symbols.map(({ name, value, size_bytes }) => [name, Number(value) % 16, size_bytes])).toEqual([
      ...[
        ["one", 0, 11],
        ["two", 0, 11],
        ["three", 0, 11],
      ],
    ]);
  });

  test("a jump label of two bytes gets five where its target moves out of reach", () => {
    const label = (distance: number) => `
      f: .byte 0x66, 0x90
         .rept ${distance}
         mov (%rax),%ecx
         .endr
      1: ret
      .pushsection __jump_table,"aw"
      .long f - ., 1b - .
      .quad 0
      .popsection`;
    expect(disassembled(rewritten(label(5)))[0]).toBe("xchg %ax,%ax");
    expect(disassembled(rewritten(label(40)))[0]).toBe("nopl 0x0(%rax,%rax,1)");
  });

  test("tables mean the instruction, or what is in front of it", () => {
    const bytes = rewritten(`
      f: ret
      1: mov (%rax),%ecx
      2: ret
      .pushsection .smp_locks,"a"
      .long 1b - .
      .popsection
      .pushsection __ex_table,"a"
      .long 1b - ., 1b - ., 1
      .popsection`);
    const path = join(folder, "tables.o");
    writeFileSync(path, bytes);
    const listed = execFileSync("readelf", ["-rW", path], { encoding: "utf8" });
    const addends = [...listed.matchAll(/\.text \+ (\w+)/g)].map(([, addend]) => addend);
    // f at 0, inserted code at 1, the instruction at 4
    expect(addends).toEqual(["4", "4", "1"]);
  });

  test("debugging information about code is emptied, the rest is kept", () => {
    const bytes = rewritten(`f: mov (%rax),%ecx
      .pushsection .debug_line_made_up
      .quad f
      .popsection
      .pushsection .comment
      .ascii "kept"
      .popsection`);
    const elf = new ElfFile("x.ko", bytes);
    expect(elf.section(".debug_line_made_up")!.size_bytes).toBe(0);
    expect(elf.section(".rela.debug_line_made_up")!.size_bytes).toBe(0);
    expect(Buffer.from(elf.content(elf.section(".comment")!)).toString()).toBe("kept");
  });
});

describe("refused, with section and offset", () => {
  test.each<[string, string, string, number, string]>([
    [
      "a section that isn't known",
      'f: ret\n.pushsection .surprise,"a"\n.quad 0, f\n.popsection',
      ...([".surprise", 8, "a reference to code in a section that isn't known"] as const),
    ],
    ["data among the code", "f: ret\n .byte 0x06, 0x07", ".text", 1, "no instruction, or one that isn't known here"],
    [
      "a pointer into an instruction",
      "f: mov $1,%eax\n ret\n.data\n.quad f + 2",
      ...([".data", 0, "a reference into the middle of the instruction at .text+0x2"] as const),
    ],
    ["a jump into an instruction", "f: jmp . + 3\n mov $1,%eax", ".text", 0, "a jump into an instruction's middle"],
    [
      "a loop that doesn't reach any more",
      "1:\n.rept 30\n mov (%rax),%ecx\n.endr\n loop 1b",
      ...([".text", 60, "a loop or jump on rcx, which has no long form, and its target moves out of reach"] as const),
    ],
    [
      "a short jump in what the kernel replaces",
      `1: jne 2f
       3: .rept 30
       mov (%rax),%ecx
       .endr
       2: ret
       .pushsection .altinstructions,"a"
       .long 1b - ., 4f - .
       .word 1
       .byte 3b - 1b, 1
       .popsection
       .pushsection .altinstr_replacement,"ax"
       4: ret
       .popsection`,
      ...([".text", 0, "a short jump that can't be lengthened, and its target moves out of reach"] as const),
    ],
    [
      "an alternative of another form",
      'f: ret\n.pushsection .altinstructions,"a"\n.long f - ., f - .\n.quad 0\n.popsection',
      ...([".altinstructions", 0, "an entry of 16 bytes"] as const),
    ],
  ])("%s", (_, source, section, offset, reason) => {
    let error: unknown;
    try {
      rewritten(source);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(RewriteRefusal);
    expect(error).toMatchObject({ file: "x.ko", section, offset, reason });
    expect((error as Error).message).toBe(`x.ko: section ${section}, offset 0x${offset.toString(16)}: ${reason}`);
  });
});

// tier: quick
// docs/instructions.md is current, and every form in Debian's kernels is treated.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "iced-x86";
import { expect, test } from "vitest";
import { readKernelForms, renderInstructions, treatForms } from "../dev/core-proof/instruction-treatments.js";
import { projectDirectory } from "../src/base/paths.js";

const forms = treatForms();

test("docs/instructions.md is current: npm run generate", () => {
  expect(readFileSync(join(projectDirectory, "docs/instructions.md"), "utf8")).toBe(renderInstructions());
});

test("every form in Debian's kernels is emulated, stepped, or escaped because its extent isn't known", () => {
  const bad: string[] = [];
  for (const name of readKernelForms().keys()) {
    const treatment = forms.get(Code[name as keyof typeof Code])?.plain;
    // FXSAVE stores only to a part of its 512 bytes: a whole copy can't be written back
    const extentUnknown = /^(X(save|rstor)|Fxsave)/.test(name);
    const good = treatment === "emulated" || treatment === "stepped" || treatment === "no access";
    if (!good && !(treatment === "escaped" && extentUnknown)) bad.push(`${name}: ${treatment}`);
  }
  expect(bad).toEqual([]);
});

test("no form with a decoy in its address goes unnoticed: that would be an oops", () => {
  const missed = [...forms].filter(([, form]) => form.plain === "missed" || form.masked === "missed");
  expect(missed.map(([code]) => Code[code])).toEqual([]);
});

test("the instructions that compilers and kernels use on device memory are emulated", () => {
  const named = [
    ...["Mov_rm8_r8", "Mov_r64_rm64", "Mov_rm32_imm32", "Mov_RAX_moffs64", "Movzx_r32_rm16", "Movsxd_r64_rm32"],
    ...["Add_rm32_r32", "Inc_rm64", "Not_rm16", "Test_rm8_imm8", "Xchg_rm32_r32", "Xadd_rm64_r64", "Cmpxchg_rm8_r8"],
    ...["Bts_rm32_r32", "Movsq_m64_m64", "Stosb_m8_AL", "Lodsd_EAX_m32", "Movnti_m32_r32", "Push_rm64", "Pop_rm64"],
    ...["Call_rm64", "Jmp_rm64", "Movdqa_xmm_xmmm128", "VEX_Vmovdqu_ymm_ymmm256", "EVEX_Vmovdqu64_zmm_k1z_zmmm512"],
    ...["Cmpxchg8b_m64", "Cmpxchg16b_m128", "Movbe_r32_m32", "VEX_Andn_r32_r32_rm32", "Movdiri_m64_r64"],
    ...["Movdir64b_r64_m512", "Enqcmds_r64_m512"],
  ];
  for (const name of named)
    expect([name, forms.get(Code[name as keyof typeof Code])?.plain]).toEqual([name, "emulated"]);
});

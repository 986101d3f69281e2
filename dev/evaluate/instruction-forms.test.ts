// tier: quick
// Forms and their classes: the expected ones are the manuals' (Intel SDM, volume 2) and, for mmiotrace, docs/mmiotrace-compared.md.
import { Decoder, DecoderOptions } from "iced-x86";
import { expect, test } from "vitest";
import { formOf } from "./instruction-forms.js";

function formOfBytes(hex: string) {
  const decoder = new Decoder(64, Buffer.from(hex.replaceAll(" ", ""), "hex"), DecoderOptions.None);
  const instruction = decoder.decode();
  const prefix = instruction.hasLockPrefix ? "lock" : instruction.hasRepPrefix ? "rep" : "";
  const form = formOf(instruction.code, prefix);
  instruction.free();
  decoder.free();
  return form;
}

test.each([
  // mov 0x8(%rax),%eax
  ["8b 40 08", "mov r32, m32", "general", true, true],
  // mov %edx,(%rdi)
  ["89 17", "mov m32, r32", "general", true, true],
  // movl $0x93517624,(%rdi)
  ["c7 07 24 76 51 93", "mov m32, imm32", "general", true, true],
  // movzbl (%rdi),%edx
  ["0f b6 17", "movzx r32, m8", "general", true, true],
  // movslq (%rdi),%rdx
  ["48 63 17", "movsxd r64, m32", "general", false, true],
  // cmp %edx,(%rdi)
  ["39 17", "cmp m32, r32", "general", false, false],
  // lock xadd %edx,(%rdi)
  ["f0 0f c1 17", "lock xadd m32, r32", "general", false, false],
  // movbe (%rdi),%edx
  ["0f 38 f0 17", "movbe r32, m32", "general", false, false],
  // stos %eax,%es:(%rdi); rep movsl
  ["ab", "stosd", "string", true, false],
  ["f3 a5", "rep movsd", "string", false, false],
  // movups (%rdi),%xmm0; paddd (%rdi),%xmm0; movq (%rdi),%mm0
  ["0f 10 07", "movups xmm1, m128", "vector", false, false],
  ["66 0f fe 07", "paddd xmm1, m128", "vector", false, false],
  ["0f 6f 07", "movq mm, m64", "vector", false, false],
  // movsd (%rdi),%xmm0, which isn't the string instruction of that name
  ["f2 0f 10 07", "movsd xmm1, m64", "vector", false, false],
  // vmovdqu (%rdi),%ymm0
  ["c5 fe 6f 07", "vmovdqu ymm1, m256", "vector", false, false],
  // movntdqa (%rdi),%xmm0; movnti %edx,(%rdi); movdir64b (%rdi),%rax
  ["66 0f 38 2a 07", "movntdqa xmm1, m128", "non-temporal", false, false],
  ["0f c3 17", "movnti m32, r32", "non-temporal", false, false],
  ["66 0f 38 f8 07", "movdir64b r64, m512", "non-temporal", false, false],
  // flds (%rdi)
  ["d9 07", "fld m32fp", "x87", false, false],
  // lea 0x8(%rax),%rax; nopl (%rax); clflushopt (%rdi); prefetchw (%rdi)
  ["48 8d 40 08", "lea r64, m", "none", false, false],
  ["0f 1f 00", "nop m32", "none", false, false],
  ["66 0f ae 3f", "clflushopt m8", "none", false, false],
  ["0f 0d 0f", "prefetchw m8", "none", false, false],
  // verr (%rdi), which is no vector's
  ["0f 00 27", "verr m16", "general", false, false],
])("%s is %s", (bytes, text, formClass, mmiotraceDecodes, isRewritten) => {
  expect(formOfBytes(bytes)).toEqual({ text, class: formClass, mmiotraceDecodes, isRewritten });
});

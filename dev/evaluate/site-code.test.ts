// tier: quick
// Instructions and the accesses that they can have made.
import { expect, test } from "vitest";
import { formThatMade } from "./site-code.js";

const made = (hex: string, kind: "read" | "write", width_bytes: number, isString = false) =>
  formThatMade(Buffer.from(hex.replaceAll(" ", ""), "hex"), { kind, width_bytes, isString })?.text;

test("an instruction counts only with its own direction and width", () => {
  // mov 0x8(%rax),%eax and what stands behind it
  expect(made("8b 40 08 c3 90 90", "read", 4)).toBe("mov r32, m32");
  expect(made("8b 40 08 c3 90 90", "write", 4)).toBeUndefined();
  expect(made("8b 40 08 c3 90 90", "read", 8)).toBeUndefined();
  expect(made("8b 40 08 c3 90 90", "read", 4, true)).toBeUndefined();
  // mov %dx,(%rdi)
  expect(made("66 89 17", "write", 2)).toBe("mov m16, r16");
  // lock orl $1,(%rdi) reads and writes
  expect(made("f0 83 0f 01", "read", 4)).toBe("lock or m32, imm8");
  expect(made("f0 83 0f 01", "write", 4)).toBe("lock or m32, imm8");
});

test("elements of a string instruction have its element's width; lea, registers and broken bytes made nothing", () => {
  expect(made("f3 a5", "read", 4, true)).toBe("rep movsd");
  expect(made("f3 a5", "write", 4, true)).toBe("rep movsd");
  expect(made("f3 48 ab", "write", 8, true)).toBe("rep stosq");
  expect(made("f3 48 ab", "read", 8, true)).toBeUndefined();
  // lea 0x8(%rax),%rax; mov %eax,%edx; an instruction that is cut; none
  expect(made("48 8d 40 08", "read", 8)).toBeUndefined();
  expect(made("89 c2", "read", 4)).toBeUndefined();
  expect(made("8b 80 00", "read", 4)).toBeUndefined();
  expect(made("06", "read", 4)).toBeUndefined();
});

test("vectors", () => {
  expect(made("66 0f 38 2a 07", "read", 16)).toBe("movntdqa xmm1, m128");
  expect(made("0f 11 07", "write", 16)).toBe("movups m128, xmm1");
});

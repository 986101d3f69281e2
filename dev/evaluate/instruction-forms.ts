// Forms of instructions with an operand in memory, and their classes: `mov m32, r32` is a general one, `movntdqa xmm1, m128` a vector's.
import { type Code, CodeExt, OpCodeTableKind } from "iced-x86";
import { siteKind } from "../../src/rewrite/sites.js";

/**
 * Classes of instructions with an operand in memory:
 * - `general` registers, immediates;
 * - `string` instructions;
 * - `non-temporal` loads and stores past the caches, and stores that name the device's address in a register (movdir64b);
 * - `vector` registers of SSE, AVX and MMX;
 * - `x87` floating point;
 * - `none`: no access to the operand's content (lea, nop, prefetches, clflush).
 */
export type FormClass = "general" | "string" | "non-temporal" | "vector" | "x87" | "none";

export interface Form {
  /** `mov m32, r32`, `rep movsd` */
  text: string;
  class: FormClass;
  /** The kernel's mmiotrace decodes it; others are UNKNOWN in its log. */
  mmiotraceDecodes: boolean;
  /** Engine instrument puts a check in front of it, where its base is no stack pointer's. */
  isRewritten: boolean;
}

/** The opcodes that mmiotrace decodes: arch/x86/mm/pf_in.c, reg_rop, reg_wop and imm_wop. */
const decodedOpcodes = new Set([0x8a, 0x8b, 0x88, 0x89, 0xc6, 0xc7, 0xaa, 0xab]);
/** The same of those behind 0f. */
const decodedExtended = new Set([0xb6, 0xb7, 0xbe, 0xbf]);

const strings = /^(?:movs|stos|lods|cmps|scas|ins|outs)[bwdq]$/;

const known = new Map<string, Form>();

/** Describes a form. `prefix`: "rep", "repne", "lock" or "". */
export function formOf(code: Code, prefix: "" | "rep" | "repne" | "lock" = ""): Form {
  const key = `${prefix} ${code}`;
  const found = known.get(key) ?? describe(code, prefix);
  known.set(key, found);
  return found;
}

function describe(code: Code, prefix: string): Form {
  const info = CodeExt.opCode(code);
  try {
    const { opCode, table } = info;
    const words = operandsInMemory(info.instructionString);
    const decoded =
      table === OpCodeTableKind.Normal
        ? decodedOpcodes.has(opCode)
        : table === OpCodeTableKind.T0F && decodedExtended.has(opCode);
    return {
      text: prefix === "" ? words : `${prefix} ${words}`,
      class: classOf(words),
      mmiotraceDecodes: decoded && prefix !== "lock",
      isRewritten: prefix !== "lock" && siteKind(code) !== undefined,
    };
  } finally {
    info.free();
  }
}

/** `MOV r/m32, r32` → `mov m32, r32`, `MOVUPS xmm1, xmm2/m128` → `movups xmm1, m128` */
export function operandsInMemory(instruction: string): string {
  const [mnemonic, ...operands] = instruction.split(" ");
  const shown = operands.map((operand) => operand.replace(/^[a-z0-9]+\/(m\d*)/, "$1"));
  return [mnemonic!.toLowerCase(), ...shown].join(" ");
}

/** Finds the class of a form's words. */
export function classOf(words: string): FormClass {
  const [mnemonic = "", ...operands] = words.split(" ");
  if (/^(?:lea|nop|prefetch\w*|clflush\w*|clwb|cldemote|endbr64|ud[012])$/.test(mnemonic)) return "none";
  if (/^v?movnt/.test(mnemonic) || /^movdir/.test(mnemonic) || /^enqcmd/.test(mnemonic)) return "non-temporal";
  if (strings.test(mnemonic) && !operands.some((operand) => operand.startsWith("xmm"))) return "string";
  if (operands.some((operand) => /^[xyz]mm|^mm/.test(operand)) || /^v[a-z]/.test(mnemonic.replace(/^ver[rw]$/, "")))
    return "vector";
  if (/^f[a-z]/.test(mnemonic)) return "x87";
  return "general";
}

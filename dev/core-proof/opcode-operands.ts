// Translates iced-x86's facts about a form's operands and properties into the terms of core/decode.h.
import {
  EncodingKind,
  type Instruction,
  type InstructionInfoFactory,
  MandatoryPrefix,
  MemorySize,
  MemorySizeExt,
  type OpCodeInfo,
  OpKind,
  Register,
} from "iced-x86";
import { accessBits } from "./iced-names.js";

/** Returns the bytes of an operand of this kind after ModRM, SIB and displacement. */
export function immediateBytesOf(name: string, info: OpCodeInfo): number {
  if (name === "IMM8_CONST_1" || name === "IMM4_M2Z") return 0;
  if (name === "MEM_OFFS") return info.addressSize === 32 ? 4 : 8;
  if (/^IMM8|_IS[45]$/.test(name)) return 1;
  if (/^IMM16/.test(name)) return 2;
  if (/^IMM32/.test(name)) return 4;
  if (/^IMM64/.test(name)) return 8;
  const branch = /^(?:BR(?:16|32|64)|XBEGIN)_([124])$/.exec(name);
  return branch === null ? 0 : Number(branch[1]);
}

/** Derives the place of a form's memory operand from its operand kinds: a member of enum mms_memory. */
export function memoryPlace(names: string[]): string {
  const has = (pattern: RegExp) => names.findIndex((name) => pattern.test(name));
  const source = has(/^SEG_RSI$/);
  const destination = has(/^ES_RDI$/);
  if (source >= 0 && destination >= 0) return destination < source ? "RDI_RSI" : "RSI_RDI";
  if (source >= 0) return "RSI";
  if (destination >= 0 || has(/^SEG_RDI$/) >= 0) return "RDI";
  if (has(/^SEG_RBX_AL$/) >= 0) return "XLAT";
  if (has(/^MEM_OFFS$/) >= 0) return "OFFSET";
  if (has(/^MEM_VSIB/) >= 0) return "VECTOR";
  return has(/^MEM$|^MEM_|^SIBMEM$|_OR_MEM/) >= 0 ? "MODRM" : "NONE";
}

/** Returns the class of the registers that a field of the encoding chooses from: a member of enum mms_register_class. */
export function registerClass(info: OpCodeInfo, names: string[], field: RegExp): string {
  const at = names.findIndex((name) => field.test(name));
  switch (at < 0 ? "" : field.exec(names[at]!)![1]) {
    case "K":
    case "KP1":
      return "OPMASK";
    case "TMM":
      return "TILE";
    case "R32":
    case "R64":
      return info.encoding === EncodingKind.EVEX ? "GENERAL" : "ANY";
    case "CR":
      return "CONTROL";
    case "DR":
      return "DEBUG";
    case "SEG":
      return at === 0 ? "LOADED_SEGMENT" : "SEGMENT";
    default:
      return "ANY";
  }
}

/** Returns true if an operand of this kind is in a ModRM byte. */
export function needsModrm(name: string): boolean {
  return /_REG$|_REG_MEM$|_OR_MEM|_RM$|^MEM$|^MEM_(?!OFFS)|^SIBMEM$/.test(name);
}

/** Returns a form's properties: names of enum mms_opcode_flags. */
export function formFlags(info: OpCodeInfo, names: string[]): Set<string> {
  const flags = new Set<string>();
  const add = (condition: boolean, flag: string) => {
    if (condition) flags.add(`MMS_O_${flag}`);
  };
  add(
    names.some((name) => /^MEM$|^MEM_(?!OFFS)|^SIBMEM$/.test(name)),
    "MEM_ONLY",
  );
  add(names.some((name) => /_RM$|^STI_OPCODE$/.test(name)) || info.opCodeLength === 2, "REG_ONLY");
  add(info.rmGroupIndex >= 0 && !names.some((name) => /_OR_MEM/.test(name)), "REG_ONLY");
  add(info.ignoresModBits, "ANY_MOD");
  add(info.canUseLockPrefix, "LOCK");
  add(info.canUseRepPrefix || info.canUseRepnePrefix, "REP");
  add(info.defaultOpSize64, "DEFAULT_64");
  add(info.forceOpSize64 || info.intelForceOpSize64, "FORCE_64");
  add(info.canBroadcast, "BROADCAST");
  add(info.canUseOpMaskRegister, "OPMASK");
  add(info.canUseZeroingMasking, "ZEROING");
  add(info.requireOpMaskRegister, "NEEDS_OPMASK");
  add(info.canUseRoundingControl, "ROUNDING");
  add(info.canSuppressAllExceptions, "SAE");
  add(
    names.some((name) => /_VVVV$/.test(name)),
    "VVVV",
  );
  add(info.requiresUniqueRegNums, "UNIQUE_REGISTERS");
  add(info.requiresUniqueDestRegNum, "UNIQUE_DESTINATION");
  add(info.ignoresRoundingControl, "IGNORES_ROUNDING");
  add(
    names.some((name) => /^IMM8SEX|^IMM32SEX|^BR64_|^XBEGIN_/.test(name)),
    "SIGNED",
  );
  add(names.includes("ES_RDI") && !names.includes("SEG_RSI"), "ES_ONLY");
  add(names.includes("SIBMEM"), "NEEDS_SIB");
  add(info.no66, "NO_66");
  add(info.mandatoryPrefix !== MandatoryPrefix.None, "MANDATORY");
  return flags;
}

/** Returns the bytes of a memory operand; 0 if they aren't fixed. */
export function memoryBytesOf(size: MemorySize): number {
  // Extents that depend on the state of the CPU have no fixed size: 0, and the emulator never guesses one.
  return size === MemorySize.Unknown ? 0 : MemorySizeExt.size(size);
}

/** Returns the access to the first memory operand: bit 0 read, bit 1 written, bit 2 conditional; 0 for LEA, NOP. */
export function memoryAccess(instruction: Instruction, names: string[], factory: InstructionInfoFactory): number {
  const memory = names.findIndex((name) => /MEM|RSI$|RDI$|RBX_AL$/.test(name));
  if (memory < 0) return 0;
  instruction.setOpKind(memory, OpKind.Memory);
  instruction.memoryBase = Register.RAX;
  const info = factory.info(instruction);
  const access = info.opAccess(memory);
  info.free();
  return accessBits(access);
}

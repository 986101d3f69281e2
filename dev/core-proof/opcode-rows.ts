// The instruction forms as rows, gathered from iced-x86's own tables: no opcode is typed by hand. opcode-table.ts
// turns them into C.
import {
  Code,
  EncodingKind,
  Instruction,
  InstructionInfoFactory,
  MandatoryPrefix,
  MemorySizeExt,
  type OpCodeInfo,
  OpCodeOperandKind,
  OpCodeTableKind,
} from "iced-x86";
import { assert, assertUnreachable } from "../../src/base/assert.js";
import { enumName } from "./iced-names.js";
import { isDecodable, isRmIgnored } from "./iced-probes.js";
import {
  formFlags,
  immediateBytesOf,
  memoryAccess,
  memoryBytesOf,
  memoryPlace,
  needsModrm,
  registerClass,
} from "./opcode-operands.js";

/** The opcode maps the decoder knows, in the order of their numbers in C. */
export const opcodeMaps = [
  "LEGACY",
  "LEGACY_0F",
  "LEGACY_0F38",
  "LEGACY_0F3A",
  "VEX_0F",
  "VEX_0F38",
  "VEX_0F3A",
  "EVEX_0F",
  "EVEX_0F38",
  "EVEX_0F3A",
  "EVEX_MAP5",
  "EVEX_MAP6",
  "XOP_MAP8",
  "XOP_MAP9",
  "XOP_MAP10",
  "D3NOW",
] as const;
export type OpcodeMap = (typeof opcodeMaps)[number];

const operandsMax = 5;

/** One instruction form: the facts that recognise it, and the decoder's knowledge about it. */
export interface Row {
  map: OpcodeMap;
  opcode: number;
  /** iced-x86's number of the form. */
  code: number;
  mnemonic: number;
  /** Mandatory prefixes accepted: 1 none, 2 66, 4 F3, 8 F2. */
  prefixes: number;
  /** Operand sizes accepted: 1 16-bit, 2 32-bit, 4 64-bit. Address sizes: 8 32-bit, 16 64-bit. */
  sizes: number;
  /** VEX.L or EVEX.L'L accepted: bits 0 to 2; W: bit 4 for 0, bit 5 for 1. */
  vector: number;
  modrmMask: number;
  modrmValue: number;
  immediateBytes: number;
  /** Bytes of the second immediate: not counted in immediateBytes. */
  immediate2Bytes: number;
  /** The classes of the registers that ModRM.reg and VEX.vvvv choose from: members of enum mms_register_class. */
  regClass: string;
  vvvvClass: string;
  /** The class for ModRM.rm if mod is 3. */
  rmClass: string;
  /** Name of the place of the memory operand, if there is one: enum mms_memory. */
  memory: string;
  operands: number[];
  memoryBytes: number;
  broadcastBytes: number;
  access: number;
  tuple: number;
  flags: string[];
  specificity: number;
  /** The situations that the form accepts: bits of enum mms_situation. */
  accepts: number;
  /** The opcode's low three bits are a register's number. */
  registerInOpcode: boolean;
  text: string;
}

/** Collects every form that a 64-bit CPU may decode, with iced-x86's default options. */
export function collectRows(): Row[] {
  const rows: Row[] = [];
  const factory = new InstructionInfoFactory();
  const codes = Object.values(Code).filter((value): value is Code => typeof value === "number");
  for (const code of codes) {
    const instruction = new Instruction();
    instruction.code = code;
    const info = instruction.opCode;
    if (
      info.isInstruction &&
      info.intelDecoder64 &&
      info.decoderOption === 0 &&
      info.encoding !== EncodingKind.MVEX &&
      !info.fwait &&
      isDecodable(info)
    ) {
      rows.push(...rowsOf(instruction, info, factory));
    }
    info.free();
    instruction.free();
  }
  factory.free();
  relateToSlots(rows);
  for (const row of rows) row.accepts = acceptsOf(row);
  return rows;
}

function rowsOf(instruction: Instruction, info: OpCodeInfo, factory: InstructionInfoFactory): Row[] {
  const kinds = Array.from({ length: info.opCount }, (_, index) => info.opKind(index));
  assert(kinds.length <= operandsMax, `${info.instructionString} has at most ${operandsMax} operands`);
  const names = kinds.map((kind) => enumName(OpCodeOperandKind, kind));
  const flags = formFlags(info, names);
  const immediates = names.map((name) => immediateBytesOf(name, info)).filter((bytes) => bytes > 0);
  assert(immediates.length <= 2, `${info.instructionString} has at most two immediates`);
  const row: Row = {
    map: mapOf(info),
    opcode: info.opCode & 0xff,
    code: instruction.code,
    mnemonic: instruction.mnemonic,
    prefixes: prefixesOf(info),
    sizes: sizesOf(info),
    vector: vectorOf(info),
    modrmMask: 0,
    modrmValue: 0,
    immediateBytes: immediates[0] ?? 0,
    immediate2Bytes: immediates[1] ?? 0,
    memory: memoryPlace(names),
    regClass: registerClass(info, names, /^(\w+?)_REG(_MEM)?$/),
    vvvvClass: registerClass(info, names, /^(\w+?)_VVVV$/),
    rmClass: registerClass(info, names, /^(\w+?)_(?:RM|OR_MEM\w*)$/),
    operands: kinds,
    memoryBytes: memoryBytesOf(info.memorySize),
    broadcastBytes: info.canBroadcast ? MemorySizeExt.size(info.broadcastMemorySize) : 0,
    access: memoryAccess(instruction, names, factory),
    tuple: info.tupleType,
    flags: [...flags],
    specificity: 0,
    accepts: 0,
    registerInOpcode: names.some((name) => /^R(8|16|32|64)_OPCODE$/.test(name)),
    text: `${info.opCodeString}: ${info.instructionString}`,
  };
  const classes = [row.regClass, row.vvvvClass, row.rmClass];
  if (flags.has("MMS_O_NO_66") || /UNIQUE/.test(row.flags.join()) || classes.some((name) => name !== "ANY")) {
    row.flags.push("MMS_O_RARE");
  }
  fixModrm(row, info, names);
  row.specificity = specificityOf(row, info);
  // An opcode with a register in its low bits stands in eight slots.
  if (row.registerInOpcode && info.opCodeLength !== 2) {
    return Array.from({ length: 8 }, (_, register) => ({
      ...row,
      flags: [...row.flags],
      opcode: row.opcode + register,
    }));
  }
  return [row];
}

/** Fills in the bits of the ModRM byte that belong to the opcode, and whether there is such a byte. */
function fixModrm(row: Row, info: OpCodeInfo, names: readonly string[]): void {
  if (info.groupIndex >= 0) {
    row.modrmMask |= 0x38;
    row.modrmValue |= info.groupIndex << 3;
  }
  if (info.rmGroupIndex >= 0) {
    row.modrmMask |= 0x07;
    row.modrmValue |= info.rmGroupIndex;
  }
  if (info.opCodeLength === 2) {
    // The second opcode byte is a ModRM byte with mod = 3; `+i` leaves its low three bits to the operand.
    row.opcode = (info.opCode >> 8) & 0xff;
    row.modrmMask = names.includes("STI_OPCODE") || isRmIgnored(info) ? 0xf8 : 0xff;
    row.modrmValue = info.opCode & 0xff;
    row.flags.push("MMS_O_MODRM");
  } else if (info.groupIndex >= 0 || names.some(needsModrm)) {
    row.flags.push("MMS_O_MODRM");
  }
}

/** The more conditions a row has, the earlier it is tried. */
function specificityOf(row: Row, info: OpCodeInfo): number {
  const bits = (value: number) => value.toString(2).replaceAll("0", "").length;
  return (
    bits(row.modrmMask) * 16 +
    (4 - bits(row.prefixes)) * 8 +
    (5 - bits(row.sizes)) +
    (row.flags.includes("MMS_O_REG_ONLY") || row.flags.includes("MMS_O_MEM_ONLY") ? 4 : 0) +
    (info.isReservedNop ? -1000 : 0)
  );
}

/** Groups rows by opcode map and opcode. */
export function slotsOf(rows: Row[]): Map<string, Row[]> {
  const slots = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.map}/${row.opcode}`;
    const slot = slots.get(key);
    if (slot === undefined) slots.set(key, [row]);
    else slot.push(row);
  }
  return slots;
}

/** Sets the properties of a form that follow from the other forms in its slot of the opcode map. */
function relateToSlots(rows: Row[]): void {
  for (const slot of slotsOf(rows).values()) {
    for (const row of slot) {
      // REX.W is ignored where there is no 64-bit form: Intel's manual, volume 2, 2.2.1.2
      const has64 = slot.some((other) => other.sizes & 4 && overlap(row, other));
      if (row.sizes & 2 && !has64) row.sizes |= 4;
      // NOP is XCHG of the accumulator with itself: REX.B makes it a true exchange
      if (row.operands.length === 0 && row.prefixes === 15 && slot.some((other) => other.registerInOpcode))
        row.flags.push("MMS_O_NO_REX_B");
    }
  }
}

/** The bits of enum mms_situation in core/decode.c. */
const situation = {
  size: 4,
  address64: 1 << 8,
  address32: 1 << 9,
  length: 10,
  rounding: 1 << 14,
  memory: 1 << 15,
  registers: 1 << 16,
  rexB: 1 << 17,
} as const;

/** Puts prefixes, sizes, vector lengths and kinds of operand into one mask: the decoder compares them all at once. */
function acceptsOf(row: Row): number {
  const has = (flag: string) => row.flags.includes(`MMS_O_${flag}`);
  const isLegacy = row.map.startsWith("LEGACY") || row.map === "D3NOW";
  let accepts = row.prefixes;
  for (const [bit, [p66, wide]] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ].entries()) {
    const size = wide || has("FORCE_64") ? 4 : p66 && row.prefixes !== 2 ? 1 : has("DEFAULT_64") ? 4 : 2;
    const accepted = isLegacy ? row.sizes & size : row.vector & (wide ? 0x20 : 0x10);
    if (accepted !== 0) accepts |= 1 << (situation.size + bit);
  }
  if (row.sizes & 8) accepts |= situation.address32;
  if (row.sizes & 16) accepts |= situation.address64;
  // a legacy instruction has no vector length: its situation is that of length 0
  accepts |= (isLegacy ? 1 : row.vector & 7) << situation.length;
  if (has("ROUNDING") || has("SAE") || has("IGNORES_ROUNDING")) accepts |= situation.rounding;
  if (!has("REG_ONLY") || has("ANY_MOD")) accepts |= situation.memory;
  if (!has("MEM_ONLY")) accepts |= situation.registers;
  if (!has("NO_REX_B")) accepts |= situation.rexB;
  return accepts;
}

/** Returns true if the same prefixes and ModRM byte may fit both forms. */
function overlap(a: Row, b: Row): boolean {
  const mask = a.modrmMask & b.modrmMask;
  const apart = (one: Row, other: Row) =>
    one.flags.includes("MMS_O_MEM_ONLY") && other.flags.includes("MMS_O_REG_ONLY");
  if (apart(a, b) || apart(b, a)) return false;
  return (a.modrmValue & mask) === (b.modrmValue & mask) && (a.prefixes & b.prefixes) !== 0;
}

function mapOf(info: OpCodeInfo): OpcodeMap {
  if (info.encoding === EncodingKind.D3NOW) return "D3NOW";
  const table = enumName(OpCodeTableKind, info.table);
  const name =
    info.encoding === EncodingKind.Legacy
      ? `LEGACY${table === "NORMAL" ? "" : `_${table.slice(1)}`}`
      : `${enumName(EncodingKind, info.encoding)}_${table.replace(/^T/, "").replace(/^MAP/, "MAP")}`;
  const map = opcodeMaps.find((known) => known === name);
  assert(map !== undefined, `the decoder knows opcode map ${name}`);
  return map;
}

function prefixesOf(info: OpCodeInfo): number {
  switch (info.mandatoryPrefix) {
    case MandatoryPrefix.None:
      return info.nfx ? 3 : 15;
    case MandatoryPrefix.PNP:
      return 1;
    case MandatoryPrefix.P66:
      return 2;
    case MandatoryPrefix.PF3:
      return 4;
    case MandatoryPrefix.PF2:
      return 8;
    default:
      return assertUnreachable(info.mandatoryPrefix);
  }
}

function sizesOf(info: OpCodeInfo): number {
  const operand = info.operandSize === 16 ? 1 : info.operandSize === 32 ? 2 : info.operandSize === 64 ? 4 : 7;
  const address = info.addressSize === 32 ? 8 : info.addressSize === 64 ? 16 : 24;
  return operand | address;
}

function vectorOf(info: OpCodeInfo): number {
  const length = info.isLIG ? 7 : 1 << info.L;
  const wide = info.isWIG ? 0x30 : info.W === 0 ? 0x10 : 0x20;
  return length | wide;
}

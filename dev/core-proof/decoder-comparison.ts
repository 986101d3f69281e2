// Compares the core's decoder with iced-x86 on the same bytes, field by field. The callers choose the bytes.
import {
  Code,
  Decoder,
  DecoderOptions,
  Instruction,
  InstructionInfoFactory,
  MemorySize,
  MemorySizeExt,
  OpCodeOperandKind,
  OpKind,
  Register,
  RegisterExt,
} from "iced-x86";
import {
  type CoreDecoder,
  coreDecoder,
  DecodeResults,
  Encoding,
  Field,
  MemoryPlace,
  noRegister,
  Prefix,
  ripRegister,
} from "./decode-batch.js";
import { accessBits } from "./iced-names.js";

/** One string on which the two decoders disagree. */
export interface Mismatch {
  /** The instruction's bytes, up to 15. */
  bytes: Uint8Array;
  /** The field that differs: "length", "base", … */
  field: string;
  ours: string;
  iced: string;
}

/** Instructions that a sweep compares at once. */
const sweepChunk = 32768;

/** More than iced has forms. */
const codesMax = 8192;

/** The facts in iced's tables about a form, looked up once. */
interface Form {
  /** Names of its operand kinds. */
  kinds: string[];
  /** F3 or F2 repeats it. */
  canRepeat: boolean;
}

const enumNames = (of: object) =>
  new Map(Object.entries(of).flatMap(([name, value]) => (typeof value === "number" ? [[value, name]] : [])));
const kindNames = enumNames(OpCodeOperandKind);
const codeNames = enumNames(Code);
const registerNames = enumNames(Register);

/** Each register's number in the encoding: 0 to 31. iced numbers AH to BH 4 to 7 among 20 byte registers. */
const registerNumbers = Array.from({ length: 256 }, (_, register) => {
  const name = registerNames.get(register);
  if (name === undefined || name.startsWith("DontUse")) return 0;
  if (register >= Register.SPL && register <= Register.R15L) return register - Register.SPL + 4;
  return RegisterExt.number(register);
});
const memoryBytesOf = Array.from({ length: 256 }, (_, size) =>
  MemorySize[size] === undefined || size === MemorySize.Unknown ? 0 : MemorySizeExt.size(size),
);
/** Registers of which there are eight: the CPU ignores higher bits of their number in the encoding. */
const isOfEight = Array.from({ length: 256 }, (_, register) =>
  /^(ES|CS|SS|DS|FS|GS|ST\d|MM\d|K\d|TMM\d)$/.test(registerNames.get(register) ?? ""),
);

/** Mask for the first register of a run of 4 (XMM+3, ZMM+3) or 2 (K+1). */
function blockMask(kind: string): number {
  return /P3_/.test(kind) ? ~3 : /^kp1/.test(kind) ? ~1 : ~0;
}

/** Tells the operands of string instructions: an address in RSI or RDI. */
function isStringKind(kind: OpKind): boolean {
  return kind >= OpKind.MemorySegSI && kind <= OpKind.MemoryESRDI;
}

/**
 * Compares strings with iced's decoder, default options, 64-bit. One object serves any number of batches; it owns
 * objects in iced's memory that `free()` gives back.
 */
export class DecoderComparison {
  readonly #ours: CoreDecoder;
  readonly #instruction = new Instruction();
  readonly #infoFactory = new InstructionInfoFactory();
  readonly #forms = new Map<number, Form>();
  readonly #accesses = new Map<number, number>();
  /** Strings decoded without error so far, and with an error. */
  valid = 0;
  invalid = 0;
  /** Occurrences of each form by its iced code number; and those with a memory operand. */
  readonly met = new Uint32Array(codesMax);
  readonly metWithMemory = new Uint32Array(codesMax);

  constructor(ours: CoreDecoder = coreDecoder()) {
    this.#ours = ours;
  }

  free(): void {
    this.#instruction.free();
    this.#infoFactory.free();
  }

  /**
   * Compares `count` strings: the n-th begins at `bytes[offsets[n]]`; neither decoder sees anything behind the end of
   * `bytes`.
   *
   * @returns the strings that differ, at most `mismatchesMax`.
   */
  compare(bytes: Uint8Array, offsets: Uint32Array, count: number, mismatchesMax: number): Mismatch[] {
    const limits = new Uint8Array(count);
    for (let n = 0; n < count; n++) limits[n] = Math.min(15, bytes.length - offsets[n]!);
    const results = new DecodeResults(count);
    this.#ours.batch(bytes, offsets, limits, count, results);
    const decoder = new Decoder(64, bytes, DecoderOptions.None);
    const mismatches: Mismatch[] = [];
    try {
      for (let n = 0; n < count && mismatches.length < mismatchesMax; n++) {
        decoder.position = offsets[n]!;
        decoder.decodeOut(this.#instruction);
        const difference = this.#difference(results, n);
        if (difference === undefined) continue;
        const [field, ours, iced] = difference;
        const start = offsets[n]!;
        mismatches.push({ bytes: bytes.slice(start, start + 15), field, ours: String(ours), iced: String(iced) });
      }
    } finally {
      decoder.free();
    }
    return mismatches;
  }

  /**
   * Compares the instructions of `code` one after the other, from its first byte to its last.
   *
   * @returns the places that differ, at most `mismatchesMax`.
   */
  sweep(code: Uint8Array, mismatchesMax: number): Mismatch[] {
    const mismatches: Mismatch[] = [];
    const starts = this.#ours.starts(code);
    for (let first = 0; first < starts.length && mismatches.length < mismatchesMax; ) {
      const chunkStart = starts[first]!;
      const offsets = starts.subarray(first, first + sweepChunk).map((start) => start - chunkStart);
      const bytes = code.subarray(chunkStart, chunkStart + offsets.at(-1)! + 15);
      mismatches.push(...this.compare(bytes, offsets, offsets.length, mismatchesMax - mismatches.length));
      first += offsets.length;
    }
    return mismatches;
  }

  /** The first field in which result n differs from this.#instruction. */
  #difference(results: DecodeResults, n: number): [string, unknown, unknown] | undefined {
    const iced = this.#instruction;
    const code = iced.code;
    const length = results.byte(n, Field.length);
    if (code === Code.INVALID) {
      this.invalid++;
      return length === 0 ? undefined : ["validity", codeNames.get(results.code(n)), "invalid"];
    }
    this.valid++;
    this.met[code]!++;
    if (length === 0) return ["validity", "invalid", codeNames.get(code)];
    if (length !== iced.length) return ["length", length, iced.length];
    if (results.code(n) !== code) return ["form", codeNames.get(results.code(n)), codeNames.get(code)];
    const form = this.#form(code);
    return this.#prefixDifference(results, n, form) ?? this.#operandDifference(results, n, form);
  }

  #form(code: Code): Form {
    let form = this.#forms.get(code);
    if (form === undefined) {
      const info = this.#instruction.opCode;
      const kinds = Array.from({ length: info.opCount }, (_, index) => kindNames.get(info.opKind(index))!);
      form = { kinds, canRepeat: info.canUseRepPrefix || info.canUseRepnePrefix };
      info.free();
      this.#forms.set(code, form);
    }
    return form;
  }

  #prefixDifference(results: DecodeResults, n: number, form: Form): [string, unknown, unknown] | undefined {
    const iced = this.#instruction;
    const encoding = results.byte(n, Field.encoding);
    const prefixes = results.byte(n, Field.prefixes);
    if (encoding === Encoding.legacy || encoding === Encoding.d3now) {
      if (((prefixes & Prefix.lock) !== 0) !== iced.hasLockPrefix) return ["lock", prefixes, iced.hasLockPrefix];
      if (form.canRepeat) {
        const rep = (prefixes & Prefix.rep) !== 0;
        const repne = (prefixes & Prefix.repne) !== 0;
        if (rep !== iced.hasRepPrefix) return ["rep", rep, iced.hasRepPrefix];
        if (repne !== iced.hasRepnePrefix) return ["repne", repne, iced.hasRepnePrefix];
      }
    } else if (encoding === Encoding.evex) {
      const opmask = iced.opMask === Register.None ? 0 : iced.opMask - Register.K0;
      if (results.byte(n, Field.opmask) !== opmask) return ["opmask", results.byte(n, Field.opmask), opmask];
      const zeroing = results.byte(n, Field.zeroing) !== 0;
      if (zeroing !== iced.zeroingMasking) return ["zeroing", zeroing, iced.zeroingMasking];
    }
    return undefined;
  }

  #operandDifference(results: DecodeResults, n: number, form: Form): [string, unknown, unknown] | undefined {
    const iced = this.#instruction;
    let memory = -1;
    for (let operand = 0; operand < form.kinds.length; operand++) {
      const kind = iced.opKind(operand);
      if (kind === OpKind.Register) {
        const difference = this.#registerDifference(results, n, operand, form.kinds[operand]!);
        if (difference !== undefined) return difference;
      } else if (kind === OpKind.Memory || isStringKind(kind)) {
        if (memory < 0) memory = operand;
      } else {
        const difference = this.#immediateDifference(results, n, operand, kind, form.kinds[operand]!);
        if (difference !== undefined) return difference;
      }
    }
    const place = this.#placeOf(memory, form);
    if (results.byte(n, Field.memory) !== place) return ["memory", results.byte(n, Field.memory), place];
    if (place === MemoryPlace.none) return undefined;
    this.metWithMemory[this.#instruction.code]!++;
    return this.#memoryDifference(results, n, place, memory);
  }

  #placeOf(memory: number, form: Form): number {
    if (memory < 0) return MemoryPlace.none;
    const kind = form.kinds[memory]!;
    if (kind === "seg_rBX_al") return MemoryPlace.xlat;
    if (kind === "mem_offs") return MemoryPlace.offset;
    if (kind.startsWith("mem_vsib")) return MemoryPlace.vector;
    const second = form.kinds.slice(memory + 1).find((name) => name === "seg_rSI" || name === "es_rDI");
    if (kind === "seg_rSI") return second === undefined ? MemoryPlace.rsi : MemoryPlace.rsiRdi;
    if (kind === "es_rDI") return second === undefined ? MemoryPlace.rdi : MemoryPlace.rdiRsi;
    if (kind === "seg_rDI") return MemoryPlace.rdi;
    return MemoryPlace.modrm;
  }

  #registerDifference(
    results: DecodeResults,
    n: number,
    operand: number,
    kind: string,
  ): [string, unknown, unknown] | undefined {
    const iced = this.#instruction.opRegister(operand);
    let ours: number;
    if (/_reg(_mem)?$/.test(kind)) ours = results.byte(n, Field.reg);
    else if (/_rm$|_or_mem/.test(kind)) ours = results.byte(n, Field.rm);
    else if (/_vvvv$/.test(kind)) ours = results.byte(n, Field.vvvv);
    else if (/_opcode$/.test(kind)) ours = results.byte(n, Field.rm);
    else if (/_is[45]$/.test(kind)) ours = (Number(results.immediate(n)) >> 4) & 15;
    else return undefined; // a fixed register: the form says which
    const expected = registerNumbers[iced]!;
    // 4 to 7 are the high bytes of registers 0 to 3 unless there is a REX prefix
    if (iced >= Register.AH && iced <= Register.DIL) {
      const rex = (results.byte(n, Field.prefixes) & Prefix.rex) !== 0;
      if (rex !== iced >= Register.SPL) return [`operand ${operand}`, `REX ${rex}`, registerNames.get(iced)];
    }
    if (isOfEight[iced]) ours &= 7;
    if ((ours & blockMask(kind)) !== (expected & blockMask(kind))) {
      return [`operand ${operand} (${kind})`, ours, `${registerNames.get(iced)} (${expected})`];
    }
    return undefined;
  }

  #immediateDifference(
    results: DecodeResults,
    n: number,
    operand: number,
    kind: OpKind,
    name: string,
  ): [string, unknown, unknown] | undefined {
    const iced = this.#instruction;
    const ours = results.immediate(n);
    switch (kind) {
      case OpKind.Immediate8:
        if (name === "imm8_const_1") return undefined;
        if (name === "imm4_m2z") {
          return Number(ours & 15n) === iced.immediate8 ? undefined : ["immediate", ours, iced.immediate8];
        }
        break;
      case OpKind.Immediate8_2nd: {
        const second = results.byte(n, Field.immediate2);
        return second === iced.immediate8_2nd ? undefined : ["second immediate", second, iced.immediate8_2nd];
      }
      case OpKind.NearBranch16:
      case OpKind.NearBranch32:
      case OpKind.NearBranch64: {
        const bits = kind === OpKind.NearBranch64 ? 64 : kind === OpKind.NearBranch32 ? 32 : 16;
        const target = BigInt.asUintN(bits, iced.nextIP + ours);
        const theirs = iced.nearBranchTarget;
        return target === theirs ? undefined : ["branch target", target, theirs];
      }
    }
    const expected = BigInt.asIntN(64, iced.immediate(operand));
    return expected === ours ? undefined : ["immediate", ours, expected];
  }

  #memoryDifference(
    results: DecodeResults,
    n: number,
    place: number,
    memory: number,
  ): [string, unknown, unknown] | undefined {
    const iced = this.#instruction;
    const width = results.memoryBytes(n);
    const icedWidth = memoryBytesOf[iced.memorySize]!;
    if (width !== icedWidth) return ["width", width, icedWidth];
    const broadcast = results.byte(n, Field.broadcast) !== 0;
    if (broadcast !== iced.isBroadcast) return ["broadcast", broadcast, iced.isBroadcast];

    const access = results.byte(n, Field.access);
    const icedAccess = this.#access(memory);
    // iced says that a load under an opmask is unconditional; but masked-out elements are not read: Intel's manual,
    // volume 1, 15.6.1
    const masked = icedAccess === 1 && access === 5 && results.byte(n, Field.opmask) !== 0;
    if (access !== icedAccess && !masked) return ["access", access, icedAccess];

    if (place !== MemoryPlace.rdi || iced.opKind(memory) < OpKind.MemoryESDI) {
      const segment = results.byte(n, Field.segment);
      const prefix = iced.memorySegment;
      const icedSegment = prefix === Register.FS ? 1 : prefix === Register.GS ? 2 : 0;
      if (segment !== icedSegment) return ["segment", segment, icedSegment];
    } else if (results.byte(n, Field.segment) !== 0) {
      return ["segment", results.byte(n, Field.segment), "none: ES:RDI can't be overridden"];
    }

    const addressBytes = results.byte(n, Field.addressBytes);
    if (place !== MemoryPlace.modrm && place !== MemoryPlace.vector && place !== MemoryPlace.offset) {
      const kind = iced.opKind(memory);
      const narrow =
        place === MemoryPlace.xlat
          ? iced.memoryBase === Register.EBX
          : kind === OpKind.MemorySegESI || kind === OpKind.MemorySegEDI || kind === OpKind.MemoryESEDI;
      return addressBytes === (narrow ? 4 : 8) ? undefined : ["address size", addressBytes, narrow ? 4 : 8];
    }
    return this.#addressDifference(results, n, addressBytes);
  }

  /** Compares base, index, scale and displacement. Register classes tell the address size. */
  #addressDifference(results: DecodeResults, n: number, addressBytes: number): [string, unknown, unknown] | undefined {
    const iced = this.#instruction;
    const first = addressBytes === 4 ? Register.EAX : Register.RAX;
    const base = results.byte(n, Field.base);
    const ourBase =
      base === noRegister
        ? Register.None
        : base === ripRegister
          ? addressBytes === 4
            ? Register.EIP
            : Register.RIP
          : first + base;
    const icedBase = iced.memoryBase;
    if (ourBase !== icedBase) return ["base", registerNames.get(ourBase), registerNames.get(icedBase)];

    const index = results.byte(n, Field.index);
    const icedIndex = iced.memoryIndex;
    if (icedIndex >= Register.XMM0 && icedIndex <= Register.ZMM31) {
      const number = registerNumbers[icedIndex];
      if (results.byte(n, Field.memory) !== MemoryPlace.vector || index !== number) return ["index", index, number];
    } else {
      const ourIndex = index === noRegister ? Register.None : first + index;
      if (ourIndex !== icedIndex) return ["index", registerNames.get(ourIndex), registerNames.get(icedIndex)];
    }
    if (index !== noRegister && results.byte(n, Field.scale) !== iced.memoryIndexScale) {
      return ["scale", results.byte(n, Field.scale), iced.memoryIndexScale];
    }
    // an address without registers has the size of its displacement
    if (icedBase === Register.None && icedIndex === Register.None && iced.memoryDisplSize !== addressBytes) {
      return ["address size", addressBytes, iced.memoryDisplSize];
    }
    let displacement = results.displacement(n);
    if (base === ripRegister) displacement += iced.nextIP;
    const ours = BigInt.asUintN(addressBytes * 8, displacement);
    const theirs = BigInt.asUintN(addressBytes * 8, iced.memoryDisplacement);
    return ours === theirs ? undefined : ["displacement", ours.toString(16), theirs.toString(16)];
  }

  /** Returns the access to operand `memory` from iced's instruction information; asked once per form and masking. */
  #access(memory: number): number {
    const iced = this.#instruction;
    const key =
      iced.code * 16 +
      (iced.hasOpMask ? 1 : 0) +
      (iced.zeroingMasking ? 2 : 0) +
      (iced.hasRepPrefix ? 4 : 0) +
      (iced.hasRepnePrefix ? 8 : 0);
    let access = this.#accesses.get(key);
    if (access === undefined) {
      const info = this.#infoFactory.info(iced);
      access = accessBits(info.opAccess(memory));
      info.free();
      this.#accesses.set(key, access);
    }
    return access;
  }
}

// Makes byte strings to try decoders on: random ones, and ones with the structure of real instructions, mutated.
import { assert } from "../../src/base/assert.js";
import { collectRows, type OpcodeMap, type Row } from "./opcode-rows.js";

/** Bytes from the beginning of one string to that of the next. */
export const stringStride = 16;

/** A small fast generator of reproducible random numbers (sfc32): not for secrets. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** `seed` is any integer below 2^53; generators with one seed and different `stream`s give different numbers. */
  constructor(seed: number, stream = 0) {
    assert(Number.isSafeInteger(seed) && seed >= 0, "a seed is a whole number");
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = stream >>> 0;
    for (let round = 0; round < 15; round++) this.u32();
  }

  u32(): number {
    const result = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    return result >>> 0;
  }

  /** 0 to `limit` - 1, for limits far below 2^32. */
  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}

const legacyPrefixes = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x64, 0x65, 0x2e, 0x3e, 0x26, 0x36];
const escapeBytes = [0x0f, 0x62, 0xc4, 0xc5, 0x8f, 0x38, 0x3a, 0x48, 0x66];

/** The bytes or the map number that lead to an opcode map. */
const mapLead: Record<OpcodeMap, readonly number[] | number> = {
  LEGACY: [],
  LEGACY_0F: [0x0f],
  LEGACY_0F38: [0x0f, 0x38],
  LEGACY_0F3A: [0x0f, 0x3a],
  D3NOW: [0x0f, 0x0f],
  VEX_0F: 1,
  VEX_0F38: 2,
  VEX_0F3A: 3,
  EVEX_0F: 1,
  EVEX_0F38: 2,
  EVEX_0F3A: 3,
  EVEX_MAP5: 5,
  EVEX_MAP6: 6,
  XOP_MAP8: 8,
  XOP_MAP9: 9,
  XOP_MAP10: 10,
};

/** Fills buffers with strings. Half of them follow a row of the opcode table; the others are more and more random. */
export class ByteStrings {
  readonly #random: Random;
  readonly #rows: Row[];
  #next: number;
  #string = new Uint8Array(64);
  #length = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#rows = collectRows();
    this.#next = random.below(this.#rows.length);
  }

  /** Writes `count` strings of 15 bytes, `stringStride` apart, into `into`. */
  fill(into: Uint8Array, count: number): void {
    assert(into.length >= count * stringStride, "the strings fit");
    for (let n = 0; n < count; n++) {
      this.#make();
      into.set(this.#string.subarray(0, stringStride), n * stringStride);
    }
  }

  #make(): void {
    const random = this.#random;
    const string = this.#string;
    for (let at = 0; at < stringStride; at += 4) {
      const word = random.u32();
      string[at] = word;
      string[at + 1] = word >>> 8;
      string[at + 2] = word >>> 16;
      string[at + 3] = word >>> 24;
    }
    this.#length = 0;
    const choice = random.below(8);
    if (choice === 0) return; // nothing but random
    if (choice === 1) {
      this.#prefixes(6);
      if (random.oneIn(2)) this.#put(escapeBytes[random.below(escapeBytes.length)]!);
      return;
    }
    this.#rowString(this.#rows[this.#next]!);
    this.#next = (this.#next + 1) % this.#rows.length;
    if (choice === 2) this.#mutate();
    if (choice === 3) {
      this.#mutate();
      this.#mutate();
    }
  }

  #put(byte: number): void {
    this.#string[this.#length++] = byte;
  }

  #prefixes(max: number): void {
    const random = this.#random;
    for (let count = random.below(max + 1); count > 0; count--) {
      this.#put(random.oneIn(8) ? 0x40 + random.below(16) : legacyPrefixes[random.below(legacyPrefixes.length)]!);
    }
  }

  /** Makes an instruction of this form; everything that the form leaves open is random. */
  #rowString(row: Row): void {
    const random = this.#random;
    const lead = mapLead[row.map];
    if (typeof lead === "number") {
      if (random.oneIn(8)) this.#prefixes(2);
      else if (random.oneIn(4)) this.#put([0x64, 0x65, 0x67, 0x2e][random.below(4)]!);
      if (row.map.startsWith("EVEX")) this.#evexPrefix(row, lead);
      else this.#vexPrefix(row, lead);
      this.#put(row.opcode);
    } else {
      if (random.oneIn(2)) this.#prefixes(random.oneIn(4) ? 4 : 1);
      const mandatory = row.prefixes === 2 ? 0x66 : row.prefixes === 4 ? 0xf3 : row.prefixes === 8 ? 0xf2 : 0;
      if (mandatory !== 0) this.#put(mandatory);
      if ((row.sizes & 7) === 1 && random.oneIn(2)) this.#put(0x66);
      if ((row.sizes & 24) === 8 && !random.oneIn(8)) this.#put(0x67);
      if (random.oneIn(2)) this.#put(0x40 + random.below(16));
      for (const byte of lead) this.#put(byte);
      if (row.map !== "D3NOW") this.#put(row.opcode);
    }
    this.#modrm(row);
  }

  #vexPrefix(row: Row, map: number): void {
    const random = this.#random;
    const pp = this.#pp(row);
    const long = this.#vectorLength(row) & 1;
    const vvvv = random.oneIn(2) ? 15 : random.below(16);
    const low = (vvvv << 3) | (long << 2) | pp;
    const wide = this.#wide(row);
    if (map === 1 && wide === 0 && random.oneIn(3)) {
      this.#put(0xc5);
      this.#put((random.below(2) << 7) | low);
      return;
    }
    this.#put(row.map.startsWith("XOP") ? 0x8f : 0xc4);
    this.#put((random.below(8) << 5) | map);
    this.#put((wide << 7) | low);
  }

  #evexPrefix(row: Row, map: number): void {
    const random = this.#random;
    this.#put(0x62);
    const lowRegister = row.regClass !== "ANY" && !random.oneIn(4);
    this.#put((random.below(16) << 4) | (lowRegister ? 0x90 : 0) | map);
    const indexed = row.memory === "VECTOR" && !random.oneIn(8);
    const vvvv = indexed ? 15 | (random.below(2) << 4) : random.oneIn(2) ? 31 : random.below(32);
    this.#put((this.#wide(row) << 7) | ((vvvv & 15) << 3) | 4 | this.#pp(row));
    const masked = row.flags.includes("MMS_O_NEEDS_OPMASK") ? !random.oneIn(8) : random.oneIn(2);
    const opmask = masked ? random.below(8) : 0;
    const zeroing = random.oneIn(masked ? 2 : 16) ? 1 : 0;
    const takesBit = /BROADCAST|ROUNDING|SAE/.test(row.flags.join());
    const broadcast = random.oneIn(takesBit ? 2 : 16) ? 1 : 0;
    this.#put((zeroing << 7) | (this.#vectorLength(row) << 5) | (broadcast << 4) | ((vvvv >> 4) << 3) | opmask);
  }

  #pp(row: Row): number {
    if (this.#random.oneIn(32)) return this.#random.below(4);
    return row.prefixes === 2 ? 1 : row.prefixes === 4 ? 2 : row.prefixes === 8 ? 3 : 0;
  }

  #wide(row: Row): number {
    if ((row.vector & 0x30) === 0x30 || this.#random.oneIn(32)) return this.#random.below(2);
    return row.vector & 0x20 ? 1 : 0;
  }

  #vectorLength(row: Row): number {
    if ((row.vector & 7) === 7 || this.#random.oneIn(32)) return this.#random.below(4);
    return row.vector & 4 ? 2 : row.vector & 2 ? 1 : 0;
  }

  /** Makes a ModRM byte that the form accepts: memory more often than registers, SIB bytes often. */
  #modrm(row: Row): void {
    const random = this.#random;
    let modrm = random.below(256);
    if (random.oneIn(2)) modrm &= 0xbf;
    if (random.oneIn(4)) modrm = (modrm & 0xf8) | 4;
    if (row.modrmMask !== 0 && !random.oneIn(32)) modrm = (modrm & ~row.modrmMask) | row.modrmValue;
    const memoryOnly = row.flags.includes("MMS_O_MEM_ONLY");
    if (memoryOnly && modrm >= 0xc0 && !random.oneIn(16)) modrm &= 0xbf;
    const needsSib = row.memory === "VECTOR" || row.flags.includes("MMS_O_NEEDS_SIB");
    if (needsSib && !random.oneIn(8)) modrm = (modrm & 0xf8) | 4;
    if (row.flags.includes("MMS_O_REG_ONLY") && !random.oneIn(4)) modrm |= 0xc0;
    if (!row.flags.includes("MMS_O_MODRM")) return;
    this.#put(modrm);
    if (modrm < 0xc0 && (modrm & 7) === 4 && random.oneIn(4)) this.#put((random.below(32) << 3) | 5);
    if (row.map === "D3NOW") {
      const sib = modrm < 0xc0 && (modrm & 7) === 4 ? 1 : 0;
      const displacement = modrm >= 0xc0 ? 0 : modrm >= 0x80 ? 4 : modrm >= 0x40 ? 1 : (modrm & 7) === 5 ? 4 : 0;
      this.#string[(this.#length + sib + displacement) % this.#string.length] = row.opcode;
    }
  }

  /** Flips a bit, replaces a byte, removes one, or adds a prefix. */
  #mutate(): void {
    const random = this.#random;
    const at = random.below(8);
    switch (random.below(4)) {
      case 0:
        this.#string[at]! ^= 1 << random.below(8);
        break;
      case 1:
        this.#string[at] = random.below(256);
        break;
      case 2:
        this.#string.copyWithin(at, at + 1, stringStride);
        break;
      default:
        this.#string.copyWithin(1, 0, stringStride - 1);
        this.#string[0] = legacyPrefixes[random.below(legacyPrefixes.length)]!;
    }
  }
}

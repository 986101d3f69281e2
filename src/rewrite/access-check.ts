// The check in front of accesses: is the base register a decoy? An ordinary address of the kernel runs on after two instructions. All
// others go to a stub at the section's end, which calls the core. Whatever has no check still faults, and is recorded by that.
import { Code, Register } from "iced-x86";
import { UnknownNameError } from "../base/errors.js";
import { RelocationType, SymbolType } from "../elf/layout.js";
import { type FlowGraph, liveFlags } from "../x86/flag-liveness.js";
import { flowGraph } from "./flow-graph.js";
import { coreEntry } from "./instrument-order.js";
import type { InsertedCode, Instrumentation } from "./instrumentation.js";
import type { InsertedRoom, SectionLayout } from "./layout.js";
import { type CodeSection, type ModuleCode, sectionSymbol } from "./module-code.js";

/**
 * The check. A decoy is an address of the kernel with bit 62 clear; so are addresses of users, and null pointers, which the core
 * tells apart. Writes flags, so it stands only where none of them is read any more.
 *
 *     48 0f ba e0 3e       bt $62,%base        49 for r8 to r15; e0 + base
 *     0f 83 ........       jnc stub
 */
const check_bytes = 11;

/**
 * The stub. The core finds the instruction by its address, and returns with the carry set if it has made the access.
 *
 *     68 ........          push $instruction
 *     e8 ........          call mms_rewritten_access
 *     48 8d 64 24 08       lea 8(%rsp),%rsp
 *     0f 83 ........       jnc instruction
 *     e9 ........          jmp behind the instruction
 */
const stub = [
  ...[0x68, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x48, 0x8d, 0x64, 0x24, 0x08],
  ...[0x0f, 0x83, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0],
];
const stubAt = { instruction: 1, call: 5, core: 6, lea: 10, notMade: 15, notMadeTarget: 17, madeTarget: 22 } as const;

/** Sections where nothing may be called: the kernel's entry code, and code that must not be traced. */
const uncalled = /^\.(noinstr|entry|cpuidle)\b/;

/** The plain moves between a register or a constant and memory: those of core/move.c. */
const plainMoves = new Set<Code>([
  ...[Code.Mov_rm8_r8, Code.Mov_rm16_r16, Code.Mov_rm32_r32, Code.Mov_rm64_r64],
  ...[Code.Mov_r8_rm8, Code.Mov_r16_rm16, Code.Mov_r32_rm32, Code.Mov_r64_rm64],
  ...[Code.Mov_rm8_imm8, Code.Mov_rm16_imm16, Code.Mov_rm32_imm32, Code.Mov_rm64_imm32],
  ...[Code.Movzx_r16_rm8, Code.Movzx_r32_rm8, Code.Movzx_r64_rm8, Code.Movzx_r32_rm16, Code.Movzx_r64_rm16],
  ...[Code.Movsx_r16_rm8, Code.Movsx_r32_rm8, Code.Movsx_r64_rm8, Code.Movsx_r32_rm16, Code.Movsx_r64_rm16],
  Code.Movsxd_r64_rm32,
]);

export interface AccessCheckOptions {
  /** The checksum of coreEntry in the core's Module.symvers; undefined for a kernel without such versions. */
  crc: number | undefined;
  /** Functions to which checks are confined, with the parts that the compiler split off; all if there are none. */
  only?: readonly string[];
}

/** Makes the instrumentation that records accesses to devices. */
export function accessCheck({ crc, only = [] }: AccessCheckOptions): Instrumentation {
  return {
    imports: [{ name: coreEntry, crc }],
    chooseRoom: (module) => {
      const graph = flowGraph(module);
      const live = liveFlags([...graph.values()]);
      const byPart = new Map([...graph.keys()].map((index, place) => [index, live[place]!]));
      return module.code.map((code) => {
        const flags = code === undefined ? undefined : byPart.get(code.section.index);
        if (code === undefined || flags === undefined) return undefined;
        return roomIn(code, graph.get(code.section.index)!, flags, wantedCode(module, code, only));
      });
    },
    fill: (code, layout, content, symbolOf, module) => fill(module, code, layout, content, symbolOf(coreEntry)),
  };
}

/** A name that the compiler gave to a part of a function, or to a variant of it: `probe.cold`, `probe.isra.0`. */
const ofPart = /\.(?:cold|part|isra|constprop|llvm)\b.*$/;

/** Returns 1 for each byte of the functions named, all if none is. Throws UnknownNameError. */
function wantedCode(module: ModuleCode, code: CodeSection, only: readonly string[]): Uint8Array {
  const wanted = new Uint8Array(code.content.length);
  if (only.length === 0) return wanted.fill(1);
  const functions = module.symbols.filter(({ type }) => type === SymbolType.function);
  const known = new Set(functions.map(({ name }) => name.replace(ofPart, "")));
  for (const name of only) {
    if (known.has(name)) continue;
    throw new UnknownNameError(name, [...known], `${module.elf.file} has no function ${name}`);
  }
  for (const { name, section, value, size_bytes } of functions) {
    if (section !== code.section || !only.includes(name.replace(ofPart, ""))) continue;
    wanted.fill(1, Number(value), Number(value) + size_bytes);
  }
  return wanted;
}

/** The places of checks in one section. */
function roomIn(code: CodeSection, graph: FlowGraph, live: Uint8Array, wanted: Uint8Array): InsertedRoom | undefined {
  if (uncalled.test(code.section.name)) return undefined;
  const before_bytes = new Uint8Array(code.sweep.count);
  let stubs = 0;
  for (let number = 0; number < code.sweep.count; number += 1) {
    if (wanted[code.sweep.starts[number]!] !== 1 || !isWanted(code, number)) continue;
    if (live[number] !== 0 || graph.isOpaque[number] === 1) continue;
    before_bytes[number] = check_bytes;
    stubs += 1;
  }
  return stubs === 0 ? undefined : { before_bytes, tail_bytes: stubs * stub.length };
}

/** True for a plain move whose address may be a device's: not the stack's, and not relative to the code or to a segment. */
function isWanted({ sweep, isGlued }: CodeSection, number: number): boolean {
  const base = sweep.bases[number]!;
  const isGeneral = base >= Register.RAX && base <= Register.R15 && base !== Register.RSP;
  const hasSegment = sweep.segments[number] !== Register.None;
  return isGeneral && !hasSegment && isGlued[number] !== 1 && plainMoves.has(sweep.codes[number]!);
}

function fill(
  module: ModuleCode,
  code: CodeSection,
  { starts, before_bytes, tail }: SectionLayout,
  content: Uint8Array,
  core: number,
): InsertedCode {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const count = before_bytes.reduce((sum, size_bytes) => sum + Number(size_bytes > 0), 0);
  const relocations = {
    offsets: new Uint32Array(2 * count),
    types: new Uint32Array(2 * count),
    symbols: new Uint32Array(2 * count),
    addends: new Float64Array(2 * count),
  };
  if (count === 0) return { relocations: undefined, states: [] };
  const own = sectionSymbol(module, code);
  const states: InsertedCode["states"] = [];
  let place = 0;
  for (let number = 0; number < before_bytes.length; number += 1) {
    if (before_bytes[number] === 0) continue;
    const instruction = starts[number]!;
    const at = tail + place * stub.length;
    writeCheck(view, instruction - check_bytes, code.sweep.bases[number]! - Register.RAX, at);
    content.set(stub, at);
    view.setInt32(at + stubAt.notMadeTarget, instruction - (at + stubAt.notMadeTarget + 4), true);
    const behind = instruction + code.sweep.lengths[number]!;
    view.setInt32(at + stubAt.madeTarget, behind - (at + stubAt.madeTarget + 4), true);
    const [first, second] = [2 * place, 2 * place + 1];
    relocations.offsets.set([at + stubAt.instruction, at + stubAt.core], first);
    relocations.types.set([RelocationType.absolute32Signed, RelocationType.call32], first);
    relocations.symbols[first] = own;
    relocations.symbols[second] = core;
    relocations.addends.set([instruction, -4], first);
    states.push({ offset: at, instruction: number, pushed_bytes: 0 });
    states.push({ offset: at + stubAt.call, instruction: number, pushed_bytes: 8 });
    states.push({ offset: at + stubAt.notMade, instruction: number, pushed_bytes: 0 });
    place += 1;
  }
  return { relocations, states };
}

/** Writes the check of a register, by its number in machine code. */
function writeCheck(view: DataView, at: number, register: number, target: number): void {
  view.setUint8(at, register < 8 ? 0x48 : 0x49);
  view.setUint8(at + 1, 0x0f);
  view.setUint8(at + 2, 0xba);
  view.setUint8(at + 3, 0xe0 | (register & 7));
  view.setUint8(at + 4, 62);
  view.setUint8(at + 5, 0x0f);
  view.setUint8(at + 6, 0x83);
  view.setInt32(at + 7, target - (at + check_bytes), true);
}

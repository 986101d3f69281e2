// The check in front of accesses: is the base register a decoy? An ordinary address of the kernel runs on after two instructions. All
// others go to a stub at the section's end, which calls the core. So it is with calls of functions that access a device, whose check is
// of an argument. Whatever has no check still faults, and is recorded by that.
import { FlowControl, Register } from "iced-x86";
import { UnknownNameError } from "../base/errors.js";
import { RelocationType, SymbolType } from "../elf/layout.js";
import { type FlowGraph, liveFlags } from "../x86/flag-liveness.js";
import { callsIn } from "./called-functions.js";
import { flowGraph } from "./flow-graph.js";
import { type AccessKind, accessKinds, coreEntry } from "./instrument-order.js";
import type { FillRequest, InsertedCode, Instrumentation } from "./instrumentation.js";
import type { InsertedRoom } from "./layout.js";
import { type CodeSection, type ModuleCode, sectionSymbol } from "./module-code.js";
import { ordinaryBases } from "./ordinary-bases.js";
import { type Call, describeSites, isPortKind, site_bytes, siteKind, siteSection, siteSymbol } from "./sites.js";

/**
 * The check. A decoy is an address of the kernel with bit 62 clear; so are addresses of users, and null pointers, which the core
 * tells apart. Writes flags, so it stands only where none of them is read any more.
 *
 *     48 0f ba e0 3e       bt $62,%base        49 for r8 to r15; e0 + base
 *     0f 83 ........       jnc stub
 */
const check_bytes = 11;

/**
 * The check lies in the stub where flags are read; an access to ports needs none:
 *
 *     e9 ........          jmp stub
 */
const detour_bytes = 5;

/**
 * The stub. The core returns behind the first jump if it has executed the instruction, with the site taken from the stack.
 *
 *     68 ........          push $site
 *     e8 ........          call the core
 *     e9 ........          jmp instruction
 *     e9 ........          jmp behind the instruction
 *
 * If the instruction is a jump to a function that the core executes, the core returns in the function's place, and nothing is behind it.
 */
const stub = [0x68, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0];
const jumpStub = stub.slice(0, 15);
const stubAt = { site: 1, call: 5, core: 6, notMade: 10, notMadeTarget: 11, madeTarget: 16 } as const;

/**
 * The check in front of a stub, where flags are read:
 *
 *     9c                   pushf
 *     48 0f ba e0 3e       bt $62,%base
 *     73 06                jnc 1f
 *     9d                   popf
 *     e9 ........          jmp instruction
 *     9d                1: popf
 */
const savingCheck = [0x9c, 0x48, 0x0f, 0xba, 0xe0, 62, 0x73, 0x06, 0x9d, 0xe9, 0, 0, 0, 0, 0x9d];
const savingCheckAt = { test: 1, taken: 9, target: 10, device: 14 } as const;

/** Sections where nothing may be called: the kernel's entry code, and code that must not be traced. */
const uncalled = /^\.(noinstr|entry|cpuidle)\b/;

export interface AccessCheckOptions {
  /** The checksum of coreEntry in the core's Module.symvers; undefined for a kernel without such versions. */
  crc: number | undefined;
  /** The accesses that call the core; all kinds by default. */
  accesses?: readonly AccessKind[];
  /** Functions to which checks are confined, with the parts that the compiler split off; all if there are none. */
  only?: readonly string[];
  /** Instructions to which they are confined, as `function+0x1a`; undefined for all. */
  sites?: readonly string[] | undefined;
}

/** Makes the instrumentation that records accesses to devices. */
export function accessCheck({ crc, accesses = accessKinds, only = [], sites }: AccessCheckOptions): Instrumentation {
  return {
    imports: [{ name: coreEntry, crc }],
    data: { section: siteSection, symbol: siteSymbol },
    tailSymbol: (section) => `mms_stubs${section}`,
    chooseRoom: (module) => {
      const graph = flowGraph(module);
      const live = liveFlags([...graph.values()]);
      const byPart = new Map([...graph.keys()].map((index, place) => [index, live[place]!]));
      // an instruction that has accessed a device once may do so again, whatever the code looks like
      const ordinary = sites === undefined ? ordinaryIn(module, graph) : undefined;
      return module.code.map((code) => {
        const flags = code === undefined ? undefined : byPart.get(code.section.index);
        if (code === undefined || flags === undefined) return undefined;
        return roomIn(new CheckedCode(module, code), graph.get(code.section.index)!, flags, {
          accesses,
          ordinary: ordinary?.get(code.section.index),
          wanted: wantedCode(module, code, { only, sites }),
        });
      });
    },
    fill,
  };
}

/** Finds the accesses through pointers to ordinary memory, by the section: a check would cost time at each, and find nothing. */
function ordinaryIn(module: ModuleCode, graphs: Map<number, FlowGraph>): Map<number, Uint8Array> {
  const parts = [...graphs].map(([index, graph]) => ({ graph, content: module.code[index]!.content }));
  const found = ordinaryBases(parts);
  return new Map([...graphs.keys()].map((index, place) => [index, found[place]!]));
}

/** A name that the compiler gave to a part of a function, or to a variant of it: `probe.cold`, `probe.isra.0`. */
const ofPart = /\.(?:cold|part|isra|constprop|llvm)\b.*$/;

/** Returns 1 for each byte where checks are wanted: in all of the code, or in functions, or where sites are. Throws UnknownNameError. */
function wantedCode(
  module: ModuleCode,
  code: CodeSection,
  { only = [], sites }: Pick<AccessCheckOptions, "only" | "sites">,
): Uint8Array {
  const inFunctions = functionBytes(module, code, only);
  if (sites === undefined) return inFunctions;
  const wanted = new Uint8Array(code.content.length);
  const known = new Set(sites);
  for (const { type, name, section, value, size_bytes } of module.symbols) {
    if (type !== SymbolType.function || section !== code.section) continue;
    const end = Math.min(Number(value) + size_bytes, wanted.length);
    for (let at = Number(value); at < end; at += 1) {
      const isSite = code.instructionAt[at]! >= 0 && known.has(`${name}+0x${(at - Number(value)).toString(16)}`);
      if (isSite) wanted[at] = inFunctions[at]!;
    }
  }
  return wanted;
}

/** Returns 1 for each byte of the functions named, all if none is. Throws UnknownNameError. */
function functionBytes(module: ModuleCode, code: CodeSection, only: readonly string[]): Uint8Array {
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

/** The instructions to which a section's checks are confined. */
interface Confines {
  accesses: readonly AccessKind[];
  /** 1 for each instruction whose base points to ordinary memory; undefined if that isn't asked. */
  ordinary: Uint8Array | undefined;
  /** 1 for each byte of code. */
  wanted: Uint8Array;
}

/** One section of code, and all that its checks depend on. */
class CheckedCode {
  readonly code: CodeSection;
  readonly calls: ReadonlyMap<number, Call>;

  constructor(module: ModuleCode, code: CodeSection) {
    this.code = code;
    this.calls = callsIn(module, code);
  }

  isPort(number: number): boolean {
    return isPortKind(siteKind(this.code.sweep.codes[number]!) ?? 0);
  }

  /** Returns the number in machine code of the register that is tested. */
  testedRegister(number: number): number {
    return this.calls.get(number)?.function.address ?? this.code.sweep.bases[number]! - Register.RAX;
  }

  /**
   * True for an instruction on ports, for a call that the core can make, and for a plain move whose address may be a device's: not the
   * stack's, and not relative to the code or to a segment. The core's short way has no stack pointer of the driver's.
   */
  isWanted(number: number): boolean {
    const { sweep, isGlued } = this.code;
    if (isGlued[number] === 1) return false;
    if (this.calls.has(number)) return true;
    if (siteKind(sweep.codes[number]!) === undefined) return false;
    if (this.isPort(number)) return true;
    const base = sweep.bases[number]!;
    const isGeneral = base >= Register.RAX && base <= Register.R15 && base !== Register.RSP;
    return isGeneral && sweep.segments[number] === Register.None && sweep.movesStackPointer[number] !== 1;
  }

  /** True where the stub begins with a check. */
  hasSavingCheck(before_bytes: Uint8Array, number: number): boolean {
    return before_bytes[number] === detour_bytes && !this.isPort(number);
  }

  /** Returns the bytes of the stub behind its check. */
  stubOf(number: number): readonly number[] {
    const isJump = this.code.sweep.flows[number] === FlowControl.UnconditionalBranch;
    return isJump && this.calls.has(number) ? jumpStub : stub;
  }

  stubBytes(before_bytes: Uint8Array, number: number): number {
    return this.stubOf(number).length + (this.hasSavingCheck(before_bytes, number) ? savingCheck.length : 0);
  }
}

/** The places of checks in one section. */
function roomIn(
  checked: CheckedCode,
  graph: FlowGraph,
  live: Uint8Array,
  { accesses, ordinary, wanted }: Confines,
): InsertedRoom | undefined {
  const { section, sweep } = checked.code;
  if (uncalled.test(section.name)) return undefined;
  const before_bytes = new Uint8Array(sweep.count);
  let tail_bytes = 0;
  for (let number = 0; number < sweep.count; number += 1) {
    if (wanted[sweep.starts[number]!] !== 1 || graph.isOpaque[number] === 1 || !checked.isWanted(number)) continue;
    const isOnPorts = checked.isPort(number);
    if (!accesses.includes(isOnPorts ? "ports" : "mmio")) continue;
    if (!isOnPorts && ordinary?.[number] === 1) continue;
    const isInPlace = !isOnPorts && live[number] === 0;
    before_bytes[number] = isInPlace ? check_bytes : detour_bytes;
    tail_bytes += checked.stubBytes(before_bytes, number);
  }
  return tail_bytes === 0 ? undefined : { before_bytes, tail_bytes };
}

function fill({ module, code, layout, content, symbolOf, dataOffset }: FillRequest): InsertedCode {
  const { starts, before_bytes, tail } = layout;
  const checked = new CheckedCode(module, code);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const numbers: number[] = [];
  let portsLeft = 0;
  before_bytes.forEach((size_bytes, number) => {
    if (size_bytes > 0) numbers.push(number);
    else if (checked.isPort(number)) portsLeft += 1;
  });
  if (numbers.length === 0) return { relocations: undefined, states: [], data: undefined, portsLeft };
  const relocations = {
    offsets: new Uint32Array(2 * numbers.length),
    types: new Uint32Array(2 * numbers.length),
    symbols: new Uint32Array(2 * numbers.length),
    addends: new Float64Array(2 * numbers.length),
  };
  const states: InsertedCode["states"] = [];
  let at = tail;
  numbers.forEach((number, place) => {
    const instruction = starts[number]!;
    const register = checked.testedRegister(number);
    writeDetour(view, instruction, before_bytes[number]!, register, at);
    if (checked.hasSavingCheck(before_bytes, number)) {
      writeSavingCheck(view, at, register, instruction);
      states.push({ offset: at, instruction: number, pushed_bytes: 0 });
      states.push({ offset: at + savingCheckAt.test, instruction: number, pushed_bytes: 8 });
      states.push({ offset: at + savingCheckAt.taken, instruction: number, pushed_bytes: 0 });
      states.push({ offset: at + savingCheckAt.device, instruction: number, pushed_bytes: 8 });
      at += savingCheck.length;
    }
    const ownStub = checked.stubOf(number);
    content.set(ownStub, at);
    writeDistance(view, at + stubAt.notMadeTarget, instruction);
    const behind = instruction + code.sweep.lengths[number]!;
    if (ownStub === stub) writeDistance(view, at + stubAt.madeTarget, behind);
    const [first, second] = [2 * place, 2 * place + 1];
    relocations.offsets.set([at + stubAt.site, at + stubAt.core], first);
    relocations.types.set([RelocationType.absolute32Signed, RelocationType.call32], first);
    relocations.symbols[first] = symbolOf(siteSymbol);
    relocations.symbols[second] = symbolOf(coreEntry);
    relocations.addends.set([dataOffset + place * site_bytes, -4], first);
    states.push({ offset: at, instruction: number, pushed_bytes: 0 });
    states.push({ offset: at + stubAt.call, instruction: number, pushed_bytes: 8 });
    states.push({ offset: at + stubAt.notMade, instruction: number, pushed_bytes: 0 });
    at += ownStub.length;
  });
  const symbol = sectionSymbol(module, code);
  const data = describeSites({ code, numbers, calls: checked.calls, newStarts: starts, symbol });
  return { relocations, states, data, portsLeft };
}

/** Writes a distance of four bytes at the end of a jump. */
function writeDistance(view: DataView, at: number, target: number): void {
  view.setInt32(at, target - (at + 4), true);
}

/** Writes what stands in front of an instruction. */
function writeDetour(view: DataView, instruction: number, size_bytes: number, register: number, target: number): void {
  const at = instruction - size_bytes;
  if (size_bytes === detour_bytes) {
    view.setUint8(at, 0xe9);
  } else {
    writeTest(view, at, register);
    view.setUint8(at + 5, 0x0f);
    view.setUint8(at + 6, 0x83);
  }
  writeDistance(view, instruction - 4, target);
}

/** Writes the test of a register, by its number in machine code. */
function writeTest(view: DataView, at: number, register: number): void {
  view.setUint8(at, register < 8 ? 0x48 : 0x49);
  view.setUint8(at + 1, 0x0f);
  view.setUint8(at + 2, 0xba);
  view.setUint8(at + 3, 0xe0 | (register & 7));
  view.setUint8(at + 4, 62);
}

function writeSavingCheck(view: DataView, at: number, register: number, instruction: number): void {
  for (const [place, byte] of savingCheck.entries()) view.setUint8(at + place, byte);
  writeTest(view, at + savingCheckAt.test, register);
  writeDistance(view, at + savingCheckAt.target, instruction);
}

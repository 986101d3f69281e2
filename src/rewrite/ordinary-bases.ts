// Registers that point to ordinary memory where an instruction uses them as a base, as far as the code around it shows. Drivers access
// devices by plain moves between registers and memory: readl() and writel() are nothing else. So a pointer through which something is
// added, compared, extended or stored as a constant doesn't point to a device; nor does one from which a pointer is loaded, or through
// which one is stored. This is guessing: whoever relies on it must be right where it is wrong, too.
import {
  Code,
  Decoder,
  DecoderOptions,
  FlowControl,
  Instruction,
  InstructionInfoFactory,
  OpAccess,
  OpKind,
  Register,
} from "iced-x86";
import type { FlowGraph } from "../x86/flag-liveness.js";

/** A section's part of the graph, with the bytes that it was decoded from. */
export interface CodePart {
  graph: FlowGraph;
  content: Uint8Array;
}

/** Registers as bits, by their numbers in machine code. */
const bit = (...numbers: number[]): number => numbers.reduce((mask, number) => mask | (1 << number), 0);
const stackPointer = 4;
/** rax, rcx, rdx, rsi, rdi, r8 to r11: a call may change them. */
const changedByCalls = bit(0, 1, 2, 6, 7, 8, 9, 10, 11);
/** rdi, rsi, rdx, rcx, r8, r9. */
const parameters = bit(7, 6, 2, 1, 8, 9);

const codesNamed = (pattern: RegExp): Set<Code> =>
  new Set(
    Object.entries(Code)
      .filter(([name]) => pattern.test(name))
      .map(([, code]) => code as Code),
  );
/** Moves between a general register and memory, which a driver's access to a device is. */
const plainMoves = codesNamed(/^Mov_(?:r(?:8|16|32|64)_rm|rm(?:8|16|32|64)_r)(?:8|16|32|64)$/);
/** Instructions that don't access their operand, or are made for devices. */
const noEvidence = codesNamed(/^(?:Lea|Nop|Reservednop|Prefetch|Clflush|Clwb|Cldemote|Invlpg|Movnti|Movdir|Movnt)/);
/** Additions of a constant, which leave a pointer in its object. */
const steps = codesNamed(/^(?:(?:Add|Sub)_(?:rm64_imm8|rm64_imm32|RAX_imm32)|(?:Inc|Dec)_rm64)$/);

/** Facts shared by all instructions of one Code. */
interface CodeFacts {
  writesFirst: boolean;
  writesSecond: boolean;
  /** Registers that are written, and aren't operands. */
  implicit: number;
}

/** Facts about each instruction, in the graph's row. */
interface Facts {
  /** Registers that it writes, but for steps of pointers. */
  written: Uint16Array;
  /** Registers that it makes point to ordinary memory: to the stack, to the module's data, or to what a CPU's own data points to. */
  fresh: Uint16Array;
  /** The base that must be ordinary, whatever is around it. */
  evidence: Uint16Array;
  /** The base of its access; 0 for none. */
  base: Uint16Array;
  /** Of a pointer that is copied, with a constant added or without: its old register and its new one; 0 for none. */
  copied: Uint16Array;
  copy: Uint16Array;
  /** The register of eight bytes that is loaded from memory, or stored. */
  loaded: Uint16Array;
  stored: Uint16Array;
}

/** Returns, for each section, the bases of the instructions that point to ordinary memory: 1 for each instruction where it does. */
export function ordinaryBases(parts: readonly CodePart[]): Uint8Array[] {
  const facts = collectFacts(parts);
  const graphs = parts.map(({ graph }) => graph);
  const { evidence, base } = facts;
  const usedAsBase = spreadBackward(graphs, facts, base);
  addPointerEvidence(graphs, facts, usedAsBase);
  const before = spreadBackward(graphs, facts, evidence);
  const known = spreadForward(graphs, facts, before);
  return graphs.map(({ first, sweep: { count } }) => {
    const place = (number: number) => first + number;
    return Uint8Array.from({ length: count }, (_, number) =>
      Number((known[place(number)]! & base[place(number)]!) !== 0),
    );
  });
}

function collectFacts(parts: readonly CodePart[]): Facts {
  const count = parts.reduce((sum, { graph }) => sum + graph.sweep.count, 0);
  const column = () => new Uint16Array(count);
  const facts: Facts = {
    ...{ written: column(), fresh: column(), evidence: column(), base: column() },
    ...{ copied: column(), copy: column(), loaded: column(), stored: column() },
  };
  const known = new Map<Code, CodeFacts>();
  const factory = new InstructionInfoFactory();
  const instruction = new Instruction();
  try {
    for (const { graph, content } of parts) {
      const decoder = new Decoder(64, content, DecoderOptions.None);
      for (let number = 0; number < graph.sweep.count; number += 1) {
        decoder.decodeOut(instruction);
        collect(facts, graph, number, instruction, codeFacts(known, factory, instruction));
      }
      decoder.free();
    }
  } finally {
    instruction.free();
    factory.free();
  }
  return facts;
}

const isWriting = (access: OpAccess): boolean =>
  access === OpAccess.Write ||
  access === OpAccess.CondWrite ||
  access === OpAccess.ReadWrite ||
  access === OpAccess.ReadCondWrite;

function codeFacts(known: Map<Code, CodeFacts>, factory: InstructionInfoFactory, instruction: Instruction): CodeFacts {
  const { code } = instruction;
  let found = known.get(code);
  if (found !== undefined) return found;
  const info = factory.info(instruction);
  const writesFirst = isWriting(info.op0Access);
  const writesSecond = isWriting(info.op1Access);
  let implicit = 0;
  for (const used of info.usedRegisters()) {
    if (isWriting(used.access)) implicit |= generalBit(used.register);
    used.free();
  }
  if (writesFirst) implicit &= ~generalBit(instruction.op0Register);
  if (writesSecond) implicit &= ~generalBit(instruction.op1Register);
  info.free();
  found = { writesFirst, writesSecond, implicit };
  known.set(code, found);
  return found;
}

function collect(facts: Facts, graph: FlowGraph, number: number, instruction: Instruction, code: CodeFacts): void {
  const { sweep, first } = graph;
  const place = first + number;
  const id = sweep.codes[number]! as Code;
  const flow = sweep.flows[number]!;
  const base = generalBit(sweep.bases[number]!) & ~bit(stackPointer);
  const firstKind = instruction.op0Kind;
  const secondKind = instruction.op1Kind;
  const isMemory = firstKind === OpKind.Memory || secondKind === OpKind.Memory;
  const destination = firstKind === OpKind.Register ? generalBit(instruction.op0Register) : 0;
  const source = secondKind === OpKind.Register ? generalBit(instruction.op1Register) : 0;
  if (flow === FlowControl.Call || flow === FlowControl.IndirectCall) {
    facts.written[place] = graph.keepsRegisters[number] === 1 ? 0 : changedByCalls;
  } else if (!(steps.has(id) && destination !== 0)) {
    facts.written[place] = code.implicit | (code.writesFirst ? destination : 0) | (code.writesSecond ? source : 0);
  }
  if (id === Code.Lea_r64_m) {
    if (sweep.indexes[number] === Register.None) derive(facts, place, sweep.bases[number]!, destination);
    return;
  }
  if (!isMemory) {
    if (id === Code.Mov_r64_rm64 || id === Code.Mov_rm64_r64) {
      derive(facts, place, instruction.op1Register, destination);
    }
    return;
  }
  if (sweep.segments[number] !== Register.None) {
    // the CPU's own data
    if (id === Code.Mov_r64_rm64) facts.fresh[place] = destination;
    return;
  }
  const isAmbiguous = sweep.indexes[number] !== Register.None && instruction.memoryIndexScale === 1;
  if (base === 0 || noEvidence.has(id)) return;
  facts.base[place] = base;
  if (isAmbiguous) return;
  if (!plainMoves.has(id)) facts.evidence[place] = base;
  if (id === Code.Mov_r64_rm64) facts.loaded[place] = destination;
  if (id === Code.Mov_rm64_r64) facts.stored[place] = source;
}

/** Notes that a register is made from another one. */
function derive({ fresh, copied, copy }: Facts, place: number, from: Register, to: number): void {
  if (from === Register.RIP || from === Register.RSP) {
    fresh[place] = to;
    return;
  }
  copied[place] = generalBit(from);
  copy[place] = to;
}

/** Adds the bases of accesses by which a pointer is loaded or stored. */
function addPointerEvidence(graphs: readonly FlowGraph[], facts: Facts, usedAsBase: Uint16Array): void {
  const { evidence, base, loaded, stored } = facts;
  for (const { first, sweep } of graphs) {
    for (let place = first; place + 1 < first + sweep.count; place += 1) {
      if (((loaded[place]! | stored[place]!) & usedAsBase[place + 1]!) !== 0) evidence[place]! |= base[place]!;
    }
  }
}

/**
 * Returns, for each instruction, the registers for which `marks` has a mark on some way from it on, before they are written; a mark of
 * a copy is one of its origin. A callee's marks of its parameters count at its calls.
 */
function spreadBackward(graphs: readonly FlowGraph[], facts: Facts, marks: Uint16Array): Uint16Array {
  const { written, copied, copy } = facts;
  const found = Uint16Array.from(marks);
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    for (const { first, sweep, targets } of graphs) {
      for (let number = sweep.count - 1; number >= 0; number -= 1) {
        const place = first + number;
        const flow = sweep.flows[number]!;
        const target = targets[number]! >= 0 ? found[targets[number]!]! : 0;
        let after = goesOn(flow) && number + 1 < sweep.count ? found[place + 1]! : 0;
        if (isBranch(flow)) after |= target;
        let now = marks[place]! | (after & ~written[place]!);
        if ((after & copy[place]!) !== 0) now |= copied[place]!;
        if (flow === FlowControl.Call) now |= target & parameters;
        if ((now | found[place]!) === found[place]!) continue;
        found[place]! |= now;
        isChanged = true;
      }
    }
  }
  return found;
}

/** Returns, for each instruction, the registers that are ordinary in front of it: those in `seeds`, and those that stay so from before. */
function spreadForward(graphs: readonly FlowGraph[], facts: Facts, seeds: Uint16Array): Uint16Array {
  const { written, fresh, copied, copy } = facts;
  const known = Uint16Array.from(seeds);
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    const add = (place: number, mask: number) => {
      if ((known[place]! | mask) === known[place]!) return;
      known[place]! |= mask;
      isChanged = true;
    };
    for (const { first, sweep, targets } of graphs) {
      for (let number = 0; number < sweep.count; number += 1) {
        const place = first + number;
        const flow = sweep.flows[number]!;
        const now = known[place]!;
        let after = (now & ~written[place]!) | fresh[place]!;
        if ((now & copied[place]!) !== 0) after |= copy[place]!;
        if (goesOn(flow) && number + 1 < sweep.count) add(place + 1, after);
        if (targets[number]! < 0) continue;
        if (isBranch(flow)) add(targets[number]!, after);
        else if (flow === FlowControl.Call) add(targets[number]!, now & parameters);
      }
    }
  }
  return known;
}

function goesOn(flow: FlowControl): boolean {
  return flow !== FlowControl.UnconditionalBranch && flow !== FlowControl.IndirectBranch && flow !== FlowControl.Return;
}

function isBranch(flow: FlowControl): boolean {
  return flow === FlowControl.UnconditionalBranch || flow === FlowControl.ConditionalBranch;
}

/** Returns the bit of the general register that a register is a part of; 0 for others. */
function generalBit(register: Register): number {
  if (register < Register.AL || register > Register.R15) return 0;
  if (register >= Register.RAX) return 1 << (register - Register.RAX);
  if (register >= Register.EAX) return 1 << (register - Register.EAX);
  if (register >= Register.AX) return 1 << (register - Register.AX);
  // iced has the four high bytes between bl and spl
  if (register >= Register.SPL) return 1 << (register - Register.SPL + 4);
  return 1 << ((register - Register.AL) & 3);
}

// Proves the inserted checks of accesses: each tests the base register of the instruction behind it, changes no flag that is read, and
// leads to a stub of its own, which names that instruction to the core, and returns to it or behind it.

import { DeadFlags } from "./dead-flags.js";
import type { PairedCode } from "./pair-code.js";
import type { InsertedCodeProof } from "./prove.js";
import { disassemble, type ReadModule } from "./read-module.js";
import type { Comparison } from "./references.js";
import { compareTail, type TailInstruction } from "./unwinding.js";

const check_bytes = 11;
const stub_bytes = 26;
/** The general registers by iced's numbers, from rax on. */
const registers = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];
const firstRegister = 53;

/** A check, and the stub that it leads to. */
interface Check {
  section: number;
  number: number;
  stub: number;
}

/** Makes the proof. `crc`: the checksum with which the core's function must be imported, if any. */
export const proveChecks =
  (crc: number | undefined): InsertedCodeProof =>
  (comparison, inserted) => {
    proveVersions(comparison, crc);
    proveAllChecks(comparison, inserted);
  };

/** Looks if the versions have one entry more: { u64 crc; char name[56]; } */
function proveVersions({ old, new: after, complain }: Comparison, crc: number | undefined): void {
  const contentIn = ({ elf }: ReadModule) => {
    const section = elf.section("__versions");
    return section === undefined ? Buffer.alloc(0) : Buffer.from(elf.content(section));
  };
  const added = contentIn(after).subarray(contentIn(old).length);
  const expected = Buffer.alloc(crc === undefined ? 0 : 64);
  if (crc !== undefined) {
    expected.writeUInt32LE(crc);
    expected.write("mms_rewritten_access", 8);
  }
  if (!added.equals(expected)) complain("__versions", contentIn(old).length, "not the version of the core's function");
}

const proveAllChecks: InsertedCodeProof = (comparison, inserted) => {
  const flags = new DeadFlags(comparison);
  const states: TailInstruction[] = [];
  for (const [section, paired] of comparison.paired) {
    const name = paired.old.section.name;
    const own = inserted.filter((range) => range.section === name);
    const tail = own.find(({ kind }) => kind === "tail");
    const stubs = new Set<number>();
    for (let number = 0; number < paired.old.starts.length - 1; number += 1) {
      if (paired.destinations[number] === paired.new.starts[number]) continue;
      const stub = proveCheck(comparison, paired, number);
      if (stub === undefined) continue;
      if (!flags.isDead(section, number))
        comparison.complain(name, paired.destinations[number]!, "a check writes flags that are read");
      stubs.add(stub);
      states.push(...proveStub(comparison, { section, number, stub }));
    }
    const starts = [...stubs].sort((a, b) => a - b);
    const isWhole = starts.every((start, place) => start === tail!.offset + place * stub_bytes);
    if (!isWhole || starts.length * stub_bytes !== (tail?.length_bytes ?? 0)) {
      comparison.complain(name, tail?.offset ?? 0, "the tail isn't made of one stub for each check");
    }
    const more =
      (comparison.new.relocations.get(section)?.length ?? 0) - (comparison.old.relocations.get(section)?.length ?? 0);
    if (more !== 2 * starts.length) comparison.complain(name, 0, "not two relocations for each stub");
  }
  compareTail(comparison, states);
};

/** Returns the stub's offset. */
function proveCheck(
  { complain }: Comparison,
  { old, new: after, destinations }: PairedCode,
  number: number,
): number | undefined {
  const at = destinations[number]!;
  const base = registers[old.bases[number]! - firstRegister];
  const bytes = after.bytes.subarray(at, at + check_bytes);
  const [test, jump, ...more] = disassemble(bytes, at);
  const target = /^jae (?:near )?([0-9A-F]+)h$/.exec(jump?.text ?? "")?.[1];
  const isRight = test?.text === `bt ${base},3Eh` && more.length === 0 && base !== "rsp";
  if (at + check_bytes === after.starts[number] && isRight && target !== undefined) return Number.parseInt(target, 16);
  complain(old.section.name, at, "not the check of the base register that follows");
  return undefined;
}

function proveStub(comparison: Comparison, { section, number, stub }: Check): TailInstruction[] {
  const { new: after, old } = comparison.paired.get(section)!;
  const serves = after.starts[number]!;
  const behind = serves + after.lengths[number]!;
  const lines = disassemble(after.bytes.subarray(stub, stub + stub_bytes), stub);
  const hexadecimal = (offset: number) => `${offset.toString(16).toUpperCase().padStart(16, "0")}h`;
  const expected = [
    ...["push 0", `call ${hexadecimal(stub + 10)}`, "lea rsp,[rsp+8]"],
    ...[`jae ${hexadecimal(serves)}`, `jmp ${hexadecimal(behind)}`],
  ];
  const found = lines.map(({ text }) => text.replace(/\b(near|short) /, ""));
  // lea has several encodings of one meaning
  const lea = Buffer.from(after.bytes.subarray(stub + 10, stub + 15)).toString("hex");
  if (JSON.stringify(found) !== JSON.stringify(expected) || lea !== "488d642408") {
    comparison.complain(old.section.name, stub, `a stub of ${found.join("; ")}, not ${expected.join("; ")}`);
  }
  proveStubRelocations(comparison, section, stub, serves);
  const pushed = [0, 8, 8, 0, 0];
  return lines.map(({ offset }, place) => ({
    section,
    offset: stub + offset,
    serves,
    pushed_bytes: pushed[place] ?? 0,
  }));
}

function proveStubRelocations(comparison: Comparison, section: number, stub: number, serves: number): void {
  const { new: after, old, complain } = comparison;
  const added = addedRelocations(comparison, section);
  const [address, call] = [added.get(stub + 1), added.get(stub + 6)];
  const own = after.symbols[address?.symbol ?? 0]!;
  const isAddress =
    address?.type === 11 && own.section?.index === section && Number(own.value) + address.addend === serves;
  const core = after.symbols[call?.symbol ?? 0]!;
  const isImported =
    (call?.symbol ?? 0) >= old.symbols.length && core.name === "mms_rewritten_access" && core.sectionNumber === 0;
  if (!isAddress || !isImported || call?.type !== 4 || call.addend !== -4) {
    complain(after.elf.sections[section]!.name, stub, "a stub that doesn't call the core with its instruction");
  }
}

const addedBySection = new WeakMap<
  Comparison,
  Map<number, Map<number, { type: number; symbol: number; addend: number }>>
>();

/** The relocations behind the original's, by offset. */
function addedRelocations(comparison: Comparison, section: number) {
  const known =
    addedBySection.get(comparison) ?? new Map<number, Map<number, { type: number; symbol: number; addend: number }>>();
  addedBySection.set(comparison, known);
  let found = known.get(section);
  if (found === undefined) {
    const before = comparison.old.relocations.get(section)?.length ?? 0;
    found = new Map(
      (comparison.new.relocations.get(section) ?? []).slice(before).map((entry) => [entry.offset, entry]),
    );
    known.set(section, found);
  }
  return found;
}

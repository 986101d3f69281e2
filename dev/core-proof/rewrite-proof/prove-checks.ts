// Proves the inserted checks of accesses: each tests the base register of the instruction behind it, changes no flag that is read, and
// leads to a stub of its own, which names that instruction's site to the core, and returns to it or behind it. Each site describes its
// instruction as a disassembler prints it.

import { DeadFlags } from "./dead-flags.js";
import type { PairedCode } from "./pair-code.js";
import type { InsertedCodeProof } from "./prove.js";
import { disassemble, type ReadModule, type ReadRelocation } from "./read-module.js";
import type { Comparison } from "./references.js";
import { type CallFields, callFieldsOf, siteFieldsOf } from "./site-text.js";
import { compareTail, type TailInstruction } from "./unwinding.js";

const check_bytes = 11;
const detour_bytes = 5;
const savingCheck_bytes = 15;
const stub_bytes = 20;
/** A jump to a function has nothing behind it: the core returns in the function's place. */
const jumpStub_bytes = 15;
/** The general registers by iced's numbers, from rax on. */
const registers = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
];
const firstRegister = 53;

const coreName = "mms_rewritten_access_2";
const siteSection = ".mms_sites";
const siteName = "mms_sites";
const site_bytes = 40;
/** The offsets of the site's fields; the core's own begin at 24. */
const siteFields = {
  kind: 4,
  bytes: 6,
  base: 7,
  index: 16,
  scale: 17,
  reg: 18,
  regBytes: 19,
  regShift: 20,
  jump: 21,
} as const;
const siteAt = { length: 5, displacement: 8, immediate: 12, function: 36 } as const;

/** An instruction with a check or a detour in front, and the stub that it leads to. */
interface Check {
  section: number;
  number: number;
  stub: number;
  /** The flags are saved in the stub, which tests the register itself. */
  saves: boolean;
  /** The instruction is a call of a function that the core executes. */
  call: CallFields | undefined;
}

/** Makes the proof. `crc`: the checksum with which the core's function must be imported, if any. */
export const proveChecks = (crc: number | undefined): InsertedCodeProof => ({
  newSections: [siteSection, `.rela${siteSection}`],
  prove: (comparison, inserted) => {
    proveVersions(comparison, crc);
    proveAllChecks(comparison, inserted);
  },
});

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
    expected.write(coreName, 8);
  }
  if (!added.equals(expected)) complain("__versions", contentIn(old).length, "not the version of the core's function");
}

const proveAllChecks: InsertedCodeProof["prove"] = (comparison, inserted) => {
  const flags = new DeadFlags(comparison);
  const states: TailInstruction[] = [];
  const sites: { section: number; number: number; call: CallFields | undefined }[] = [];
  const stubSymbols: string[] = [];
  for (const [section, paired] of comparison.paired) {
    const name = paired.old.section.name;
    const tail = inserted.find((range) => range.section === name && range.kind === "tail");
    let end = tail?.offset ?? 0;
    let count = 0;
    for (let number = 0; number < paired.old.starts.length - 1; number += 1) {
      if (paired.destinations[number] === paired.new.starts[number]) continue;
      const check = proveCheck(comparison, section, number);
      if (check === undefined) continue;
      const { stub, saves, call } = check;
      if (!saves && !isDetour(paired, number) && !flags.isDead(section, number))
        comparison.complain(name, paired.destinations[number]!, "a check writes flags that are read");
      if (stub !== end) comparison.complain(name, stub, "the tail isn't made of one stub for each check, in order");
      end = stub + callingBytes(check) + (saves ? savingCheck_bytes : 0);
      states.push(...proveStub(comparison, check, sites.length));
      sites.push({ section, number, call });
      count += 1;
    }
    if (end !== (tail === undefined ? 0 : tail.offset + tail.length_bytes)) {
      comparison.complain(name, end, "the tail isn't made of one stub for each check");
    }
    const more = comparison.new.relocations.count(section) - comparison.old.relocations.count(section);
    if (more !== 2 * count) comparison.complain(name, 0, "not two relocations for each stub");
    if (tail !== undefined) stubSymbols.push(`mms_stubs${name} 2 ${section} ${tail.offset} ${tail.length_bytes}`);
  }
  compareTail(comparison, states);
  proveSites(comparison, sites);
  proveSymbols(comparison, stubSymbols);
  provePortsLeft(comparison);
};

/** in, out and their strings, behind their prefixes. */
const portOpcode = /^(?:66|f[23]|4.)*(?:e[4-7]|e[c-f]|6[c-f])/;

/** Looks if the number of instructions on ports that got nothing is told. */
function provePortsLeft({ new: after, paired, complain }: Comparison): void {
  let left = 0;
  for (const { old, new: now, destinations } of paired.values()) {
    for (let number = 0; number < old.starts.length - 1; number += 1) {
      if (destinations[number] !== now.starts[number]) continue;
      const start = old.starts[number]!;
      const bytes = Buffer.from(old.bytes.subarray(start, start + old.lengths[number]!));
      left += Number(portOpcode.test(bytes.toString("hex")));
    }
  }
  const text = Buffer.from(after.elf.content(after.elf.section(".mms_rewriting")!)).toString("latin1");
  if (!text.startsWith(`{"portsLeft":${left},`))
    complain(".mms_rewriting", 0, `not ${left} instructions on ports left`);
}

const isDetour = ({ destinations, new: after }: PairedCode, number: number) =>
  after.starts[number]! - destinations[number]! === detour_bytes;

const textOf = ({ old }: PairedCode, number: number): string => {
  const start = old.starts[number]!;
  return disassemble(old.bytes.subarray(start, start + old.lengths[number]!), start)[0]?.text ?? "";
};

const jumpTarget = (text: string | undefined, mnemonic: string): number | undefined => {
  const [, name, target] = /^(jae|jmp) (?:near |short )?([0-9A-F]+)h$/.exec(text ?? "") ?? [];
  return name === mnemonic && target !== undefined ? Number.parseInt(target, 16) : undefined;
};

const callingBytes = ({ call }: Check) => (call?.jump === 1 ? jumpStub_bytes : stub_bytes);

/** Reads an instruction as a call of the kernel's, by the relocation of its distance. */
function callAt({ old, paired }: Comparison, section: number, number: number): CallFields | undefined {
  const code = paired.get(section)!.old;
  const field = code.starts[number]! + code.distanceFields[number]!;
  if (code.isBranch[number] !== 1) return undefined;
  const relocation = oldRelocations(old, section).get(field);
  const symbol = relocation === undefined ? undefined : old.symbols[relocation.symbol]!;
  if (symbol === undefined || symbol.sectionNumber !== 0 || relocation!.addend !== -4) return undefined;
  return callFieldsOf(textOf(paired.get(section)!, number), symbol.name);
}

function proveCheck(comparison: Comparison, section: number, number: number): Check | undefined {
  const { complain, paired: all } = comparison;
  const paired = all.get(section)!;
  const { old, new: after, destinations } = paired;
  const at = destinations[number]!;
  const instruction = after.starts[number]!;
  const lines = disassemble(after.bytes.subarray(at, instruction), at).map(({ text }) => text);
  const call = callAt(comparison, section, number);
  const isPort = (siteFieldsOf(textOf(paired, number))?.kind ?? 0) >= 16;
  if (instruction - at === detour_bytes) {
    const stub = jumpTarget(lines[0], "jmp");
    if (lines.length === 1 && stub !== undefined) return { section, number, stub, saves: !isPort, call };
  } else if (instruction - at === check_bytes && !isPort) {
    const base = registers[call?.base ?? old.bases[number]! - firstRegister];
    const stub = jumpTarget(lines[1], "jae");
    const isRight = lines[0] === `bt ${base},3Eh` && lines.length === 2 && base !== "rsp";
    if (isRight && stub !== undefined) return { section, number, stub, saves: false, call };
  }
  complain(old.section.name, at, "not the check of the base register that follows");
  return undefined;
}

function proveStub(comparison: Comparison, check: Check, site: number): TailInstruction[] {
  const { section, number, stub, saves } = check;
  const { new: after, old } = comparison.paired.get(section)!;
  const serves = after.starts[number]!;
  const behind = serves + after.lengths[number]!;
  const call = stub + (saves ? savingCheck_bytes : 0);
  // the formatter writes a target below 10 as a single digit
  const hexadecimal = (offset: number) =>
    offset < 10 ? String(offset) : `${offset.toString(16).toUpperCase().padStart(16, "0")}h`;
  const base = registers[check.call?.base ?? old.bases[number]! - firstRegister];
  const saving = [
    ...["pushf", `bt ${base},3Eh`, `jae ${hexadecimal(call - 1)}`, "popf"],
    ...[`jmp ${hexadecimal(serves)}`, "popf"],
  ];
  const calling = [
    ...["push 0", `call ${hexadecimal(call + 10)}`],
    ...[`jmp ${hexadecimal(serves)}`, ...(check.call?.jump === 1 ? [] : [`jmp ${hexadecimal(behind)}`])],
  ];
  const expected = saves ? [...saving, ...calling] : calling;
  const lines = disassemble(after.bytes.subarray(stub, call + callingBytes(check)), stub);
  const found = lines.map(({ text }) => text.replace(/\b(near|short) /, ""));
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    comparison.complain(old.section.name, stub, `a stub of ${found.join("; ")}, not ${expected.join("; ")}`);
  }
  proveStubRelocations(comparison, section, call, site);
  const pushed = [...(saves ? [0, 8, 8, 8, 0, 8] : []), 0, 8, 0, 0];
  return lines.map(({ offset }, place) => ({
    section,
    offset: stub + offset,
    serves,
    pushed_bytes: pushed[place] ?? 0,
  }));
}

function proveStubRelocations(comparison: Comparison, section: number, stub: number, site: number): void {
  const { new: after, old, complain } = comparison;
  const added = addedRelocations(comparison, section);
  const [address, call] = [added.get(stub + 1), added.get(stub + 6)];
  const table = after.symbols[address?.symbol ?? 0]!;
  const isSite =
    address?.type === 11 &&
    table.section?.name === siteSection &&
    Number(table.value) + address.addend === site * site_bytes;
  const core = after.symbols[call?.symbol ?? 0]!;
  const isImported = (call?.symbol ?? 0) >= old.symbols.length && core.name === coreName && core.sectionNumber === 0;
  if (!isSite || !isImported || call?.type !== 4 || call.addend !== -4) {
    complain(after.elf.sections[section]!.name, stub, "a stub that doesn't call the core with its site");
  }
}

/** Looks if the table of sites has one for each instruction, in order, which describes it. */
function proveSites(
  comparison: Comparison,
  sites: readonly { section: number; number: number; call: CallFields | undefined }[],
): void {
  const { new: after, complain } = comparison;
  const section = after.elf.section(siteSection)!;
  const table = after.elf.section(`.rela${siteSection}`)!;
  const content = Buffer.from(after.elf.content(section));
  const symbols = after.elf.section(".symtab")!.index;
  const isRight = section.flags === 3n && section.type === 1 && section.alignment === 8;
  if (!isRight || table.info !== section.index || table.link !== symbols || table.entry_bytes !== 24)
    complain(siteSection, 0, "another header than a table of sites has");
  const relocations = after.relocations.get(section.index) ?? [];
  const calls = sites.filter(({ call }) => call !== undefined).length;
  if (content.length !== sites.length * site_bytes || relocations.length !== sites.length + calls) {
    complain(siteSection, content.length, "not one site for each check");
    return;
  }
  let next = 0;
  sites.forEach(({ section: code, number, call }, place) => {
    const paired = comparison.paired.get(code)!;
    const { offset, type, symbol, addend } = relocations[next++]!;
    const { section: target, value } = after.symbols[symbol]!;
    const isPlace = offset === place * site_bytes && type === 2 && target?.index === code;
    if (!isPlace || Number(value) + addend !== paired.new.starts[number])
      complain(siteSection, place * site_bytes, "a site of another instruction");
    if (call !== undefined) {
      const called = relocations[next++]!;
      const isFunction = called.type === 2 && called.addend === 0 && after.symbols[called.symbol]!.name === call.name;
      if (!isFunction || called.offset !== place * site_bytes + siteAt.function)
        complain(siteSection, place * site_bytes, "a site of another function's call");
    }
    proveSite(comparison, content.subarray(place * site_bytes, (place + 1) * site_bytes), place, {
      paired,
      number,
      call,
    });
  });
}

function proveSite(
  { complain }: Comparison,
  bytes: Buffer,
  place: number,
  { paired, number, call }: { paired: PairedCode; number: number; call: CallFields | undefined },
): void {
  const text = textOf(paired, number);
  const fields = call ?? siteFieldsOf(text);
  const expected = Buffer.alloc(site_bytes);
  if (fields !== undefined) {
    expected.writeInt32LE(fields.displacement, siteAt.displacement);
    expected.writeInt32LE(fields.immediate, siteAt.immediate);
    expected.writeUInt8(paired.old.lengths[number]!, siteAt.length);
    for (const [name, at] of Object.entries(siteFields))
      expected.writeUInt8(fields[name as keyof typeof siteFields], at);
  }
  if (!bytes.equals(expected))
    complain(siteSection, place * site_bytes, `not the description of ${call?.name ?? text}`);
}

/** Looks if the new symbols are the core's function, the sites, and the stubs of each section. */
function proveSymbols({ old, new: after, complain }: Comparison, stubs: readonly string[]): void {
  const section = after.elf.section(siteSection)!.index;
  const expected = [`${coreName} 0 0 0 0`, `${siteName} 1 ${section} 0 0`, ...stubs];
  const found = after.symbols
    .slice(old.symbols.length)
    .map(({ name, type, sectionNumber, value, size_bytes }) =>
      [name, type, sectionNumber, value, size_bytes].join(" "),
    );
  if (found.join() !== expected.join()) complain(".symtab", old.symbols.length, `new symbols ${found.join(", ")}`);
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
    const before = comparison.old.relocations.count(section);
    found = new Map(
      (comparison.new.relocations.get(section) ?? []).slice(before).map((entry) => [entry.offset, entry]),
    );
    known.set(section, found);
  }
  return found;
}

const oldBySection = new WeakMap<ReadModule, Map<number, Map<number, ReadRelocation>>>();

/** The original's relocations, by offset. */
function oldRelocations(old: ReadModule, section: number): Map<number, ReadRelocation> {
  const known = oldBySection.get(old) ?? new Map<number, Map<number, ReadRelocation>>();
  oldBySection.set(old, known);
  let found = known.get(section);
  if (found === undefined) {
    found = new Map((old.relocations.get(section) ?? []).map((entry) => [entry.offset, entry]));
    known.set(section, found);
  }
  return found;
}

// tier: quick
// ELF files are read as readelf reads them; cut and damaged ones are a FormatError that names section and place, and nothing worse.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../base/errors.js";
import { ElfFile } from "./elf-file.js";
import {
  FileType,
  fileHeader,
  Machine,
  SectionFlag,
  SectionType,
  SpecialSection,
  SymbolBinding,
  SymbolType,
  sectionHeader,
  symbolEntry,
} from "./layout.js";

const library = "/lib/x86_64-linux-gnu/libc.so.6";
let folder: string;
/** A relocatable file with symbols of every kind and a build id. */
let object: string;

const source = `
  int set = 3;
  int zeroed[1000];
  static int hidden(int x) { return x + 1; }
  __attribute__((weak)) int weak(void) { return hidden(set); }
  extern int elsewhere(int);
  int code(void) { return elsewhere(zeroed[3]) + weak(); }
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-elf-"));
  writeFileSync(join(folder, "object.c"), source);
  execFileSync("gcc", ["-O0", "-fcommon", "-c", "-o", join(folder, "plain.o"), join(folder, "object.c")]);
  object = join(folder, "object.o");
  execFileSync("ld", ["-r", "--build-id=0x00112233445566778899aabbccddeeff", "-o", object, join(folder, "plain.o")]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function readelf(...parameters: string[]): string[] {
  return execFileSync("readelf", parameters, { encoding: "latin1", maxBuffer: 1 << 28 }).split("\n");
}

function open(path: string): ElfFile {
  return new ElfFile(path, readFileSync(path));
}

describe("as readelf says it", () => {
  test.each(["library", "object", "this program"])("the sections of a %s", (which) => {
    const path = { library, object, "this program": process.execPath }[which]!;
    // [Nr] Name Type Address Off Size ES Flg Lk Inf Al
    const shape = /^ +\[ *(\d+)\] (\S*) +[A-Z]\S* +(\w{16}) (\w+) (\w+) (\w+) +[A-Za-z]* +(\d+) +(\d+) +(\d+)$/;
    const listed = readelf("-SW", path)
      .map((line) => shape.exec(line))
      .filter((match) => match !== null)
      .map(([, index, name, address, offset, size, entry, link, info, alignment]) => ({
        ...{ index: Number(index), name, address: BigInt(`0x${address}`), offset: Number.parseInt(offset!, 16) },
        ...{ size_bytes: Number.parseInt(size!, 16), entry_bytes: Number.parseInt(entry!, 16) },
        ...{ link: Number(link), info: Number(info), alignment: Number(alignment) },
      }));
    const { sections } = open(path);
    expect(listed.length).toBeGreaterThan(10);
    expect(sections.slice(1).map(({ type: _type, flags: _flags, ...section }) => section)).toEqual(
      listed.slice(-sections.length + 1),
    );
  });

  test("the symbols of a library's dynamic table, and of an object", () => {
    const [dynamic, own] = [open(library), open(object)];
    for (const [path, found] of [
      [library, dynamic.symbols(dynamic.sectionOfType(SectionType.dynamicSymbols))],
      [object, own.symbols()],
    ] as const) {
      //    Num: Value Size Type Bind Vis Ndx Name@VERSION
      const shape = /^ +\d+: (\w{16}) +(\w+) (\w+) +(\w+) +\w+ +(\w+)(?: ([^@\s]+))?/;
      const listed = readelf("-sW", path)
        .map((line) => shape.exec(line))
        .filter((match) => match !== null)
        .map(([, value, size, , , section, name]) => [BigInt(`0x${value}`), Number(size), section, name ?? ""]);
      const numbers: Record<number, string> = {
        [SpecialSection.undefined]: "UND",
        [SpecialSection.absolute]: "ABS",
        [SpecialSection.common]: "COM",
      };
      const ours = found.map(({ value, size_bytes, sectionNumber, section, type, name }) => [
        ...[value, size_bytes, numbers[sectionNumber] ?? String(sectionNumber)],
        // readelf puts the section's name in the place of its symbol's
        type === SymbolType.section ? section?.name : name,
      ]);
      expect(ours).toEqual(listed);
      expect(ours.length).toBeGreaterThan(5);
    }
  });
});

test("its type, and its symbols' kinds", () => {
  const elf = open(object);
  expect([elf.type, elf.machine]).toEqual([FileType.relocatable, Machine.x86_64]);
  expect(open(library).type).toBe(FileType.shared);
  const text = elf.section(".text")!;
  expect(text.flags).toBe(SectionFlag.allocated | SectionFlag.executable);
  const symbol = (name: string) => elf.symbols().find((found) => found.name === name);
  expect(symbol("code")).toMatchObject({ type: SymbolType.function, binding: SymbolBinding.global, section: text });
  expect(symbol("weak")).toMatchObject({ type: SymbolType.function, binding: SymbolBinding.weak, section: text });
  expect(symbol("hidden")).toMatchObject({ type: SymbolType.function, binding: SymbolBinding.local, section: text });
  expect(symbol("set")).toMatchObject({ type: SymbolType.object, size_bytes: 4, section: { name: ".data" } });
  expect(symbol("elsewhere")).toMatchObject({ section: undefined, sectionNumber: SpecialSection.undefined });
  expect(symbol("zeroed")).toMatchObject({ section: undefined, sectionNumber: SpecialSection.common, value: 32n });
  const source = elf.symbols().find(({ type }) => type === SymbolType.file);
  expect(source).toMatchObject({ name: "object.c", sectionNumber: SpecialSection.absolute });
});

test("a section's content, none where the file has none, and its notes", () => {
  const elf = open(object);
  expect(elf.content(elf.section(".data")!)).toEqual(Buffer.from([3, 0, 0, 0]));
  expect(elf.content(elf.section(".bss")!)).toHaveLength(0);
  expect(elf.section(".absent")).toBeUndefined();
  expect(elf.notes(elf.section(".note.gnu.build-id")!)).toEqual([
    { owner: "GNU", type: 3, description: Buffer.from("00112233445566778899aabbccddeeff", "hex") },
  ]);
});

test("more sections than sixteen bits count: their number, their names and their symbols", { timeout: 120_000 }, () => {
  const count = 65_400;
  const lines = Array.from(
    { length: count },
    (_, index) => `.section s${index},"a"\nsymbol${index}: .byte ${index & 0xff}`,
  );
  const path = join(folder, "many.o");
  execFileSync("as", ["-o", path, "-"], { input: `${lines.join("\n")}\n` });
  const elf = open(path);
  const view = new DataView(Uint8Array.from(readFileSync(path)).buffer);
  expect(view.getUint16(fileHeader.at.sectionCount, true)).toBe(0);
  expect(elf.sections.length).toBeGreaterThan(count);
  const symbols = elf.symbols().filter(({ name }) => name.startsWith("symbol"));
  expect(symbols).toHaveLength(count);
  for (const { name, section } of symbols) if (`s${name.slice(6)}` !== section?.name) expect(section?.name).toBe(name);
  expect(elf.content(elf.section(`s${count - 1}`)!)).toEqual(Buffer.from([(count - 1) & 0xff]));
});

describe("broken files", () => {
  /** The object with one number in it changed. */
  function changed(offset: number, width: 2 | 4 | 8, value: number): Uint8Array {
    const bytes = Uint8Array.from(readFileSync(object));
    const view = new DataView(bytes.buffer);
    if (width === 2) view.setUint16(offset, value, true);
    else if (width === 4) view.setUint32(offset, value, true);
    else view.setBigUint64(offset, BigInt(value), true);
    return bytes;
  }
  const headerOf = (name: string) => {
    const table = Number(
      new DataView(Uint8Array.from(readFileSync(object)).buffer).getBigUint64(fileHeader.at.sectionHeaders, true),
    );
    return table + open(object).section(name)!.index * sectionHeader.size_bytes;
  };

  test.each<[string, () => Uint8Array, string | RegExp]>([
    ["nothing", () => new Uint8Array(0), "x.o: at byte 0: not an ELF file"],
    ["a text", () => Buffer.from("#!/bin/sh\n"), "x.o: at byte 0: not an ELF file"],
    [
      "a cut header",
      () => readFileSync(object).subarray(0, 63),
      "x.o: at byte 63: the file ends within its ELF header",
    ],
    ["32 bits", () => changed(fileHeader.at.class, 2, 0x101), "x.o: at byte 4: not a 64-bit little-endian ELF file"],
    [
      "other section headers",
      () => changed(fileHeader.at.sectionHeader_bytes, 2, 40),
      "x.o: at byte 58: its section headers have 40 bytes each, not 64",
    ],
    [
      "section headers outside",
      () => changed(fileHeader.at.sectionHeaders, 8, 1e9),
      "x.o: at byte 40: its section headers lie outside the file",
    ],
    ["no names", () => changed(fileHeader.at.namesSection, 2, 500), "x.o: at byte 62: it has no section names"],
    [
      "a section's name outside",
      () => changed(headerOf(".text") + sectionHeader.at.name, 4, 1e6),
      /^x\.o: at byte \d+: the name of section 2 lies outside the names$/,
    ],
  ])("%s", (_, make, message) => expect(() => new ElfFile("x.o", make())).toThrow(message));

  test("a section outside the file is an error when it is asked for", () => {
    const at = headerOf(".data");
    const elf = new ElfFile("x.o", changed(at + sectionHeader.at.offset, 8, 1e9));
    expect(elf.content(elf.section(".text")!).length).toBeGreaterThan(0);
    expect(() => elf.content(elf.section(".data")!)).toThrow(`x.o: at byte ${at}: section .data lies outside the file`);
  });

  test("symbols that are no whole ones, without names, with a name outside", () => {
    const at = headerOf(".symtab");
    const symbols = (bytes: Uint8Array) => () => new ElfFile("x.o", bytes).symbols();
    expect(symbols(changed(at + sectionHeader.at.entry_bytes, 8, 16))).toThrow(
      "section .symtab isn't made of whole symbols",
    );
    expect(symbols(changed(at + sectionHeader.at.link, 4, 0))).toThrow("section .symtab has no section of names");
    const third = open(object).section(".symtab")!.offset + 3 * symbolEntry.size_bytes;
    expect(symbols(changed(third + symbolEntry.at.name, 4, 1e6))).toThrow(
      `x.o: at byte ${third}: the name of symbol 3 in .symtab lies outside the names`,
    );
    expect(symbols(changed(third + symbolEntry.at.section, 2, 0xffff))).toThrow(/symbol 3 in \.symtab has no number/);
  });

  test("a note that is cut names its section", () => {
    const { offset } = open(object).section(".note.gnu.build-id")!;
    const elf = new ElfFile("x.o", changed(offset, 4, 1e6));
    expect(() => elf.notes(elf.section(".note.gnu.build-id")!)).toThrow(
      `x.o: at byte ${offset}: a note in section .note.gnu.build-id is cut off`,
    );
  });

  test("cut anywhere, or damaged at random, it is read or a FormatError, and nothing else", () => {
    const whole = readFileSync(object);
    const readAll = (bytes: Uint8Array) => {
      try {
        const elf = new ElfFile("x.o", bytes);
        for (const section of elf.sections) elf.content(section);
        elf.symbols();
        for (const section of elf.sections) if (section.type === SectionType.notes) elf.notes(section);
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        return false;
      }
    };
    expect(readAll(whole)).toBe(true);
    for (let length = 0; length < whole.length; length += 1) expect(readAll(whole.subarray(0, length))).toBe(false);
    let seed = 12345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 20_000; round += 1) {
      const damaged = Buffer.from(whole);
      for (let changes = 0; changes < 4; changes += 1) {
        damaged[random(2) === 0 ? random(64) : random(damaged.length)] = random(256);
      }
      outcomes[readAll(damaged) ? "read" : "refused"] += 1;
    }
    // both happen often, or the damage would prove nothing
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(500);
  });
});

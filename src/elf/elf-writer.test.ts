// tier: quick
// Relocatable files are written with all that was read, and readelf finds in them all that was put in.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../base/errors.js";
import { prepareKernel } from "../lab/kernel-package.js";
import { ElfFile } from "./elf-file.js";
import { sectionsToWrite, writeRelocatable } from "./elf-writer.js";
import { RelocationType, SectionFlag, SectionType, sectionHeader } from "./layout.js";
import { readRelocations, relocationBytes } from "./relocations.js";

let folder: string;
/** A kernel module with all the tables that the kernel's build makes. */
let module: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-elf-"));
  const { release, modulesDirectory } = await prepareKernel("debian:6.1", (line) => process.stderr.write(`${line}\n`));
  module = join(modulesDirectory, release, "kernel/drivers/net/ethernet/intel/e1000/e1000.ko");
}, 15 * 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (path: string) => new ElfFile(path, readFileSync(path));
const readelf = (options: string, path: string) =>
  execFileSync("readelf", [options, path], { encoding: "latin1", maxBuffer: 1 << 28 });

/** The sections as readelf lists them, without their places in the file. */
const listedSections = (path: string) => readelf("-SW", path).replace(/^( +\[.*\w{16}) \w{6} (.*)$/gm, "$1 $2");

describe("a module that is written as it was read", () => {
  test("has the same sections, symbols and relocations for readelf, and the same bytes", () => {
    const elf = open(module);
    const bytes = writeRelocatable(elf, sectionsToWrite(elf));
    const path = join(folder, "same.ko");
    writeFileSync(path, bytes);
    expect(readelf("-sW", path)).toBe(readelf("-sW", module));
    expect(listedSections(path).split("\n").slice(1)).toEqual(listedSections(module).split("\n").slice(1));
    const relocations = (of: string) => readelf("-rW", of).replace(/ at offset 0x\w+/g, "");
    expect(relocations(path)).toBe(relocations(module));
    // only the signature behind the section headers is gone
    expect(Buffer.from(bytes).equals(readFileSync(module).subarray(0, bytes.length))).toBe(true);
    expect(bytes.length).toBeLessThan(readFileSync(module).length);
  });
});

test("a new section and a longer one", () => {
  const elf = open(module);
  const sections = sectionsToWrite(elf);
  const data = sections[elf.section(".data")!.index]!;
  data.content = Buffer.concat([data.content, Buffer.from("longer")]);
  const index = sections.length;
  const header = { type: SectionType.bits, flags: SectionFlag.allocated, address: 0n, link: 0, info: 0 };
  const place = { index, name: ".new section", offset: Number.POSITIVE_INFINITY, size_bytes: 0 };
  sections.push({ ...header, ...place, alignment: 16, entry_bytes: 0, content: Buffer.from("new") });
  const path = join(folder, "longer.ko");
  writeFileSync(path, writeRelocatable(elf, sections));
  expect(readelf("-SW", path)).toMatch(/ \.new section +PROGBITS +0{16} \w{5}0 000003 00 +A +0 +0 16\n/);
  const found = open(path);
  expect(found.sections).toHaveLength(index + 1);
  expect(
    Buffer.from(found.content(found.section(".data")!))
      .subarray(-6)
      .toString(),
  ).toBe("longer");
  for (const { name, index: number } of elf.sections.slice(1)) {
    if (name !== ".data" && name !== ".shstrtab") {
      expect(Buffer.from(found.content(found.sections[number]!)).equals(elf.content(elf.sections[number]!))).toBe(true);
    }
  }
});

test("the relocations are those that readelf lists, and become the same bytes again", () => {
  const elf = open(module);
  const table = elf.section(".rela.text")!;
  const found = readRelocations(elf, table);
  const listed = readelf("-rW", module).split("Relocation section '.rela.text'")[1]!.split("\n\n")[0]!;
  const lines = [...listed.matchAll(/^(\w{16}) +(\w{8})(\w{8}) \w+ +(?:\w{16}) \S+ ([+-]) (\w+)$/gm)];
  expect(lines.length).toBe(found.offsets.length);
  expect(lines.length).toBeGreaterThan(1000);
  const parsed = lines.map(([, offset, symbol, type, sign, addend]) => [
    ...[offset!, symbol!, type!].map((text) => Number.parseInt(text, 16)),
    Number(`${sign}1`) * Number.parseInt(addend!, 16),
  ]);
  const ours = Array.from(found.offsets, (offset, entry) => [
    ...[offset, found.symbols[entry], found.types[entry], found.addends[entry]],
  ]);
  expect(ours).toEqual(parsed);
  expect(found.types).toContain(RelocationType.call32);
  expect(Buffer.from(relocationBytes(found)).equals(elf.content(table))).toBe(true);
});

describe("refused", () => {
  test("a program, which has addresses already", () => {
    const elf = open(process.execPath);
    expect(() => writeRelocatable(elf, [])).toThrow("only relocatable files can be written anew");
  });

  test("relocations that are no whole ones, and impossible numbers", () => {
    const whole = readFileSync(module);
    const headers = Number(whole.readBigUInt64LE(0x28));
    const table = open(module).section(".rela.text")!;
    const changed = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(whole);
      change(bytes);
      const elf = new ElfFile("x.ko", bytes);
      return () => readRelocations(elf, elf.section(".rela.text")!);
    };
    const entry_bytes = headers + table.index * sectionHeader.size_bytes + sectionHeader.at.entry_bytes;
    const read = changed((bytes) => bytes.writeBigUInt64LE(16n, entry_bytes));
    expect(read).toThrow(FormatError);
    expect(read).toThrow("section .rela.text isn't made of whole relocations");
    const third = table.offset + 3 * table.entry_bytes;
    expect(changed((bytes) => bytes.writeBigUInt64LE(1n << 40n, third))).toThrow(
      `x.ko: at byte ${third}: relocation 3 in .rela.text has an impossible offset or addend`,
    );
  });
});

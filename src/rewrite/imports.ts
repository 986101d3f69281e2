// Symbols of another module that inserted code refers to: in the symbol table, and in the versions that the loader compares.
import { assert } from "../base/assert.js";
import { concatBytes, latin1Bytes } from "../base/bytes.js";
import type { NewSection } from "../elf/elf-writer.js";
import { SymbolBinding, symbolEntry } from "../elf/layout.js";
import type { ImportedSymbol } from "./instrumentation.js";
import type { ModuleCode } from "./module-code.js";
import { RewriteRefusal } from "./refusal.js";

/** include/linux/module.h: struct modversion_info { unsigned long crc; char name[64 - sizeof(unsigned long)]; } */
const version = { size_bytes: 64, nameBytesMax: 55 } as const;

/** Adds the symbols to `sections`. Returns the function that finds a symbol's number by its name. */
export function addImports(
  module: ModuleCode,
  sections: NewSection[],
  imports: readonly ImportedSymbol[],
): (name: string) => number {
  const numbers = new Map<string, number>();
  const { elf, symbols, symbolTable } = module;
  if (imports.length > 0) {
    if (symbolTable === undefined) throw new RewriteRefusal(elf.file, ".symtab", 0, "there is none");
    const names = sections[symbolTable.link]!;
    const table = sections[symbolTable.index]!;
    for (const { name, crc } of imports) {
      if (symbols.some((known) => known.name === name))
        throw new RewriteRefusal(elf.file, ".symtab", 0, `it refers to ${name} already: it was rewritten before`);
      assert(name.length <= version.nameBytesMax, `${name} fits into the table of versions`);
      numbers.set(name, symbols.length + numbers.size);
      const entry = new Uint8Array(symbolEntry.size_bytes);
      const view = new DataView(entry.buffer);
      view.setUint32(symbolEntry.at.name, names.content.length, true);
      view.setUint8(symbolEntry.at.info, SymbolBinding.global << 4);
      names.content = concatBytes([names.content, latin1Bytes(`${name}\0`)]);
      table.content = concatBytes([table.content, entry]);
      if (crc !== undefined) addVersion(module, sections, name, crc);
    }
  }
  return (name) => {
    const number = numbers.get(name);
    assert(number !== undefined, `${name} is imported`);
    return number;
  };
}

function addVersion({ elf }: ModuleCode, sections: NewSection[], name: string, crc: number): void {
  const section = elf.section("__versions");
  if (section === undefined)
    throw new RewriteRefusal(elf.file, "__versions", 0, "there is none, though the core has versions");
  const entry = new Uint8Array(version.size_bytes);
  new DataView(entry.buffer).setBigUint64(0, BigInt(crc), true);
  entry.set(latin1Bytes(name), 8);
  const versions = sections[section.index]!;
  versions.content = concatBytes([versions.content, entry]);
}

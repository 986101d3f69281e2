// Symbols that inserted code brings: imported ones, in the symbol table and in the versions that the loader compares, and its own.
import { assert } from "../base/assert.js";
import { concatBytes, latin1Bytes } from "../base/bytes.js";
import type { NewSection } from "../elf/elf-writer.js";
import { SymbolBinding, SymbolType, SymbolVisibility, symbolEntry } from "../elf/layout.js";
import type { ImportedSymbol } from "./instrumentation.js";
import type { ModuleCode } from "./module-code.js";
import { RewriteRefusal } from "./refusal.js";

/** include/linux/module.h: struct modversion_info { unsigned long crc; char name[64 - sizeof(unsigned long)]; } */
const version = { size_bytes: 64, nameBytesMax: 55 } as const;

/** A symbol of the module's own. It is a global one, because local ones stand before all others, and hidden. */
interface OwnSymbol {
  name: string;
  type: typeof SymbolType.function | typeof SymbolType.object;
  section: number;
  value: number;
  size_bytes: number;
}

/** The new symbols of a module: each has its number at once, which relocations refer to. */
export class AddedSymbols {
  readonly #module: ModuleCode;
  readonly #names: string[] = [];
  readonly #entries: Uint8Array[] = [];
  readonly #texts: Uint8Array[] = [];
  #nameOffset: number;

  constructor(module: ModuleCode) {
    this.#module = module;
    const { elf, symbolTable } = module;
    if (symbolTable === undefined) throw new RewriteRefusal(elf.file, ".symtab", 0, "there is none");
    this.#nameOffset = elf.content(elf.sections[symbolTable.link]!).length;
  }

  /** Finds a symbol's number by its name. */
  numberOf(name: string): number {
    const place = this.#names.indexOf(name);
    assert(place >= 0, `${name} is a new symbol`);
    return this.#module.symbols.length + place;
  }

  addImport(name: string): void {
    const { elf, symbols } = this.#module;
    if (symbols.some((known) => known.name === name))
      throw new RewriteRefusal(elf.file, ".symtab", 0, `it refers to ${name} already: it was rewritten before`);
    assert(name.length <= version.nameBytesMax, `${name} fits into the table of versions`);
    this.#add({
      name,
      type: SymbolType.none,
      visibility: SymbolVisibility.normal,
      section: 0,
      value: 0,
      size_bytes: 0,
    });
  }

  addOwn(symbol: OwnSymbol): void {
    this.#add({ ...symbol, visibility: SymbolVisibility.hidden });
  }

  #add(symbol: { name: string; type: number; visibility: number; section: number; value: number; size_bytes: number }) {
    const entry = new Uint8Array(symbolEntry.size_bytes);
    const view = new DataView(entry.buffer);
    const { at } = symbolEntry;
    view.setUint32(at.name, this.#nameOffset, true);
    view.setUint8(at.info, (SymbolBinding.global << 4) | symbol.type);
    view.setUint8(at.other, symbol.visibility);
    view.setUint16(at.section, symbol.section, true);
    view.setBigUint64(at.value, BigInt(symbol.value), true);
    view.setBigUint64(at.size_bytes, BigInt(symbol.size_bytes), true);
    const text = latin1Bytes(`${symbol.name}\0`);
    this.#nameOffset += text.length;
    this.#names.push(symbol.name);
    this.#texts.push(text);
    this.#entries.push(entry);
  }

  /** Appends the symbols to the module's table. */
  write(sections: NewSection[]): void {
    const table = sections[this.#module.symbolTable!.index]!;
    const names = sections[table.link]!;
    names.content = concatBytes([names.content, ...this.#texts]);
    table.content = concatBytes([table.content, ...this.#entries]);
  }
}

/** Adds the versions of imported symbols. */
export function addVersions(module: ModuleCode, sections: NewSection[], imports: readonly ImportedSymbol[]): void {
  for (const { name, crc } of imports) if (crc !== undefined) addVersion(module, sections, name, crc);
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

// The functions of a rewritten module: where in the original each place of theirs was. The list is in the module's file, in a section
// that the kernel doesn't load, and serves to name a trace's sites as the original's.
import { latin1, latin1Bytes } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { ElfFile } from "../elf/elf-file.js";
import { SymbolType } from "../elf/layout.js";
import type { SectionLayout } from "./layout.js";
import type { ModuleCode } from "./module-code.js";

export const movedSection = ".mms_moved";

/** One function. Without a place in it that moved it isn't listed. */
export interface MovedFunction {
  name: string;
  /** Its length in the rewritten module, and in the original. */
  new_bytes: number;
  old_bytes: number;
  /** Pairs of numbers, rising: an offset in the new function, and the bytes to take off it from there on. */
  steps: number[];
}

/** Lists the functions, with their symbols' new values and sizes. */
export function movedFunctions(
  { symbols, code }: ModuleCode,
  layouts: readonly (SectionLayout | undefined)[],
  newSymbols: readonly ({ value: number; size_bytes: number } | undefined)[],
): MovedFunction[] {
  return symbols.flatMap((symbol, index) => {
    const place = newSymbols[index];
    const section = symbol.section === undefined ? undefined : code[symbol.section.index];
    if (symbol.type !== SymbolType.function || place === undefined || section === undefined) return [];
    const begin = Number(symbol.value);
    const { starts } = layouts[section.section.index]!;
    const steps: number[] = [];
    let shift = 0;
    for (let number = section.instructionAt[begin] ?? -1; number >= 0 && number < section.sweep.count; number += 1) {
      const offset = section.sweep.starts[number]! - begin;
      if (offset >= symbol.size_bytes) break;
      const newOffset = starts[number]! - place.value;
      if (newOffset - offset === shift) continue;
      shift = newOffset - offset;
      steps.push(newOffset, shift);
    }
    const [new_bytes, old_bytes] = [place.size_bytes, symbol.size_bytes];
    return new_bytes === old_bytes && steps.length === 0 ? [] : [{ name: symbol.name, new_bytes, old_bytes, steps }];
  });
}

export function movedBytes(functions: readonly MovedFunction[]): Uint8Array {
  return latin1Bytes(JSON.stringify(functions));
}

/** Reads the list from a rewritten module's file. Throws FormatError if there is none. */
export function readMovedFunctions(file: string, bytes: Uint8Array): MovedFunction[] {
  const elf = new ElfFile(file, bytes);
  const section = elf.section(movedSection);
  if (section === undefined)
    throw new FormatError(file, `it has no section ${movedSection}: it isn't a rewritten module`);
  return JSON.parse(latin1(elf.content(section), 0, section.size_bytes)) as MovedFunction[];
}

/** A rewritten module's functions. */
export interface MovedModule {
  /** As the kernel has it: `snd_pcm`. */
  module: string;
  functions: MovedFunction[];
}

/** Names sites of rewritten modules as places in the originals. */
export class OriginalSites {
  /** By `function/new length [module]`; undefined where two functions have the same, and moved in other ways. */
  readonly #functions = new Map<string, MovedFunction | undefined>();

  constructor(modules: readonly MovedModule[]) {
    for (const { module, functions } of modules) {
      for (const found of functions) {
        const key = `${found.name}/${found.new_bytes} [${module}]`;
        const known = this.#functions.get(key);
        const isSame = !this.#functions.has(key) || JSON.stringify(known) === JSON.stringify(found);
        this.#functions.set(key, isSame ? found : undefined);
      }
    }
  }

  /** Returns the symbol of the same place in the original: of `function+0x12/0x34 [module]`. All others stay as they are. */
  nameOf(symbol: string): string {
    const [, name, offset, length, module] = /^(.+)\+0x([0-9a-f]+)\/0x([0-9a-f]+) (\[[\w-]+\])$/.exec(symbol) ?? [];
    if (name === undefined) return symbol;
    const found = this.#functions.get(`${name}/${Number.parseInt(length!, 16)} ${module}`);
    if (found === undefined) return symbol;
    const place = Number.parseInt(offset!, 16);
    let shift = 0;
    for (let at = 0; at < found.steps.length && found.steps[at]! <= place; at += 2) shift = found.steps[at + 1]!;
    return `${name}+0x${(place - shift).toString(16)}/0x${found.old_bytes.toString(16)} ${module}`;
  }
}

// The facts that a recorder needs about a rewritten module: the old place of each place in its functions, to name a trace's sites as
// the original's, and the code that wasn't rewritten. They are in the module's file, in a section that the kernel doesn't load.
import { latin1 } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { ElfFile } from "../elf/elf-file.js";

export const rewritingSection = ".mms_rewriting";

/** One function. Without a place in it that moved it isn't listed. */
export interface MovedFunction {
  name: string;
  /** Its length in the rewritten module, and in the original: up to the next symbol, which is the kernel's measure. */
  new_bytes: number;
  old_bytes: number;
  /** Pairs of numbers, rising: an offset in the new function, and the bytes to take off it from there on. */
  steps: number[];
}

export interface Rewriting {
  /** Instructions on ports that call nobody: their accesses aren't recorded. */
  portsLeft: number;
  functions: MovedFunction[];
}

/** Reads it from a rewritten module's file. Throws FormatError if it isn't one. */
export function readRewriting(file: string, bytes: Uint8Array): Rewriting {
  const elf = new ElfFile(file, bytes);
  const section = elf.section(rewritingSection);
  if (section === undefined)
    throw new FormatError(file, `it has no section ${rewritingSection}: it isn't a rewritten module`);
  return JSON.parse(latin1(elf.content(section), 0, section.size_bytes)) as Rewriting;
}

/** A rewritten module's functions. */
export interface MovedModule {
  /** As the kernel has it: `snd_pcm`. */
  module: string;
  functions: MovedFunction[];
}

/** Names sites of rewritten modules as places in the originals. */
export class OriginalSites {
  /** By `function [module]`. */
  readonly #functions = new Map<string, MovedFunction[]>();

  constructor(modules: readonly MovedModule[]) {
    for (const { module, functions } of modules) {
      for (const found of functions) {
        const key = `${found.name} [${module}]`;
        const alike = this.#functions.get(key) ?? [];
        if (!alike.some((other) => JSON.stringify(other) === JSON.stringify(found))) alike.push(found);
        this.#functions.set(key, alike);
      }
    }
  }

  /**
   * Returns the symbol of the same place in the original: of `function+0x12/0x34 [module]`. All others stay as they are; so do those of
   * functions of one name that can't be told apart.
   */
  nameOf(symbol: string): string {
    const [, name, offset, length, module] = /^(.+)\+0x([0-9a-f]+)\/0x([0-9a-f]+) (\[[\w-]+\])$/.exec(symbol) ?? [];
    if (name === undefined) return symbol;
    const found = this.#find(`${name} ${module}`, Number.parseInt(length!, 16));
    if (found === undefined) return symbol;
    const place = Number.parseInt(offset!, 16);
    let shift = 0;
    for (let at = 0; at < found.steps.length && found.steps[at]! <= place; at += 2) shift = found.steps[at + 1]!;
    return `${name}+0x${(place - shift).toString(16)}/0x${found.old_bytes.toString(16)} ${module}`;
  }

  #find(key: string, length_bytes: number): MovedFunction | undefined {
    const alike = this.#functions.get(key) ?? [];
    if (alike.length <= 1) return alike[0];
    const fitting = alike.filter(({ new_bytes }) => new_bytes === length_bytes);
    return fitting.length === 1 ? fitting[0] : undefined;
  }
}

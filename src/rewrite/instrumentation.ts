// Code that is put into a module: how its author tells the rewriter about it.
import type { Relocations } from "../elf/relocations.js";
import type { InsertedRoom, SectionLayout } from "./layout.js";
import type { CodeSection, ModuleCode } from "./module-code.js";

/** A state of the stack in inserted code at the section's end: that of an instruction, with `pushed_bytes` more on the stack. */
export interface TailState {
  /** Offset in the new section, from which on it holds. */
  offset: number;
  /** The instruction whose state it is. */
  instruction: number;
  pushed_bytes: number;
}

export interface InsertedCode {
  relocations: Relocations | undefined;
  states: TailState[];
}

/** A symbol that inserted code refers to, defined by another module. */
export interface ImportedSymbol {
  name: string;
  /** The checksum of its type in the exporting module's Module.symvers; undefined for a kernel without such versions. */
  crc: number | undefined;
}

export interface Instrumentation {
  imports: readonly ImportedSymbol[];
  /**
   * Returns the room that is wanted, by the number of the section of code; undefined where there is none. Must not ask for anything
   * in front of a glued instruction, or in a fixed section.
   */
  chooseRoom(module: ModuleCode): (InsertedRoom | undefined)[];
  /** Writes the inserted code into `content`, the new section. `symbolOf` gives numbers of `imports`' symbols. */
  fill(
    code: CodeSection,
    layout: SectionLayout,
    content: Uint8Array,
    symbolOf: (name: string) => number,
    module: ModuleCode,
  ): InsertedCode;
}

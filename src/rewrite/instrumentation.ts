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
  /** Data for the instrumentation's own section, with relocations whose offsets count from its begin; undefined for none. */
  data: { content: Uint8Array; relocations: Relocations } | undefined;
  /** Instructions on ports that have got nothing. */
  portsLeft: number;
}

/** A symbol that inserted code refers to, defined by another module. */
export interface ImportedSymbol {
  name: string;
  /** The checksum of its type in the exporting module's Module.symvers; undefined for a kernel without such versions. */
  crc: number | undefined;
}

/** All that inserted code is written from. */
export interface FillRequest {
  module: ModuleCode;
  code: CodeSection;
  layout: SectionLayout;
  /** The new section, to be filled in. */
  content: Uint8Array;
  /** Returns the number of an imported symbol, and of the data's. */
  symbolOf: (name: string) => number;
  /** The offset that this section's data will have. */
  dataOffset: number;
}

export interface Instrumentation {
  imports: readonly ImportedSymbol[];
  /** The section of data that the module gets, and the symbol at its begin; undefined for none. */
  data?: { section: string; symbol: string };
  /** The name of the symbol for the code at a section's end. */
  tailSymbol?: (section: string) => string;
  /**
   * Returns the room that is wanted, by the number of the section of code; undefined where there is none. Must not ask for anything
   * in front of a glued instruction, or in a fixed section.
   */
  chooseRoom(module: ModuleCode): (InsertedRoom | undefined)[];
  /** Writes the inserted code. */
  fill(request: FillRequest): InsertedCode;
}

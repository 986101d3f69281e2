// Code that is put into a module: how its author tells the rewriter about it.
import type { SectionLayout } from "./layout.js";
import type { CodeSection } from "./module-code.js";

export interface Instrumentation {
  /**
   * Returns the room that is wanted in a section: for each instruction the bytes to be put in front of it, 0 for none. A jump to the
   * instruction then goes to them. Must not ask for anything in front of a glued instruction.
   */
  chooseRoom(code: CodeSection): Uint8Array;
  /** Writes the inserted code into `content`, the new section. */
  fill(code: CodeSection, layout: SectionLayout, content: Uint8Array): void;
}
